package scripts

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// testOnThePage is a command of docs/track-record.md.
var testOnThePage = regexp.MustCompile("`go test (?:-race )?-run '\\^(Test\\w+)\\$' \\./([\\w/]+)`")

// mendedOn begins a row of the page: the day on which a fault was mended.
var mendedOn = regexp.MustCompile(`^\| (\d{4}-\d{2}-\d{2}) \| `)

// Every fault of the track record has the day on which it was mended, the earliest first,
// and a test, which is where the page says. A test that starts a network is marked.
func TestTrackRecordNamesTests(t *testing.T) {
	page, err := os.ReadFile("../docs/track-record.md")
	if err != nil {
		t.Fatal(err)
	}
	network := strings.Fields(run(t, "..", "scripts/packages with"))
	rows, last := 0, ""
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| mended |") || strings.HasPrefix(line, "| ---") {
			continue
		}
		rows++
		if day := mendedOn.FindStringSubmatch(line); day == nil || day[1] < last {
			t.Errorf("has no day, or one before that of the row above: %s", line)
		} else {
			last = day[1]
		}
		command := testOnThePage.FindStringSubmatch(line)
		if command == nil {
			t.Errorf("names no test: %s", line)
			continue
		}
		name, folder := command[1], command[2]
		if !declares(t, filepath.Join("..", folder), name) {
			t.Errorf("%s has no test %s", folder, name)
		}
		starts := false
		for _, path := range network {
			starts = starts || strings.HasSuffix(path, "/pie/"+folder)
		}
		if marked := strings.Contains(line, "⧉"); marked != starts {
			t.Errorf("%s is marked %t, and starts a network %t", name, marked, starts)
		}
	}
	if rows == 0 {
		t.Error("the page has no faults")
	}
}

// declares says whether a folder's tests have one of this name.
func declares(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+name+"(t *testing.T)") {
			return true
		}
	}
	return false
}
