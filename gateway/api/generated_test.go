package api_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// Generated code is that of the document as it stands. When this fails, run: go generate ./gateway/...
func TestGeneratedCodeIsFresh(t *testing.T) {
	source, err := os.ReadFile("api.go")
	if err != nil {
		t.Fatal(err)
	}
	generator := regexp.MustCompile(`github\.com/oapi-codegen/\S+@\S+`).FindString(string(source))
	if err := exec.CommandContext(t.Context(), "go", "run", generator, "--version").Run(); err != nil {
		t.Skipf("the generator cannot be had here: %v", err)
	}
	rest := filepath.Join("..", "internal", "rest")
	for configuration, generated := range map[string]string{
		"models.yaml":                      "models.gen.go",
		"client.yaml":                      "client.gen.go",
		filepath.Join(rest, "server.yaml"): filepath.Join(rest, "server.gen.go"),
	} {
		want, err := os.ReadFile(generated)
		if err != nil {
			t.Fatal(err)
		}
		if got := generate(t, generator, configuration); !bytes.Equal(got, want) {
			t.Errorf("%s is stale", generated)
		}
	}
}

func generate(t *testing.T, generator, configuration string) []byte {
	t.Helper()
	folder := t.TempDir()
	for from, to := range map[string]string{"openapi.yaml": "openapi.yaml", configuration: "configuration.yaml"} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, to), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), "go", "run", generator, "--config", "configuration.yaml", "openapi.yaml")
	command.Dir = folder
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", configuration, err, output)
	}
	found, err := filepath.Glob(filepath.Join(folder, "*.gen.go"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v %v", found, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return text
}
