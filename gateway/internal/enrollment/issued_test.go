package enrollment

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/pie-consortium/pie/internal/durable"
)

func newIssued(t *testing.T) issued {
	t.Helper()
	i, err := openIssued(filepath.Join(t.TempDir(), "enrolments"))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func (i issued) has(t *testing.T, name, want string) {
	t.Helper()
	if got, err := i.find(name); err != nil || got != want {
		t.Errorf("%s: %q, %v, want %q", name, got, err, want)
	}
}

func TestCertificatesAreKeptForAnHour(t *testing.T) {
	i := newIssued(t)
	one, other := nameOf([]byte("one")), nameOf([]byte("other"))
	if err := i.keep(one, "certificate"); err != nil {
		t.Fatal(err)
	}
	i.has(t, one, "certificate")
	i.has(t, other, "")
	later := issued{i.folder, func() time.Time { return time.Now().Add(keptFor + time.Minute) }}
	later.has(t, one, "")
	if err := later.keep(other, "later"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(i.folder, one)); !os.IsNotExist(err) {
		t.Errorf("what is past its hour is still there: %v", err)
	}
}

// What a crash left half written is not a certificate, and goes.
func TestHalfWrittenCertificatesAreNone(t *testing.T) {
	i := newIssued(t)
	name := nameOf([]byte("one"))
	if err := os.WriteFile(filepath.Join(i.folder, durable.DraftPrefix+"1"), []byte("certif"), 0o600); err != nil {
		t.Fatal(err)
	}
	i.has(t, name, "")
	if err := i.keep(name, "certificate"); err != nil {
		t.Fatal(err)
	}
	i.has(t, name, "certificate")
}

func TestTheOldestCertificatesMakeRoom(t *testing.T) {
	i := newIssued(t)
	for n := range most {
		path := filepath.Join(i.folder, strconv.Itoa(n))
		at := time.Now().Add(time.Duration(n-most) * time.Millisecond)
		if err := os.WriteFile(path, []byte("certificate"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := i.keep("last", "certificate"); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(i.folder)
	if err != nil || len(entries) != most {
		t.Errorf("%d are kept, %v", len(entries), err)
	}
	i.has(t, "0", "")
	i.has(t, "1", "certificate")
	i.has(t, "last", "certificate")
}
