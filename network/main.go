// Command pie-network runs a consortium on this machine: real Fabric, Fabric CA and
// Kubo nodes, chaincode and gateways, as processes on loopback.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/internal/usage"
)

// Exit codes: a command that failed, and one that was called wrongly.
const (
	exitFailure = 1
	exitUsage   = 2
)

// failure marks the errors of a command that was called rightly.
type failure struct{ error }

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := root().ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "pie-network:", err)
	if failed := (failure{}); errors.As(err, &failed) {
		return exitFailure
	}
	return exitUsage
}

func root() *cobra.Command {
	command := &cobra.Command{
		Use:           "pie-network",
		Short:         "Run a consortium of hospitals on this machine",
		Long:          "pie-network runs a consortium on this machine: ordering nodes, and for each hospital\na Fabric CA, peers, the chaincode, a Kubo node and a gateway, all of them real, as\nprocesses on loopback.",
		Example:       "  pie-network up\n  pie-network status\n  pie-network down --purge",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	command.CompletionOptions.DisableDefaultCmd = true
	command.PersistentFlags().String("data", filepath.Join(".pie", "network"), "`folder` of the network's keys, ledgers and logs")
	command.AddCommand(upCommand(), downCommand(), statusCommand(), logsCommand(), inviteCommand(), revokeCommand(), respondersCommand(), superviseCommand(),
		composeCommand(), prepareCommand(), setupCommand(), probeCommand(), toolsCommand())
	usage.Explain(command)
	return command
}

// does wraps what a command does, so that its errors count as failures.
func does(run func(command *cobra.Command, data string, args []string) error) func(*cobra.Command, []string) error {
	return func(command *cobra.Command, args []string) error {
		name, err := command.Flags().GetString("data")
		if err != nil {
			return err
		}
		data, err := filepath.Abs(name)
		if err != nil {
			return failure{err}
		}
		if err := run(command, data, args); err != nil {
			return failure{err}
		}
		return nil
	}
}
