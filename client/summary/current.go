package summary

import (
	"slices"
	"time"
)

// verdict is what a rule says about a fact of the patient. The zero value: nothing.
type verdict struct {
	counted  string // it stays out, and is counted under these words
	named    string // it stays out of the list, and a line of its own says why
	nameless bool
}

// judge is the first verdict about a fact; none means that it is current.
func (b *rulebook) judge(f *fact, now time.Time) verdict {
	for _, r := range b.current {
		v := r.apply(f, now)
		if v.counted != "" && f.changed() != "" {
			return verdict{named: v.counted + ", if what is not shown here does not change that"}
		}
		if v != (verdict{}) {
			return v
		}
	}
	return verdict{}
}

// What is known to be over stays out; what is not known to be over is in. What contradicts
// itself is named.
var currentRules = []rule[func(*fact, time.Time) verdict]{
	{"entered in error", func(f *fact, _ time.Time) verdict {
		return counted(all(f.verificationCodes(), "entered-in-error") || f.status == "entered-in-error", "entered in error")
	}},
	{"refuted", func(f *fact, _ time.Time) verdict {
		return counted(all(f.verificationCodes(), "refuted", "entered-in-error"), "refuted")
	}},
	{"a clinical status that is over", func(f *fact, _ time.Time) verdict {
		return counted(all(f.clinicalCodes(), "inactive", "resolved", "remission"), "over")
	}},
	{"a medicine's status that is over", func(f *fact, _ time.Time) verdict {
		return counted(f.isMedication() && slices.Contains([]string{"completed", "cancelled", "stopped", "not-taken"}, f.status), "over")
	}},
	{"not to be given", func(f *fact, _ time.Time) verdict {
		return counted(f.doNotPerform, "not to be given")
	}},
	{"only proposed", func(f *fact, _ time.Time) verdict {
		return counted(f.isMedication() && (f.status == "draft" || f.intent == "proposal" || f.intent == "option"), "only proposed")
	}},
	{"a problem that ended", func(f *fact, now time.Time) verdict {
		if f.kind != "Condition" || !f.over(now) || slices.Contains(f.clinicalCodes(), "recurrence") || slices.Contains(f.clinicalCodes(), "relapse") {
			return verdict{}
		}
		switch {
		case len(f.clinicalCodes()) > 0:
		case f.endsInWords:
			return verdict{named: "it has ended, by these words"}
		default:
			return verdict{counted: "over"}
		}
		return verdict{named: "its status says that it is current, and its dates that it ended"}
	}},
	{"a medicine whose dates are over", func(f *fact, now time.Time) verdict {
		if !f.isMedication() || !f.over(now) {
			return verdict{}
		}
		return verdict{named: "its dates are over, and its status does not say so"}
	}},
	{"not begun", func(f *fact, now time.Time) verdict {
		if !f.isMedication() || !future(f.starts, now) {
			return verdict{}
		}
		return verdict{named: "not begun yet"}
	}},
	{"without a name", func(f *fact, _ time.Time) verdict {
		if f.what != "" || described[f.kind] == nil {
			return verdict{}
		}
		return verdict{named: "its name is missing or cannot be read", nameless: true}
	}},
}

func counted(is bool, words string) verdict {
	if !is {
		return verdict{}
	}
	return verdict{counted: words}
}

func (f *fact) isMedication() bool {
	return f.kind == "MedicationRequest" || f.kind == "MedicationStatement"
}

// over reports whether an element says that it has ended, by a date in the past or without one.
func (f *fact) over(now time.Time) bool {
	return f.ended || f.endsInWords || slices.ContainsFunc(f.ends, func(at string) bool { return past(at, now) })
}
