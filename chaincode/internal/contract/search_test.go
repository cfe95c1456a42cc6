package contract

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

func TestSearchFindsWhatTheReaderMayDiscover(t *testing.T) {
	c := newConsortium(t)
	c.register(ledger.ClassImaging)
	c.clock = c.clock.Add(time.Hour)
	trial := c.register(ledger.ClassClinicalObservation)
	code := "http://snomed.info/sct|38341003"
	count := func(by *person, q ledger.SearchRecords) int {
		t.Helper()
		q.Reader = by.identity()
		return len(must[ledger.List[ledger.RecordView]](c.world, c.gatewayA, ledger.TxSearchRecords, q).Rows)
	}
	for name, test := range map[string]struct {
		by   *person
		q    ledger.SearchRecords
		want int
	}{
		"the patient's own":         {c.patient, ledger.SearchRecords{Patient: c.patient.user}, 2},
		"another hospital's doctor": {c.colleague, ledger.SearchRecords{Patient: c.patient.user}, 2},
		"a researcher, cleared low": {c.researcher, ledger.SearchRecords{Patient: c.patient.user}, 1},
		"an insurer":                {c.insurer, ledger.SearchRecords{Patient: c.patient.user}, 0},
		"another patient":           {c.neighbour, ledger.SearchRecords{Patient: c.patient.user}, 0},
		"a namesake":                {c.colleague, ledger.SearchRecords{Patient: c.impostor.user}, 0},
		"by hospital":               {c.colleague, ledger.SearchRecords{Hospital: "HospitalA"}, 2},
		"by another hospital":       {c.colleague, ledger.SearchRecords{Hospital: "HospitalB"}, 0},
		"by class":                  {c.colleague, ledger.SearchRecords{Class: ledger.ClassImaging}, 1},
		"by class, cleared low":     {c.researcher, ledger.SearchRecords{Class: ledger.ClassImaging}, 0},
		"by code":                   {c.researcher, ledger.SearchRecords{Code: code}, 1},
		"by another code":           {c.colleague, ledger.SearchRecords{Code: "http://loinc.org|1"}, 0},
		"by code and sex":           {c.colleague, ledger.SearchRecords{Code: code, Sex: "female"}, 2},
		"by code and other sex":     {c.colleague, ledger.SearchRecords{Code: code, Sex: "male"}, 0},
		"by code and age":           {c.colleague, ledger.SearchRecords{Code: code, AgeBand: "40-49"}, 2},
		"by code and other age":     {c.colleague, ledger.SearchRecords{Code: code, AgeBand: "50-59"}, 0},
		"by code and class":         {c.colleague, ledger.SearchRecords{Code: code, Class: ledger.ClassImaging}, 1},
		"by patient and hospital":   {c.colleague, ledger.SearchRecords{Patient: c.patient.user, Hospital: "HospitalB"}, 0},
		"since":                     {c.colleague, ledger.SearchRecords{Patient: c.patient.user, From: c.clock}, 1},
		"until":                     {c.colleague, ledger.SearchRecords{Patient: c.patient.user, To: c.clock}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := count(test.by, test.q); got != test.want {
				t.Errorf("found %d, want %d", got, test.want)
			}
		})
	}
	clear(c.private[ledger.MetadataCollection])
	view := must[ledger.RecordView](c.world, c.researcher, ledger.TxReadRecord, ledger.ReadRecord{Record: trial.slot().Record})
	if view.Metadata != nil || view.Version != 1 || view.RecordKey != trial.slot().RecordKey {
		t.Errorf("view without metadata: %+v", view)
	}
}

func TestSearchPages(t *testing.T) {
	c := newConsortium(t)
	const total = 7
	for range total {
		c.register(ledger.ClassImaging)
	}
	for _, q := range []ledger.SearchRecords{{Patient: c.patient.user}, {Class: ledger.ClassImaging}} {
		seen := map[ledger.ID]bool{}
		q.Reader = c.colleague.identity()
		for q.Limit = 3; ; {
			list := must[ledger.List[ledger.RecordView]](c.world, c.gatewayA, ledger.TxSearchRecords, q)
			for _, row := range list.Rows {
				seen[row.ID] = true
			}
			if q.Bookmark = list.Bookmark; q.Bookmark == "" {
				break
			}
		}
		if len(seen) != total {
			t.Errorf("%d of %d records on the pages", len(seen), total)
		}
	}
	c.refused(fault.InvalidArgument, c.gatewayA, ledger.TxSearchRecords, ledger.SearchRecords{Class: ledger.ClassImaging, Page: ledger.Page{Bookmark: "summary/"}})
	c.refused(fault.InvalidArgument, c.colleague, ledger.TxSearchRecords, ledger.SearchRecords{})
	c.refused(fault.InvalidArgument, c.colleague, ledger.TxSearchRecords, ledger.SearchRecords{Class: "gossip"})
	c.refused(fault.InvalidArgument, c.colleague, ledger.TxSearchRecords, ledger.SearchRecords{Class: ledger.ClassImaging, Page: ledger.Page{Limit: -1}})
	behalf := ledger.SearchRecords{Class: ledger.ClassImaging}
	behalf.Reader = &ledger.Identity{User: c.patient.user}
	c.refused(fault.PermissionDenied, c.insurer, ledger.TxSearchRecords, behalf)
}

