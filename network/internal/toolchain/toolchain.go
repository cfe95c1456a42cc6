// Package toolchain builds the programs a network consists of: those of others from
// pinned modules, once for all networks of a user; the product's own from its source.
package toolchain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
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
func Tools(ctx context.Context, source string, progress io.Writer) (string, error) {
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
	return dir, fill(ctx, source, dir, progress)
}

// fill builds the tools into dir, which comes into being complete or not at all.
func fill(ctx context.Context, source, dir string, progress io.Writer) error {
	// Fabric CA keeps its users in SQLite, which is C.
	if err := require("gcc"); err != nil {
		return err
	}
	unfinished := dir + ".unfinished"
	if err := errors.Join(os.RemoveAll(unfinished), os.MkdirAll(unfinished, 0o755)); err != nil {
		return err
	}
	for i, suite := range suites {
		title := fmt.Sprintf("[%d/%d] %s", i+1, len(suites), suite.says)
		log := filepath.Join(unfinished, suite.dir+".log")
		folder := filepath.Join(source, "network", "tools", suite.dir)
		if err := buildSuite(ctx, build{folder: folder, target: "tool", output: unfinished + "/", log: log}, newDisplay(progress, title)); err != nil {
			return fmt.Errorf("build %s: %w", suite.says, err)
		}
	}
	if err := copySamples(ctx, source, unfinished); err != nil {
		return err
	}
	return os.Rename(unfinished, dir)
}

// buildSuite builds a suite with its patches.
func buildSuite(ctx context.Context, suite build, progress *display) error {
	dir, err := os.MkdirTemp("", "pie-tools-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	progress.line("preparing its sources")
	overlay, err := patched(ctx, suite.folder, dir)
	if err != nil {
		return err
	}
	if suite.flags, err = overlay.flags(); err != nil {
		return err
	}
	return suite.run(ctx, progress)
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
func Products(ctx context.Context, source, dir string, progress io.Writer, names ...string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range names {
		program := build{folder: source, target: products[name], output: filepath.Join(dir, name), log: filepath.Join(dir, name+".log")}
		if err := program.run(ctx, newDisplay(progress, name)); err != nil {
			return fmt.Errorf("build %s: %w", name, err)
		}
	}
	return nil
}

// pins digests all that decides what a build of the tools gives.
func pins(source string) (string, error) {
	digest := sha256.New()
	fmt.Fprintln(digest, runtime.Version(), runtime.GOOS, runtime.GOARCH, versionFlag)
	for _, suite := range suites {
		folder := filepath.Join(source, "network", "tools", suite.dir)
		patches, err := patchesOf(folder)
		if err != nil {
			return "", err
		}
		files := []string{filepath.Join(folder, "go.mod"), filepath.Join(folder, "go.sum")}
		for _, module := range slices.Sorted(maps.Keys(patches)) {
			files = append(files, patches[module]...)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return "", fmt.Errorf("read what the tools are built from: %w", err)
			}
			fmt.Fprintf(digest, "%s %d\n", strings.TrimPrefix(file, source), len(text))
			digest.Write(text)
		}
	}
	return hex.EncodeToString(digest.Sum(nil))[:16], nil
}

// lock waits until no other process builds.
func lock(path string, progress io.Writer) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		fmt.Fprintln(progress, "waiting for another process that builds the tools")
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
