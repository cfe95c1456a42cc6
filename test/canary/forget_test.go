package canary

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// erase has the patient erase a record: hospitals forget what it is about.
func (s *scene) erase(t *testing.T, c cast, d *document) {
	t.Helper()
	s.pie(t, c.patient, "record", "erase", "--yes", string(d.record))
	for _, canary := range s.canaries {
		if slices.Contains([]string{"age band of " + d.file, "media type of " + d.file, "code of " + d.file, "second code of " + d.file}, canary.Name) {
			s.forgotten = append(s.forgotten, canary)
		}
	}
}

// forget says that the last canary will be erased.
func (s *scene) forget() { s.forgotten = append(s.forgotten, s.canaries[len(s.canaries)-1]) }

// wantForgotten wants nothing that was erased in any row of the peers' databases, as they
// stand. What a private row holds that was not erased shows that rows are seen.
func (s *scene) wantForgotten(t *testing.T) {
	t.Helper()
	kept := s.canaries[slices.IndexFunc(s.canaries, func(c Canary) bool { return c.Name == "code of bundle.json" })]
	for _, o := range s.network.Organizations {
		for _, peer := range o.Peers {
			dir, err := s.network.Dir(peer)
			if err != nil {
				t.Fatal(err)
			}
			for _, database := range []string{"ledgersData/stateLeveldb", "ledgersData/pvtdataStore"} {
				search, err := NewSearch(s.forgotten, []Canary{kept})
				if err != nil {
					t.Fatal(err)
				}
				searchRows(t, search, filepath.Join(dir, "state", database), peer)
				wantOnly(t, search, kept.Name, peer+": "+database)
			}
		}
	}
}

func wantOnly(t *testing.T, search *Search, kept, place string) {
	t.Helper()
	seen := false
	for _, finding := range search.Findings() {
		if finding.Canary.Name == kept {
			seen = true
			continue
		}
		t.Errorf("the %s was erased and is in %s", finding.Canary.Name, place)
	}
	if !seen {
		t.Errorf("the %s was not seen in %s: the search is blind there", kept, place)
	}
}

func searchRows(t *testing.T, search *Search, database, name string) {
	t.Helper()
	db, err := leveldb.OpenFile(database, &opt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows := db.NewIterator(nil, nil)
	defer rows.Release()
	finder := search.At(Place{Kind: PrivateRows, Name: name})
	for rows.Next() {
		for _, part := range [][]byte{rows.Key(), rows.Value()} {
			finder.Break()
			_, _ = finder.Write(part) // never fails
		}
	}
	if err := rows.Error(); err != nil {
		t.Fatal(err)
	}
}