// What lies outside the span of time is not looked at: the first page, of one key, has
// the one record inside it, and is the last.
func TestSearchLooksAtItsSpanOnly(t *testing.T) {
	c := newConsortium(t)
	var begins []time.Time
	for range 3 {
		c.clock = c.clock.Add(time.Hour)
		begins = append(begins, c.clock)
		c.register(ledger.ClassImaging)
	}
	for name, q := range map[string]ledger.SearchRecords{
		"by patient":  {Patient: c.patient.user},
		"by hospital": {Hospital: "HospitalA"},
		"by class":    {Class: ledger.ClassImaging},
		"by code":     {Code: "http://snomed.info/sct|38341003"},
	} {
		q.Reader, q.Limit = c.colleague.identity(), 1
		q.From, q.To = begins[2], begins[2].Add(time.Second)
		newest := must[ledger.List[ledger.RecordView]](c.world, c.gatewayA, ledger.TxSearchRecords, q)
		if len(newest.Rows) != 1 || newest.Bookmark != "" {
			t.Errorf("%s: a page of the newest has %d records, bookmark %q", name, len(newest.Rows), newest.Bookmark)
		}
		q.From, q.To, q.Limit = begins[0], begins[1], 2
		oldest := must[ledger.List[ledger.RecordView]](c.world, c.gatewayA, ledger.TxSearchRecords, q)
		if len(oldest.Rows) != 1 || oldest.Bookmark != "" {
			t.Errorf("%s: a page of the oldest has %d records, bookmark %q", name, len(oldest.Rows), oldest.Bookmark)
		}
	}
}

func TestReadRecordRefuses(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	q := ledger.ReadRecord{Record: u.slot().Record}
	must[ledger.RecordView](c.world, c.gatewayB, ledger.TxReadRecord, q)
	c.refused(fault.PermissionDenied, c.insurer, ledger.TxReadRecord, q)
	c.refused(fault.PolicyDenied, c.researcher, ledger.TxReadRecord, q)
	q.Version = 2
	c.refused(fault.NotFound, c.patient, ledger.TxReadRecord, q)
	q.Version = -1
	c.refused(fault.InvalidArgument, c.patient, ledger.TxReadRecord, q)
	c.refused(fault.NotFound, c.patient, ledger.TxReadRecord, ledger.ReadRecord{Record: ledger.NewID()})

	ended := c.newUpload(ledger.ClassImaging)
	ended.slot().Policy.NotAfter = c.clock.Add(time.Hour)
	c.authorize(ended)
	must[ledger.Record](c.world, c.author, ledger.TxRegisterRecord, registrationOf(ended, ledger.LevelPrivate), ledger.TransientMetadata, ended.metadata)
	c.clock = c.clock.Add(time.Hour)
	c.refused(fault.ConsentExpired, c.colleague, ledger.TxReadRecord, ledger.ReadRecord{Record: ended.slot().Record})
	c.refused(fault.ConsentExpired, c.colleague, ledger.TxReadHistory, ledger.ReadHistory{RecordVersion: ended.version()})
}

func TestPrivateRowsAreSalted(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	salts := map[string]bool{}
	for _, fragment := range u.fragments {
		salts[string(fragment.Salt)] = true
	}
	salts[string(u.metadata.Salt)] = true
	own := c.colleague.profile()
	salts[string(own.Salt)] = true
	must[ledger.User](c.world, c.colleague, ledger.TxReplaceCard, ledger.ReplaceCard{}, ledger.TransientProfile, own)
	for collection, rows := range c.private {
		for key, value := range rows {
			profile, public := strings.CutPrefix(key, "profile/") // a user's, under the name that everybody knows
			if public && profile != "HospitalB/colleague/" {
				continue // its salt is not known here
			}
			if collection == ledger.MetadataCollection && !public && !endsInSalt(key, salts) {
				t.Errorf("%s: the key %q ends in no salt of the caller", collection, key)
			}
			if !containsSalt(value, salts) {
				t.Errorf("%s: the value of %q contains no salt", collection, key)
			}
		}
	}
}

func endsInSalt(key string, salts map[string]bool) bool {
	for salt := range salts {
		if strings.HasSuffix(key, fmt.Sprintf("/%x", salt)) {
			return true
		}
	}
	return false
}

func containsSalt(value []byte, salts map[string]bool) bool {
	for salt := range salts {
		if strings.Contains(string(value), base64.StdEncoding.EncodeToString([]byte(salt))) {
			return true
		}
	}
	return false
}
