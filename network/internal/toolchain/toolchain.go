// Package toolchain builds the programs a network consists of: those of others from
// pinned modules, once for all networks of a user; the product's own from its source.
package toolchain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// module is the product's module, whose checkout the toolchain builds from.
const module = "github.com/pie-consortium/pie"

// versionFlag writes the release that the pinned Fabric commit is into its binaries,
// which would say "latest" otherwise.
const versionFlag = "-X github.com/hyperledger/fabric/common/metadata.Version=v3.1.1"

// suites are the folders of network/tools, one module each.
var suites = []struct{ dir, says string }{
	{"fabric", "Fabric 3.1.1 (peer, orderer, configtxgen)"},
	{"fabric-ca", "Fabric CA 1.5.15"},
	{"kubo", "Kubo 0.38.2"},
}

// products are the product's own programs: binary and package.
var products = map[string]string{
	"pie-chaincode": "./chaincode",
	"pie-gateway":   "./gateway",
}

// Source finds the checkout of the product around the working directory.
func Source(ctx context.Context) (string, error) {
	if err := require("go"); err != nil {
		return "", err
	}
	command := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module)
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("this folder is not inside a checkout of %s, which the network is built from: change into one", module)
	}
	return strings.TrimSpace(string(output)), nil
}

// require reports a program that is not installed.
func require(program string) error {
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Errorf("%s is not installed, and the network is built from source: install it (for example with your system's package manager) and run this again", program)
	}
	return nil
}

// Tools makes sure that the programs of others are built, and returns the folder
// that holds them. Whoever comes while another process builds waits for it.
func Tools(ctx context.Context, source string, progress func(string)) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for built tools: %w", err)
	}
	digest, err := pins(source)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "pie", "tools", digest)
	if exists(dir) {
		return dir, nil
	}
	unlock, err := lock(filepath.Join(cache, "pie", "tools", "lock"), progress)
	if err != nil {
		return "", err
	}
	defer unlock()
	if exists(dir) {
		return dir, nil
	}
	return dir, build(ctx, source, dir, progress)
}

// build fills dir, which comes into being complete or not at all.
func build(ctx context.Context, source, dir string, progress func(string)) error {
	// Fabric CA keeps its users in SQLite, which is C.
	if err := require("gcc"); err != nil {
		return err
	}
	unfinished := dir + ".unfinished"
	if err := errors.Join(os.RemoveAll(unfinished), os.MkdirAll(unfinished, 0o755)); err != nil {
		return err
	}
	for i, suite := range suites {
		progress(fmt.Sprintf("building %s, %d of %d: about a minute, once", suite.says, i+1, len(suites)))
		started := time.Now()
		folder := filepath.Join(source, "network", "tools", suite.dir)
		if err := buildSuite(ctx, folder, unfinished+"/"); err != nil {
			return fmt.Errorf("build %s: %w", suite.says, err)
		}
		progress(fmt.Sprintf("built %s in %s", suite.says, time.Since(started).Round(time.Second)))
	}
	if err := copySamples(ctx, source, unfinished); err != nil {
		return err
	}
	return os.Rename(unfinished, dir)
}

// buildSuite builds the tools of the module in folder, Fabric's with mends.
func buildSuite(ctx context.Context, folder, output string) error {
	if filepath.Base(folder) != "fabric" {
		return goBuild(ctx, folder, output, "tool")
	}
	dir, err := os.MkdirTemp("", "pie-tools-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	modfile, err := mended(ctx, folder, dir)
	if err != nil {
		return err
	}
	return goBuild(ctx, folder, output, "-modfile="+modfile, "tool")
}

// copySamples keeps Fabric's own configuration files, which the environment of a
// node overrides, beside the programs that read them.
func copySamples(ctx context.Context, source, dir string) error {
	fabric, err := moduleDir(ctx, filepath.Join(source, "network", "tools", "fabric"), "github.com/hyperledger/fabric")
	if err != nil {
		return err
	}
	for _, name := range []string{"core.yaml", "orderer.yaml"} {
		if err := copyFile(filepath.Join(fabric, "sampleconfig", name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// Products builds the product's own programs of these names into dir.
func Products(ctx context.Context, source, dir string, names ...string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range names {
		if err := goBuild(ctx, source, filepath.Join(dir, name), products[name]); err != nil {
			return fmt.Errorf("build %s: %w", name, err)
		}
	}
	return nil
}

func goBuild(ctx context.Context, folder, output string, target ...string) error {
	arguments := append([]string{"build", "-ldflags", "-s -w " + versionFlag, "-o", output}, target...)
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = folder
	command.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=1")
	if text, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, strings.TrimSpace(string(text)))
	}
	return nil
}

// pins digests all that decides what a build of the tools gives.
func pins(source string) (string, error) {
	digest := sha256.New()
	fmt.Fprintln(digest, runtime.Version(), runtime.GOOS, runtime.GOARCH, versionFlag, mendedModules)
	for _, suite := range suites {
		for _, name := range []string{"go.mod", "go.sum"} {
			text, err := os.ReadFile(filepath.Join(source, "network", "tools", suite.dir, name))
			if err != nil {
				return "", fmt.Errorf("read the pinned versions: %w", err)
			}
			fmt.Fprintf(digest, "%s/%s %d\n", suite.dir, name, len(text))
			digest.Write(text)
		}
	}
	return hex.EncodeToString(digest.Sum(nil))[:16], nil
}

// lock waits until no other process builds.
func lock(path string, progress func(string)) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		progress("waiting for another process that builds the tools")
		if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
			file.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
	return func() { file.Close() }, nil
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
