package scripts

import (
	"slices"
	"strings"
	"testing"
)

// Tests that start a network, and those that do not, are all there are, and no package is both.
func TestPackagesAreToldApart(t *testing.T) {
	with := strings.Fields(run(t, "..", "scripts/packages with"))
	without := strings.Fields(run(t, "..", "scripts/packages without"))
	all := strings.Fields(run(t, "..", `go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...`))
	if both := slices.Sorted(slices.Values(append(slices.Clone(with), without...))); !slices.Equal(both, slices.Sorted(slices.Values(all))) {
		t.Errorf("told apart are %v, which is not all of %v, each once", both, all)
	}
	const module = "github.com/pie-consortium/pie/"
	for _, name := range []string{"client", "scripts", "network", "test/matrix"} {
		if !slices.Contains(with, module+name) {
			t.Errorf("%s is said to start no network", name)
		}
	}
	for _, name := range []string{"umbral", "ledger", "gateway/internal/rest"} {
		if !slices.Contains(without, module+name) {
			t.Errorf("%s is said to start a network", name)
		}
	}
}
