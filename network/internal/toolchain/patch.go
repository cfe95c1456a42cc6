package toolchain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
)

// overlay lays a suite's patches over the modules that it pins (docs/adr/0010). The go
// command replaces no file of its module cache, so that a patched module is reached
// through a symbolic link outside of it.
type overlay struct {
	dir   string            // holds a go.mod that leads to the links, the links, and what the patches give
	files map[string]string // path below a link: what to read there instead; nothing when it is empty
}

// patchesOf are the patch files of a suite by the module that they change, in the order
// in which they apply: patches/MODULE/NAME.patch, by name. Paths in a patch start at the
// module's root.
func patchesOf(suite string) (map[string][]string, error) {
	root, patches := filepath.Join(suite, "patches"), map[string][]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case path == root && errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil || entry.IsDir():
			return err
		case filepath.Ext(path) != ".patch":
			return fmt.Errorf("%s is not named *.patch: rename it, or move it elsewhere", path)
		}
		module, err := filepath.Rel(root, filepath.Dir(path))
		patches[filepath.ToSlash(module)] = append(patches[filepath.ToSlash(module)], path)
		return err
	})
	return patches, err
}

// patched prepares, in dir, builds of a suite with its patches.
func patched(ctx context.Context, suite, dir string) (*overlay, error) {
	patches, err := patchesOf(suite)
	if err != nil {
		return nil, err
	}
	o := &overlay{dir: dir, files: map[string]string{}}
	if err := errors.Join(
		copyFile(filepath.Join(suite, "go.mod"), o.modfile()),
		copyFile(filepath.Join(suite, "go.sum"), filepath.Join(dir, "go.sum")),
	); err != nil {
		return nil, err
	}
	for module, files := range patches {
		if err := o.link(ctx, suite, module); err != nil {
			return nil, err
		}
		for _, file := range files {
			if err := o.apply(file, o.root(module)); err != nil {
				return nil, fmt.Errorf("%s does not apply to the pinned %s (%w): write it anew for that version, or delete it when that version needs it no more", file, module, err)
			}
		}
	}
	return o, nil
}

func (o *overlay) modfile() string { return filepath.Join(o.dir, "go.mod") }

// root is where a patched module appears to stand.
func (o *overlay) root(module string) string {
	return filepath.Join(o.dir, strings.ReplaceAll(module, "/", "_"))
}

// link has the suite's builds take a module from its root.
func (o *overlay) link(ctx context.Context, suite, module string) error {
	source, err := moduleDir(ctx, suite, module)
	if err != nil {
		return err
	}
	if err := os.Symlink(source, o.root(module)); err != nil {
		return err
	}
	command := exec.CommandContext(ctx, "go", "mod", "edit", "-replace", module+"="+o.root(module), o.modfile())
	if text, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("replace %s: %w\n%s", module, err, text)
	}
	return nil
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

// apply applies every change of a patch to the files below root, at the very lines that
// the patch names: a change that was made already, or has moved, is refused.
func (o *overlay) apply(patch, root string) error {
	changes, err := changes(patch)
	if err != nil {
		return err
	}
	for _, change := range changes {
		if err := o.change(change, root); err != nil {
			return fmt.Errorf("%s: %w", change.NewName, err)
		}
	}
	return nil
}

// changes reads the changes that a patch makes.
func changes(patch string) ([]*gitdiff.File, error) {
	file, err := os.Open(patch)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	changes, _, err := gitdiff.Parse(file)
	if err == nil && len(changes) == 0 {
		err = errors.New("it changes nothing")
	}
	return changes, err
}

// change makes one file's change.
func (o *overlay) change(change *gitdiff.File, root string) error {
	if change.IsDelete || change.IsRename || change.IsCopy || change.IsBinary {
		return errors.New("a patch here changes files of text, or adds them")
	}
	path := filepath.Join(root, filepath.FromSlash(change.NewName))
	before, err := o.read(path)
	if change.IsNew && errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return err
	}
	var after bytes.Buffer
	if err := gitdiff.Apply(&after, bytes.NewReader(before), change); err != nil {
		return err
	}
	target := filepath.Join(o.dir, "patched", strings.TrimPrefix(path, o.dir))
	o.files[path] = target
	return errors.Join(os.MkdirAll(filepath.Dir(target), 0o755), os.WriteFile(target, after.Bytes(), 0o644))
}

// read gives a file as the patches until now have left it.
func (o *overlay) read(path string) ([]byte, error) {
	if changed, ok := o.files[path]; ok {
		path = changed
	}
	return os.ReadFile(path)
}

// flags are the go command's, with which it builds what is patched. What is trimmed
// from paths keeps the build cache useful wherever the overlay is.
func (o *overlay) flags() ([]string, error) {
	text, err := json.Marshal(map[string]any{"Replace": o.files})
	if err != nil {
		return nil, err
	}
	path := filepath.Join(o.dir, "overlay.json")
	return []string{"-trimpath", "-modfile=" + o.modfile(), "-overlay=" + path}, os.WriteFile(path, text, 0o644)
}
