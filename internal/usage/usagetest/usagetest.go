// Package usagetest calls a program's commands wrongly in every way there is, and wants
// each to be answered in the program's own words.
package usagetest

import (
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pie-consortium/pie/internal/usage"
)

// foreign is what Cobra, pflag and the standard library say of wrong calls.
var foreign = regexp.MustCompile(`strconv|parsing|pflag|cobra|unknown (flag|command)|invalid (argument|syntax)|arg\(s\)|needs an argument|in the group|required flag|shorthand|bad flag|time: `)

// Try calls every command below the root that newRoot makes anew for each call.
func Try(t *testing.T, newRoot func() *cobra.Command) {
	for path, command := range commands(newRoot()) {
		calls := [][]string{{"--bogus"}, {"-Z"}, {"--=x"}, slices.Repeat([]string{"x"}, 100)}
		command.Flags().VisitAll(func(flag *pflag.Flag) {
			if flag.NoOptDefVal == "" {
				calls = append(calls, []string{"--" + flag.Name})
			}
			if kind := flag.Value.Type(); kind != "string" && kind != "stringArray" { // which take any text
				calls = append(calls, []string{"--" + flag.Name + "=\"x"})
			}
		})
		for _, call := range calls {
			try(t, newRoot(), slices.Concat(strings.Fields(path)[1:], call))
		}
	}
}

func commands(root *cobra.Command) map[string]*cobra.Command {
	all := map[string]*cobra.Command{root.CommandPath(): root}
	for _, command := range root.Commands() {
		if command.Name() == "help" || command.Hidden {
			continue
		}
		for path, below := range commands(command) {
			all[path] = below
		}
	}
	return all
}

func try(t *testing.T, root *cobra.Command, call []string) {
	t.Helper()
	root.SetArgs(call)
	root.SetOut(io.Discard)
	root.SetErr(io.Discard)
	err := root.Execute()
	if many := len(call) > 90; many && !usage.Is(err) {
		return // it takes as many as one likes
	}
	if !usage.Is(err) || foreign.MatchString(err.Error()) {
		t.Errorf("%.60q is answered with: %v", call, err)
	}
}
