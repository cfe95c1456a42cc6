package main

import (
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
	commandsBlock = regexp.MustCompile("(?s)```(?:sh)?\n(.*?)```")
	inlineCode    = regexp.MustCompile("`(pie [^`]*)`")
	called        = regexp.MustCompile(`(?m)(?:^|[\s(&=])pie ([^#)|>&;\n]*)`)
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

// commandsIn are a page's calls of pie, in blocks and in sentences.
func commandsIn(page string) []string {
	var commands []string
	for _, block := range commandsBlock.FindAllStringSubmatch(page, -1) {
		for _, match := range called.FindAllStringSubmatch(block[1], -1) {
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
