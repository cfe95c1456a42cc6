// Command pie shares medical records under the patient's control, from the user's own
// device. See `pie --help`.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger/fault"
)

// Exit codes, for scripts.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitRefused     = 3 // by policy or permission
	exitAltered     = 4 // somebody's word did not survive its check
	exitUnavailable = 5 // try again
)

func main() { os.Exit(run()) }

// run is main for tests that call the command in a process of its own.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out := &output{to: os.Stdout}
	a := &app{out: out, err: os.Stderr, begun: time.Now(), progress: progress{to: os.Stderr}, interrupted: ctx.Done()}
	err := cmp.Or(a.execute(ctx, stop), out.err())
	a.progress.stop()
	if a.cost {
		a.printCost()
	}
	if err == nil {
		return 0
	}
	for line := range strings.SplitSeq(inLocalTime(describe(err)), "\n") {
		fmt.Fprintln(os.Stderr, printable(line))
	}
	return exitCode(err)
}

// grace is how long an interrupted command has to leave things in order.
const grace = 3 * time.Second

var errInterrupted = errors.New("interrupted; the same command again goes on")

// execute runs the command until it ends, or an interruption ends it: also one that waits
// for what nobody can interrupt, such as standard input. A second one ends it at once.
func (a *app) execute(ctx context.Context, stop func()) error {
	ended := make(chan error, 1)
	go func() { ended <- a.root().ExecuteContext(ctx) }() //nolint:contextcheck // commands take it from there
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	stop()
	select {
	case err := <-ended:
		if errors.Is(err, context.Canceled) {
			return errInterrupted
		}
		return err
	case <-time.After(grace):
		return errInterrupted
	}
}

// app is what the commands share.
type app struct {
	home, gateway     string
	json, quiet, cost bool
	yes               bool // what may be a slip is meant
	passphraseFile    string
	out, err          io.Writer
	begun             time.Time
	progress          progress
	client            *client.Client  // once there is one
	interrupted       <-chan struct{} // by whoever runs the command; nil in tests
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "pie",
		Short: "Share encrypted medical records under the patient's control",
		Long: `Share encrypted medical records under the patient's control.

Keys are made and stay in the home directory. Exit codes: 0 done, 1 failed, 2 wrong
usage, 3 refused by policy or permission, 4 something was altered,
5 unavailable, try again.`,
		Example:       "  pie enroll --invitation invitation.json\n  pie whoami",
		SilenceErrors: true, SilenceUsage: true,
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.home, "home", defaultHome(), "directory of keys and certificate ($PIE_HOME)")
	flags.BoolVar(&a.json, "json", false, "print JSON instead of tables")
	flags.BoolVar(&a.quiet, "quiet", false, "print IDs alone, for scripts")
	flags.BoolVar(&a.cost, "cost", false, "say on standard error how long it took and what went over the network")
	flags.StringVar(&a.gateway, "gateway", "", "URL of the gateway of the trust bundle to ask first (default: your own hospital's)")
	flags.StringVar(&a.passphraseFile, "passphrase-file", "", "file with the passphrase of the keys (default: ask on the terminal)")
	root.SetOut(a.out)
	root.AddCommand(a.enroll(), a.whoami(), a.record(), a.stream(), a.access(), a.agent(), a.emergency(), a.summary(), a.events(), a.audit(), a.recovery())
	usage.Explain(root)
	return root
}

func defaultHome() string {
	if dir := os.Getenv("PIE_HOME"); dir != "" {
		return dir
	}
	dir, err := os.UserHomeDir()
	if err != nil {
		return ".pie"
	}
	return filepath.Join(dir, ".pie")
}

// open is the client of the home's user.
func (a *app) open() (*client.Client, error) {
	c, err := client.Open(a.home, a.passphrase)
	if err != nil {
		return nil, err
	}
	if a.gateway != "" {
		if err := c.Ask(a.gateway); err != nil {
			return nil, err
		}
	}
	c.Progress = a.progress.step
	c.Altered = func(alteration *client.AlteredError) { a.warn([]*client.AlteredError{alteration}) }
	a.client = c
	a.progress.step("asking " + c.Gateway())
	return c, nil
}

// printCost writes one line that scripts can pick out.
func (a *app) printCost() {
	var traffic client.Traffic
	if a.client != nil {
		traffic = a.client.Traffic()
	}
	_, _ = fmt.Fprintf(a.err, "cost: %.2f s, %d bytes sent, %d bytes received\n",
		time.Since(a.begun).Seconds(), traffic.Sent, traffic.Received)
}

// require marks flags that a command cannot do without.
func require(command *cobra.Command, flags ...string) {
	for _, flag := range flags {
		cobra.CheckErr(command.MarkFlagRequired(flag)) // a flag that does not exist is a mistake here
	}
}

// describe writes "code: detail".
func describe(err error) string {
	var known *fault.Error
	switch {
	case usage.Is(err):
		return "usage: " + plain(err)
	case errors.As(err, &known):
		code := string(known.Code) + ": "
		return code + strings.Replace(plain(err), code, "", 1)
	}
	return "failed: " + plain(err)
}

func exitCode(err error) int {
	if usage.Is(err) {
		return exitUsage
	}
	var alteration *client.AlteredError
	if errors.As(err, &alteration) {
		return exitAltered
	}
	switch fault.CodeOf(err) {
	case fault.InvalidArgument:
		return exitUsage
	case fault.Unauthenticated, fault.PermissionDenied, fault.PolicyDenied, fault.ConsentExpired,
		fault.ConsentRevoked, fault.PurposeNotPermitted, fault.BreakGlassRefused:
		return exitRefused
	case fault.Altered, fault.FragmentInvalid:
		return exitAltered
	case fault.ConcurrentUpdate, fault.EndorsementFailed, fault.ThresholdNotMet, fault.OrderingUnavailable,
		fault.CommitUnknown, fault.ContentUnavailable, fault.RateLimited, fault.Overloaded:
		return exitUnavailable
	}
	return exitFailed
}
