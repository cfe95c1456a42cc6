package matrix

import (
	"slices"
	"time"

	"github.com/pie-consortium/pie/ledger"
)

// brokenRules says when each rule of the table is broken. It is written from the
// documentation, and from nothing that the contract itself runs.
func (t table) brokenRules() map[string]func(question) bool {
	return map[string]func(question) bool{
		"erased":     func(q question) bool { return q.record.State == "erased" },
		"superseded": func(q question) bool { return q.record.State == "superseded" },
		"disputed":   func(q question) bool { return q.record.State == "disputed" },
		"insurer":    func(q question) bool { return q.by.Role == "insurer" },
		"role":       func(q question) bool { return !slices.Contains(q.record.Policy.Roles, q.by.Role) },
		"organization": func(q question) bool {
			members := q.record.Policy.Organizations
			return len(members) > 0 && !slices.Contains(members, q.by.User.MSP)
		},
		"clearance":       func(q question) bool { return height(q.by.Clearance) < height(q.record.Level) },
		"purpose":         func(q question) bool { return !slices.Contains(q.record.Policy.Purposes, q.purpose) },
		"purpose-of-role": func(q question) bool { return !slices.Contains(t.purposes[q.by.Role], q.purpose) },
		"policy-end":      func(q question) bool { return past(q.record.Policy.NotAfter) },

		"key":              func(q question) bool { return q.by.User != q.record.Patient },
		"grant":            func(q question) bool { return q.grant == nil },
		"grantee":          func(q question) bool { return q.grant.Grantee.User != q.by.User },
		"grant-revoked":    func(q question) bool { return q.grant.State == "revoked" },
		"grant-not-active": func(q question) bool { return q.grant.State != "active" },
		"grant-end":        func(q question) bool { return past(q.grant.Expiry) },

		"declaration": func(q question) bool {
			return q.declaration == nil || q.declaration.State != "active" || !slices.Contains(q.declaration.Records, q.record.ID)
		},
		"responder":       func(q question) bool { return q.by.Role != "emergency" && q.by.User != q.declaring.listed },
		"review-overdue":  func(question) bool { return false }, // takes three days
		"patient-forbids": func(q question) bool { return q.declaring.records && q.declaring.allows.Records == "never" },
		"trusted-responders": func(q question) bool {
			return q.declaring.records && q.declaring.allows.Records == "trusted" && !slices.Contains(q.declaring.allows.Trusted, q.by.User)
		},
		"responder-quota": func(q question) bool {
			return q.by.User == q.declaring.responder && !q.declaring.goesOn && q.declaring.spent[ledger.DayOf(time.Now())] >= ledger.ResponderQuota
		},
		"hospital-quota": func(question) bool { return false }, // takes fifty declarations
	}
}

func height(level ledger.Level) int {
	return slices.Index([]ledger.Level{"", "low", "moderate", "private"}, level)
}

func past(end time.Time) bool { return !end.IsZero() && end.Before(time.Now()) }
