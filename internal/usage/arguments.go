package usage

import (
	"strings"

	"github.com/spf13/cobra"
)

// Exactly wants these positional arguments, named as in the usage line.
func Exactly(names ...string) cobra.PositionalArgs {
	what := "no arguments"
	if len(names) > 0 {
		what = strings.Join(names, " and ")
	}
	return between(len(names), len(names), what)
}

// AtLeastOne wants one positional argument of the name or more.
func AtLeastOne(name string) cobra.PositionalArgs { return between(1, -1, "one "+name+" or more") }

// AtMostOne wants one positional argument of the name, or none.
func AtMostOne(name string) cobra.PositionalArgs { return between(0, 1, "one "+name+" or none") }

func between(least, most int, what string) cobra.PositionalArgs {
	return func(command *cobra.Command, arguments []string) error {
		if n := len(arguments); n >= least && (n <= most || most < 0) {
			return nil
		}
		return wrong(command, "%s takes %s", command.CommandPath(), what)
	}
}
