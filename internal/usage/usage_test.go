package usage_test

import (
	"io"
	"testing"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/internal/usage/usagetest"
)

// program is one with a flag of each kind, and every rule about them.
func program() *cobra.Command {
	root := &cobra.Command{Use: "p", SilenceErrors: true, SilenceUsage: true}
	group := &cobra.Command{Use: "letters"}
	post := &cobra.Command{Use: "post NAME", Args: usage.Exactly("NAME"), RunE: func(*cobra.Command, []string) error { return nil }}
	flags := post.Flags()
	flags.String("to", "", "whom it is for")
	flags.Int("stamps", 1, "how many")
	flags.Uint8("copies", 1, "how many")
	flags.StringSlice("words", nil, "what it says")
	flags.Bool("fast", false, "today")
	flags.Duration("within", 0, "how soon")
	flags.String("mail", "", "by mail")
	flags.String("courier", "", "by courier")
	if err := post.MarkFlagRequired("to"); err != nil {
		panic(err)
	}
	post.MarkFlagsOneRequired("mail", "courier")
	post.MarkFlagsMutuallyExclusive("mail", "courier")
	many := &cobra.Command{Use: "many", Args: usage.AtLeastOne("NAME"), Run: func(*cobra.Command, []string) {}}
	few := &cobra.Command{Use: "few", Args: usage.AtMostOne("NAME"), Run: func(*cobra.Command, []string) {}}
	group.AddCommand(post, many, few)
	root.AddCommand(group)
	usage.Explain(root)
	return root
}

func TestWrongCalls(t *testing.T) {
	const see = "; see: p letters post --help"
	for _, test := range []struct {
		call []string
		want string
	}{
		{[]string{"post", "a"}, "p letters post needs --to" + see},
		{[]string{"post", "a", "--to", "b"}, "p letters post needs --mail or --courier" + see},
		{[]string{"post", "a", "--to", "b", "--mail", "x", "--courier", "y"}, "--mail and --courier exclude each other" + see},
		{[]string{"post", "a", "--too", "b"}, "p letters post has no flag --too; did you mean --to?" + see},
		{[]string{"post", "a", "--elsewhere", "b"}, "p letters post has no flag --elsewhere" + see},
		{[]string{"post", "a", "-to"}, "p letters post has no flag -t; flags are written with two dashes" + see},
		{[]string{"post", "a", "--to"}, "--to lacks its value: whom it is for" + see},
		{[]string{"post", "a", "--stamps", "many"}, `--stamps: "many" is not what it takes: a whole number, such as 3` + see},
		{[]string{"post", "a", "--copies", "-1"}, `--copies: "-1" is not what it takes: a whole number from 0 to 255, such as 3` + see},
		{[]string{"post", "a", "--words", "\"a"}, `--words: ""a" is not what it takes: texts with commas between them` + see},
		{[]string{"post", "a", "--fast=maybe"}, `--fast: "maybe" is not what it takes: true or false, or nothing` + see},
		{[]string{"post", "a", "--within", "soon"}, `--within: "soon" is not what it takes: a span of time, such as 90s, 15m or 1h30m` + see},
		{[]string{"post", "--=x"}, "--=x is not a flag; write --name or --name=value" + see},
		{[]string{"post"}, "p letters post takes NAME" + see},
		{[]string{"many"}, "p letters many takes one NAME or more; see: p letters many --help"},
		{[]string{"few", "a", "b"}, "p letters few takes one NAME or none; see: p letters few --help"},
		{[]string{"pots"}, `p letters has no command "pots"; did you mean post?; see: p letters --help`},
	} {
		root := program()
		root.SetArgs(append([]string{"letters"}, test.call...))
		err := root.Execute()
		if err == nil || err.Error() != test.want || !usage.Is(err) {
			t.Errorf("%q: got %v, want %s", test.call, err, test.want)
		}
	}
}

func TestRightCalls(t *testing.T) {
	for _, call := range [][]string{
		{"letters", "post", "a", "--to", "b", "--mail", "x", "--fast"}, {"letters", "many", "a", "b"}, {"letters", "few"}, {"letters"}, nil,
	} {
		root := program()
		root.SetArgs(append([]string{}, call...))
		root.SetOut(io.Discard)
		if err := root.Execute(); err != nil {
			t.Errorf("%q: %v", call, err)
		}
	}
}

func TestNoWordsOfOthers(t *testing.T) { usagetest.Try(t, program) }
