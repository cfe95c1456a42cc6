// Package usage says in plain words how a command was called wrongly, whatever Cobra and
// the standard library call it.
package usage

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Error is a command that was called wrongly.
type Error struct{ error }

// Unwrap gives what it says.
func (e Error) Unwrap() error { return e.error }

// Errorf is [fmt.Errorf] for a command that was called wrongly.
func Errorf(format string, arguments ...any) error { return Error{fmt.Errorf(format, arguments...)} }

// Is reports whether a command was called wrongly.
func Is(err error) bool {
	var wrong Error
	return errors.As(err, &wrong)
}

// Explain has the command and those below it answer a wrong call in this package's words.
// Groups of commands print their help when they are called alone.
func Explain(root *cobra.Command) {
	root.SetFlagErrorFunc(flagError)
	root.PersistentPreRunE = func(command *cobra.Command, _ []string) error { return complete(command) }
	explain(root)
}

func explain(command *cobra.Command) {
	for _, below := range command.Commands() {
		explain(below)
	}
	if !command.Runnable() {
		explainGroup(command)
	}
}

func explainGroup(group *cobra.Command) {
	group.Args = cobra.ArbitraryArgs
	group.RunE = func(group *cobra.Command, arguments []string) error {
		if len(arguments) == 0 {
			return group.Help()
		}
		return wrong(group, "%s has no command %q%s", group.CommandPath(), arguments[0], suggest(near(group, arguments[0])))
	}
}

// wrong says what is wrong, and where the right way stands.
func wrong(command *cobra.Command, format string, arguments ...any) error {
	return Errorf(format+"; see: %s --help", append(arguments, command.CommandPath())...)
}

// near names the commands that a mistyped one may stand for.
func near(group *cobra.Command, mistyped string) []string {
	group.SuggestionsMinimumDistance = 2
	return group.SuggestionsFor(mistyped)
}

func suggest(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(names, " or ") + "?"
}
