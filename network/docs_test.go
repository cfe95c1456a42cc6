package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// called are calls of pie-network, as a program, from its source and in a container.
var called = regexp.MustCompile("(?:pie-network|go run \\./network|docker compose run [^`\\n]*? setup) ([a-z][^`#)|>&;\\n]*)")

// What the pages tell people to type, the program takes: its commands and their flags.
func TestPagesTellCommandsThatExist(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join("..", "docs", "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	found := 0
	for _, page := range append(pages, filepath.Join("..", "README.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range called.FindAllStringSubmatch(string(text), -1) {
			found++
			command, rest, err := root().Find(strings.Fields(match[1]))
			if err == nil {
				err = command.ParseFlags(rest)
			}
			if err != nil {
				t.Errorf("%s: pie-network %s: %v", page, match[1], err)
			}
		}
	}
	if found == 0 {
		t.Error("the pages have no commands")
	}
}
