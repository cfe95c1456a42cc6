package toolchain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A mend replaces a text that stands once in a file.
type mend struct{ file, old, new string }

// mendedModules are built with mends, by their folders in a build: docs/adr/0010.
var mendedModules = map[string]struct {
	path  string
	mends []mend
}{
	"smartbft": {"github.com/hyperledger-labs/SmartBFT", ordering},
	"fabric":   {"github.com/hyperledger/fabric", clustering},
}

// clustering lets an ordering node wait for a second, not for twenty, before it goes on
// without a node that cannot be reached: it takes part in nothing meanwhile.
var clustering = []mend{{
	"orderer/common/cluster/remotecontext.go",
	"\tstream, err := rc.GetStreamFunc(ctx)\n",
	"\tlate := time.AfterFunc(time.Second, cancel)\n\tstream, err := rc.GetStreamFunc(ctx)\n\tlate.Stop()\n",
}}

// ordering lets nobody wait for, or signal to, somebody who has left: a decision carries
// the channel that says it was delivered, and signals of a proposal in flight are
// kept for whoever still waits, and forgotten before the next one. The newest release can
// hang for good when it has decided on a block in the moment in which its view is given
// up (pull request 681 of that project describes it).
var ordering = []mend{
	{"internal/bft/controller.go", "type decision struct {\n", "type decision struct {\n\tdelivered chan struct{}\n"},
	{"internal/bft/controller.go", "case c.decisionChan <- decision{\n", "case c.decisionChan <- decision{\n\t\tdelivered: delivered,\n"},
	{
		"internal/bft/controller.go",
		"requests []types.RequestInfo) {\n\tselect {\n\tcase c.decisionChan <-",
		"requests []types.RequestInfo) {\n\tdelivered := make(chan struct{})\n\tselect {\n\tcase c.decisionChan <-",
	},
	{"internal/bft/controller.go", "case <-c.deliverChan:", "case <-delivered:"},
	{
		"internal/bft/controller.go",
		"\tselect {\n\tcase c.deliverChan <- struct{}{}:\n\tcase <-c.stopChan:\n\t\treturn\n\t}\n",
		"\tclose(d.delivered)\n\tif c.stopped() {\n\t\treturn\n\t}\n",
	},
	{"internal/bft/viewchanger.go", "v.inFlightDecideChan = make(chan struct{})", "v.inFlightDecideChan = make(chan struct{}, 1)"},
	{"internal/bft/viewchanger.go", "v.inFlightSyncChan = make(chan struct{})", "v.inFlightSyncChan = make(chan struct{}, 1)"},
	{
		"internal/bft/viewchanger.go",
		"\tselect {\n\tcase v.inFlightDecideChan <- struct{}{}:\n\t\treturn\n\tcase <-v.stopChan:\n\t\treturn\n\t}\n",
		"\tsignal(v.inFlightDecideChan)\n",
	},
	{"internal/bft/viewchanger.go", "\tv.inFlightSyncChan <- struct{}{}\n", "\tsignal(v.inFlightSyncChan)\n"},
	{"internal/bft/viewchanger.go", "\tinFlightView.Start()\n", "\tforget(v.inFlightDecideChan)\n\tforget(v.inFlightSyncChan)\n\tinFlightView.Start()\n"},
	{"internal/bft/viewchanger.go", "type ViewChanger struct {\n", signals + "type ViewChanger struct {\n"},
}

const signals = `func signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

func forget(of chan struct{}) {
	select {
	case <-of:
	default:
	}
}

`

// mended copies modules into dir with their mends, and writes a go.mod there that builds
// suite with the copies. It returns the path of that go.mod.
func mended(ctx context.Context, suite, dir string) (string, error) {
	modfile := filepath.Join(dir, "go.mod")
	if err := errors.Join(
		copyFile(filepath.Join(suite, "go.mod"), modfile),
		copyFile(filepath.Join(suite, "go.sum"), filepath.Join(dir, "go.sum")),
	); err != nil {
		return "", err
	}
	for folder, module := range mendedModules {
		source, err := moduleDir(ctx, suite, module.path)
		if err != nil {
			return "", err
		}
		copied := filepath.Join(dir, folder)
		if err := errors.Join(copyTree(source, copied), apply(module.mends, copied)); err != nil {
			return "", fmt.Errorf("mend %s: %w", module.path, err)
		}
		command := exec.CommandContext(ctx, "go", "mod", "edit", "-replace", module.path+"="+copied, modfile)
		if text, err := command.CombinedOutput(); err != nil {
			return "", fmt.Errorf("replace %s: %w\n%s", module.path, err, text)
		}
	}
	return modfile, nil
}

// moduleDir is where a module that suite builds with stands, which is downloaded for
// that when it is not in the module cache yet.
func moduleDir(ctx context.Context, suite, module string) (string, error) {
	command := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	command.Dir, command.Env = suite, append(os.Environ(), "GOWORK=off")
	output, err := command.Output()
	var downloaded struct{ Dir, Error string }
	err = errors.Join(err, json.Unmarshal(output, &downloaded))
	if err != nil || downloaded.Dir == "" {
		return "", fmt.Errorf("download the sources of %s: %s (%w)", module, downloaded.Error, err)
	}
	return downloaded.Dir, nil
}

// apply refuses a source that the mends were not written for.
func apply(mends []mend, dir string) error {
	for _, mend := range mends {
		path := filepath.Join(dir, mend.file)
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.Count(string(text), mend.old) != 1 {
			return fmt.Errorf("%s does not contain this exactly once, so another version needs other mends, or none:\n%s", mend.file, mend.old)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(string(text), mend.old, mend.new, 1)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// copyTree copies the files below from, which is read-only in a module cache, to be
// writable.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		return copyFile(path, target)
	})
}
