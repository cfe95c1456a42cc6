package pins

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
)

const (
	someCID  = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"
	otherCID = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"
)

func open(t *testing.T, folder string) *Pins {
	t.Helper()
	p, err := Open(Options{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestNotesSurvive(t *testing.T) {
	folder, now := t.TempDir(), time.Now().Truncate(time.Second)
	one, two, three := note{ledger.NewID(), someCID}, note{ledger.NewID(), someCID}, note{ledger.NewID(), otherCID}
	p := open(t, folder)
	for n, at := range map[note]time.Time{one: now, two: now.Add(-time.Hour), three: now.Add(-term)} {
		if err := p.uploaded.write(n, at); err != nil {
			t.Fatal(err)
		}
	}
	got, err := open(t, folder).uploaded.list()
	if err != nil || len(got) != 2 || len(got[someCID]) != 2 || !got[someCID][two].Equal(now.Add(-time.Hour)) || !got[otherCID][three].Equal(now.Add(-term)) {
		t.Errorf("%v %v", got, err)
	}
}

// A content stays as long as one of its uploads is within its term; to register a record
// begins the term of that upload again, and makes no upload where there was none.
func TestTerm(t *testing.T) {
	p, now := open(t, t.TempDir()), time.Now()
	old, young := note{ledger.NewID(), someCID}, note{ledger.NewID(), someCID}
	for n, at := range map[note]time.Time{old: now.Add(-2 * term), young: now.Add(time.Second - term)} {
		if err := p.uploaded.write(n, at); err != nil {
			t.Fatal(err)
		}
	}
	holds := func(at time.Time, want bool) {
		t.Helper()
		uploads, err := p.uploaded.list()
		if err != nil {
			t.Fatal(err)
		}
		if expired(uploads[someCID], at) == want {
			t.Errorf("at %s: %v", at, uploads)
		}
	}
	holds(now, true)
	holds(now.Add(2*time.Second), false)
	if err := p.Renew(old.record, someCID); err != nil {
		t.Fatal(err)
	}
	holds(now.Add(2*time.Second), true)
	if err := p.Renew(ledger.NewID(), otherCID); err != nil {
		t.Fatal(err)
	}
	if uploads, err := p.uploaded.list(); err != nil || len(uploads) != 1 {
		t.Errorf("%v %v", uploads, err)
	}
	if expired(nil, now) {
		t.Error("what nobody uploaded is let go of")
	}
}

func TestNotesRefuseStrangers(t *testing.T) {
	p := open(t, t.TempDir())
	if err := os.WriteFile(filepath.Join(string(p.uploaded), "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.uploaded.list(); err == nil {
		t.Error("accepted")
	}
}

func TestListSurvives(t *testing.T) {
	folder := t.TempDir()
	for range 2 {
		if err := open(t, folder).kept.add(someCID); err != nil {
			t.Fatal(err)
		}
	}
	p := open(t, folder)
	if has, err := p.kept.has(someCID); err != nil || !has {
		t.Errorf("%t %v", has, err)
	}
	if has, err := p.kept.has(otherCID); err != nil || has {
		t.Errorf("%t %v", has, err)
	}
}

func FuzzParseNote(f *testing.F) {
	f.Add("mfzwizltoqzgk43fmfzwizltoq." + someCID)
	f.Add("../x.bafy")
	f.Fuzz(func(t *testing.T, name string) {
		n, err := parseNote(name)
		if err == nil && filepath.Base(notes("folder").path(n)) != name {
			t.Errorf("%q became %+v", name, n)
		}
	})
}
