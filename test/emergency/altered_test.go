package emergency

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/network/networktest"
)

// edit is a change of a source file, which must hold the old text once.
type edit struct{ file, old, put string }

// shorten restarts the hospitals' chaincode, built from the same source but for how long
// an emergency lasts, until the test ends.
func shorten(t *testing.T) {
	t.Helper()
	program := altered(t, "../../chaincode", edit{"../../ledger/breakglass.go",
		"MaxEmergency = 4 * time.Hour", fmt.Sprintf("MaxEmergency = %d * time.Second", short/time.Second)})
	for _, o := range network.Organizations {
		replace(t, o.Chaincode, program)
	}
}

// disarm restarts a hospital's chaincode and gateway without what they check before the
// gateway re-encrypts, until the test ends.
func disarm(t *testing.T, o networktest.Organization) {
	t.Helper()
	replace(t, o.Chaincode, altered(t, "../../chaincode",
		edit{"../../chaincode/rules/open.go", "	if err := access.Decision.Err(); err != nil {\n		return ledger.Release{}, err\n	}\n", ""},
		edit{"../../chaincode/rules/open.go", "policy.Decide(question).Err(); err != nil {\n		return ledger.Release{}, err", "policy.Decide(question).Err(); err != nil && false {\n		return ledger.Release{}, err"}))
	replace(t, o.Gateway, altered(t, "../../gateway",
		edit{"../../gateway/internal/proxy/proxy.go", "release.Access.User.User != request.caller.User ||", "false &&"},
		edit{"../../gateway/internal/proxy/proxy.go", "p.inTime(release); err != nil", "p.inTime(release); err != nil && false"}))
}

// altered builds a program from its source with edits.
func altered(t *testing.T, source string, edits ...edit) (program string) {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{} // as they are now, by path
	for _, e := range edits {
		path, err := filepath.Abs(e.file)
		if err != nil {
			t.Fatal(err)
		}
		if _, begun := files[path]; !begun {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files[path] = string(text)
		}
		if strings.Count(files[path], e.old) != 1 {
			t.Fatalf("%s does not say %q once", e.file, e.old)
		}
		files[path] = strings.Replace(files[path], e.old, e.put, 1)
	}
	overlay := map[string]string{}
	for path, text := range files {
		overlay[path] = filepath.Join(dir, fmt.Sprint(len(overlay), ".go"))
		if err := os.WriteFile(overlay[path], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	replaced, err := json.Marshal(map[string]any{"Replace": overlay})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "overlay.json"), replaced, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(dir, "program")
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, source)
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", source, err, output)
	}
	return program
}

// replace restarts a node with another program in the place of its own, until the test ends.
func replace(t *testing.T, node, program string) {
	t.Helper()
	nodes := network.Nodes()
	i := slices.IndexFunc(nodes, func(n networktest.Node) bool { return n.Name == node })
	running := fmt.Sprintf("/proc/%d/exe", nodes[i].PID)
	path, err := os.Readlink(running)
	if err != nil {
		t.Fatal(err)
	}
	path = strings.TrimSuffix(path, " (deleted)") // which it is once it was replaced for another node
	own, err := os.ReadFile(running)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { restart(t, node, path, own) })
	restart(t, node, path, text)
}

// restart kills a node, puts a program where it finds its own, and starts it.
func restart(t *testing.T, node, path string, program []byte) {
	t.Helper()
	if err := network.Kill(node); err != nil {
		t.Fatal(err)
	}
	err := os.WriteFile(path+".new", program, 0o700) //nolint:gosec // a program is executable
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = network.Start(node)
	}
	if err != nil {
		t.Fatal(err)
	}
}
