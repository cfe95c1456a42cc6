package usage

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagError says what is wrong with a flag that could not be read.
func flagError(command *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		alone   *pflag.ValueRequiredError
		value   *pflag.InvalidValueError
		syntax  *pflag.InvalidSyntaxError
	)
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return wrong(command, "%s has no flag -%s; flags are written with two dashes", command.CommandPath(), unknown.GetSpecifiedName())
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		return wrong(command, "%s has no flag --%s%s", command.CommandPath(), name, suggest(nearFlags(command, name)))
	case errors.As(err, &alone):
		return wrong(command, "--%s lacks its value: %s", alone.GetFlag().Name, alone.GetFlag().Usage)
	case errors.As(err, &value):
		return wrong(command, "--%s: %s", value.GetFlag().Name, refusal(value))
	case errors.As(err, &syntax):
		return wrong(command, "%s is not a flag; write --name or --name=value", syntax.GetSpecifiedFlag())
	}
	return Error{err}
}

// allowed is what may be written for values of the types that Go reads. Other types say it
// themselves.
var allowed = map[string]string{
	"bool":        "true or false, or nothing",
	"int":         "a whole number, such as 3",
	"uint8":       "a whole number from 0 to 255, such as 3",
	"duration":    "a span of time, such as 90s, 15m or 1h30m",
	"stringSlice": "texts with commas between them",
}

func refusal(value *pflag.InvalidValueError) string {
	what, known := allowed[value.GetFlag().Value.Type()]
	if !known {
		return value.Unwrap().Error()
	}
	return "\"" + value.GetValue() + "\" is not what it takes: " + what
}

// nearFlags names the flags that a mistyped one may stand for.
func nearFlags(command *cobra.Command, mistyped string) []string {
	all := new(cobra.Command) // which knows what is near
	command.Flags().VisitAll(func(flag *pflag.Flag) {
		if !flag.Hidden {
			all.AddCommand(&cobra.Command{Use: flag.Name, Run: func(*cobra.Command, []string) {}})
		}
	})
	var names []string
	for _, name := range near(all, mistyped) {
		names = append(names, "--"+name)
	}
	return names
}

// The annotations under which Cobra keeps groups of flags: their names with blanks between.
const (
	oneOf   = "cobra_annotation_one_required"
	notBoth = "cobra_annotation_mutually_exclusive"
)

// complete wants the flags that the command cannot do without, one of each group of which
// one is needed, and no two that exclude each other.
func complete(command *cobra.Command) error {
	var missing []string
	groups := map[string][]string{}
	command.Flags().VisitAll(func(flag *pflag.Flag) {
		if needed := flag.Annotations[cobra.BashCompOneRequiredFlag]; slices.Contains(needed, "true") && !flag.Changed {
			missing = append(missing, "--"+flag.Name)
		}
		for _, kind := range []string{oneOf, notBoth} {
			for _, group := range flag.Annotations[kind] {
				if !slices.Contains(groups[kind], group) {
					groups[kind] = append(groups[kind], group)
				}
			}
		}
	})
	if len(missing) > 0 {
		return wrong(command, "%s needs %s", command.CommandPath(), strings.Join(missing, " and "))
	}
	for _, group := range groups[oneOf] {
		if len(given(command, group)) == 0 {
			return wrong(command, "%s needs %s", command.CommandPath(), strings.Join(dashed(strings.Fields(group)), " or "))
		}
	}
	for _, group := range groups[notBoth] {
		if both := given(command, group); len(both) > 1 {
			return wrong(command, "%s exclude each other", strings.Join(both, " and "))
		}
	}
	return nil
}

// given are the flags of a group that were given.
func given(command *cobra.Command, group string) []string {
	return dashed(slices.DeleteFunc(strings.Fields(group), func(name string) bool { return !command.Flags().Changed(name) }))
}

func dashed(names []string) []string {
	var written []string
	for _, name := range names {
		written = append(written, "--"+name)
	}
	return written
}
