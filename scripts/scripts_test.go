// Package scripts has no code: its test runs, in a copy of the checkout, what the
// README and the other pages tell people to run.
package scripts

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pie-consortium/pie/network/networktest"
)

func TestDemoAndREADME(t *testing.T) {
	checkout := copyOfCheckout(t)
	// The network is created where no other one is, and stopped: the demo has to resume it.
	subnet, err := networktest.Reserve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	run(t, checkout, "make build && bin/pie-network up --subnet "+subnet.Prefix.String()+" && make down")
	t.Cleanup(func() {
		run(t, checkout, "make purge")
		subnet.Close()
	})

	t.Run("demo, the network being down", func(t *testing.T) {
		output := run(t, checkout, "make demo")
		for _, want := range []string{
			"identical: ", "Dr. Weber  physician", `refused by the rule "clearance"`, "age-encryption.org/v1", "make down",
		} {
			if !strings.Contains(output, want) {
				t.Errorf("the demo does not show %q:\n%s", want, output)
			}
		}
		if strings.Contains(output, "Hypertensive") {
			t.Error("the demo shows plaintext of a record")
		}
	})
	t.Run("demo again, the network being up, with files of the user's", func(t *testing.T) {
		if err := os.WriteFile(filepath.Join(checkout, "mine.json"), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
		output := run(t, checkout, "make demo FILES='mine.json samples/image.dcm'")
		if !strings.Contains(output, "mine.json (medical-information)") || strings.Contains(output, "bundle.json (") {
			t.Errorf("the demo does not share the files it was given:\n%s", output)
		}
	})
	t.Run("what the README tells", func(t *testing.T) {
		run(t, checkout, commandsOf(t, filepath.Join(checkout, "README.md")))
	})
	t.Run("what an app's developer is told", func(t *testing.T) {
		for _, program := range []string{"curl", "jq", "node"} {
			if _, err := exec.LookPath(program); err != nil {
				t.Skipf("%s is not installed", program)
			}
		}
		output := run(t, checkout, commandsOf(t, filepath.Join(checkout, "docs", "getting-started.md")))
		for _, want := range []string{"Hospital B", "unauthenticated", `"VALID"`, `"role": "patient"`} {
			if !strings.Contains(output, want) {
				t.Errorf("the commands do not show %q:\n%s", want, output)
			}
		}
	})
}

// pagesThatRun are the pages whose commands this test runs.
var pagesThatRun = []string{"README.md", "docs/getting-started.md"}

var block = regexp.MustCompile("(?s)```sh\n(.*?)```")

// commandsOf are the commands of a page, one after the other.
func commandsOf(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var commands strings.Builder
	for _, match := range block.FindAllSubmatch(text, -1) {
		commands.Write(match[1])
	}
	if commands.Len() == 0 {
		t.Fatalf("%s has no commands", page)
	}
	return commands.String()
}

func run(t *testing.T, dir, script string) string {
	t.Helper()
	command := exec.Command("bash", "-euo", "pipefail", "-c", script)
	command.Dir = dir
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, output)
	}
	return string(output)
}

// copyOfCheckout copies what git tracks, as a clone would have it.
func copyOfCheckout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	run(t, "..", "git ls-files -z | xargs -0 cp --parents -t '"+dir+"'")
	return dir
}
