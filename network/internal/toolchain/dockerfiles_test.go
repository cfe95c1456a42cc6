package toolchain

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each image is built where only what its Dockerfile copies is, and Fabric's official
// images, which have none of the patches, are joined by nothing that should have them.
func TestDockerfilesCopyWhatTheyBuild(t *testing.T) {
	source, err := Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(source, "*", "Dockerfile"))
	if err != nil || len(files) == 0 {
		t.Fatalf("found %v, %v", files, err)
	}
	patched := patchedPackages(t, source)
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			listed := packagesIn(t, source, string(text))
			if len(listed) == 0 {
				t.Error("it builds nothing that this test finds")
			}
			for _, name := range listed {
				if patched[name] {
					t.Errorf("it builds %s without its patch", name)
				}
			}
		})
	}
}

var goBuild = regexp.MustCompile(`go build .*-o \S+ (\S+)`)

// packagesIn does, below a new folder, what a Dockerfile's WORKDIR and COPY say, and lists
// all packages that its go builds then need.
func packagesIn(t *testing.T, source, dockerfile string) (listed []string) {
	t.Helper()
	image, workdir := t.TempDir(), "/"
	for line := range strings.Lines(strings.ReplaceAll(dockerfile, "\\\n", "")) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || strings.HasPrefix(line, "COPY --from="):
		case words[0] == "WORKDIR":
			workdir = words[1]
		case words[0] == "COPY":
			copied(t, source, words[1:len(words)-1], filepath.Join(image, workdir, words[len(words)-1]))
		}
		for _, target := range goBuild.FindAllStringSubmatch(line, -1) {
			command := exec.CommandContext(t.Context(), "go", "list", "-deps", target[1])
			command.Dir, command.Env = filepath.Join(image, workdir), append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
			command.Stderr = t.Output()
			text, err := command.Output()
			if err != nil {
				t.Errorf("go list -deps %s: %v", target[1], err)
			}
			listed = append(listed, strings.Fields(string(text))...)
		}
	}
	return listed
}

// copied copies as COPY does: a folder's content to where it is to be, files into a folder.
func copied(t *testing.T, source string, what []string, to string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "bash", "-euc", `mkdir -p "$0"; for it; do if [ -d "$it" ]; then it=$it/.; fi; cp -r "$it" "$0"; done`, to)
	command.Args, command.Dir = append(command.Args, what...), source
	if text, err := command.CombinedOutput(); err != nil {
		t.Fatalf("COPY %v: %v\n%s", what, err, text)
	}
}

// patchedPackages are the packages that patches change.
func patchedPackages(t *testing.T, source string) map[string]bool {
	t.Helper()
	packages := map[string]bool{}
	for _, suite := range suites {
		patches, err := patchesOf(filepath.Join(source, "network", "tools", suite.dir))
		if err != nil {
			t.Fatal(err)
		}
		for module, files := range patches {
			for _, file := range files {
				changes, err := changes(file)
				if err != nil {
					t.Fatal(err)
				}
				for _, change := range changes {
					packages[module+"/"+filepath.ToSlash(filepath.Dir(change.NewName))] = true
				}
			}
		}
	}
	return packages
}
