package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// use is a command with the flags that it is given, as far as they are its own.
type use struct {
	command string
	flags   []string
}

var (
	commandsBlock = regexp.MustCompile("(?s)```([a-z]*)\n(.*?)```")
	inlineCode    = regexp.MustCompile("`(pie [^`]*)`")
	called        = regexp.MustCompile(`(?m)(?:^|[\s(&=]|bin/)pie ([^#)|>&;\n]*)`)
)

// What the pages tell people to type, the sessions run: each command with each flag.
func TestSessionsRunWhatThePagesTell(t *testing.T) {
	run := map[string]map[string]bool{}
	for _, text := range read(t, "testdata/*.txt", "testdata/alone/*.txt", "../../../scripts/demo") {
		for _, match := range called.FindAllStringSubmatch(text, -1) {
			u, err := parse(match[1])
			if err != nil {
				continue // sessions try what is refused, too
			}
			if run[u.command] == nil {
				run[u.command] = map[string]bool{}
			}
			for _, flag := range u.flags {
				run[u.command][flag] = true
			}
		}
	}
	for page, text := range read(t, "../../../README.md", "../../../docs/*.md") {
		for _, command := range commandsIn(text) {
			u, err := parse(command)
			if err != nil {
				t.Errorf("%s: pie %s: %v", page, command, err)
				continue
			}
			if run[u.command] == nil {
				t.Errorf("%s: no session runs %s", page, u.command)
			}
			for _, flag := range u.flags {
				if !run[u.command][flag] {
					t.Errorf("%s: no session runs %s --%s", page, u.command, flag)
				}
			}
		}
	}
}

var ofTheSDK = regexp.MustCompile("`([A-Za-z]+\\.[A-Z][A-Za-z]+)`")

// What the pages tell of the SDK, its packages export.
func TestPagesNameWhatTheSDKHas(t *testing.T) {
	exported, named := exports(t, "../..", "../../receipt", "../../summary"), 0
	for page, text := range read(t, "../../../README.md", "../../../docs/*.md") {
		for _, match := range ofTheSDK.FindAllStringSubmatch(text, -1) {
			named++
			if !exported[match[1]] {
				t.Errorf("%s: the SDK has no %s", page, match[1])
			}
		}
	}
	if named == 0 {
		t.Error("the pages name nothing of the SDK")
	}
}

// exports are the functions of packages, such as client.Enroll, and the methods of their
// types, such as Client.Open.
func exports(t *testing.T, folders ...string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, folder := range folders {
		paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil || len(paths) == 0 {
			t.Fatal(folder, err)
		}
		for _, path := range paths {
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, declaration := range file.Decls {
				if function, isFunction := declaration.(*ast.FuncDecl); isFunction {
					found[ownerOf(file, function)+"."+function.Name.Name] = true
				}
			}
		}
	}
	return found
}

// ownerOf is the type that a method is of, and the package of another function.
func ownerOf(file *ast.File, function *ast.FuncDecl) string {
	if function.Recv == nil {
		return file.Name.Name
	}
	owner := function.Recv.List[0].Type
	if pointer, isPointer := owner.(*ast.StarExpr); isPointer {
		owner = pointer.X
	}
	if name, isName := owner.(*ast.Ident); isName {
		return name.Name
	}
	return ""
}

// commandsIn are a page's calls of pie, in blocks and in sentences.
func commandsIn(page string) []string {
	var commands []string
	for _, block := range commandsBlock.FindAllStringSubmatch(page, -1) {
		if block[1] == "mermaid" {
			continue
		}
		for _, match := range called.FindAllStringSubmatch(block[2], -1) {
			commands = append(commands, match[1])
		}
	}
	for _, match := range inlineCode.FindAllStringSubmatch(page, -1) {
		commands = append(commands, strings.TrimPrefix(match[1], "pie "))
	}
	return commands
}

// parse finds a command and its flags, as the program does. Arguments are not looked at.
func parse(line string) (use, error) {
	root := (&app{out: io.Discard, err: io.Discard}).root()
	command, rest, err := root.Find(strings.Fields(line))
	if err != nil {
		return use{}, err
	}
	u := use{command: command.CommandPath()}
	command.InitDefaultHelpFlag()
	if err := command.ParseFlags(rest); err != nil {
		return use{}, err
	}
	if isGroup := command.Use == command.Name(); isGroup && command.HasSubCommands() && command.Flags().NArg() > 0 {
		return use{}, fmt.Errorf("%s has no command %s", command.CommandPath(), command.Flags().Arg(0))
	}
	command.LocalNonPersistentFlags().Visit(func(flag *pflag.Flag) { u.flags = append(u.flags, flag.Name) })
	return u, nil
}

func read(t *testing.T, patterns ...string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range patterns {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatal(pattern, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			texts[filepath.Base(path)] = string(text)
		}
	}
	return texts
}
