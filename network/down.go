package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/network/internal/consortium"
	"github.com/pie-consortium/pie/network/internal/control"
)

// stopTimeout bounds an orderly end of all nodes.
const stopTimeout = 30 * time.Second

func downCommand() *cobra.Command {
	command := &cobra.Command{
		Use:     "down",
		Short:   "Stop the network",
		Long:    "down stops every node. Keys, ledgers and content stay, and up goes on with them,\nunless --purge is given.",
		Example: "  pie-network down\n  pie-network down --purge",
		Args:    usage.Exactly(),
		RunE:    does(down),
	}
	command.Flags().Bool("purge", false, "delete the network's data as well: keys, ledgers, content, logs")
	return command
}

func down(command *cobra.Command, data string, _ []string) error {
	switch err := stop(command.Context(), data); {
	case errors.Is(err, control.ErrNotRunning):
		fmt.Fprintln(command.ErrOrStderr(), "the network was down already")
	case err != nil:
		return err
	default:
		fmt.Fprintln(command.ErrOrStderr(), "the network is down")
	}
	purge, _ := command.Flags().GetBool("purge")
	if !purge {
		return nil
	}
	// Whatever else --data may name by mistake is not deleted.
	if _, err := consortium.Read(data); err != nil {
		return fmt.Errorf("nothing to delete: %w", err)
	}
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	fmt.Fprintln(command.ErrOrStderr(), "deleted", data)
	return nil
}

// stop ends the supervisor in data with its nodes and waits until it is gone.
func stop(ctx context.Context, data string) error {
	if err := control.NewClient(data).Down(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	return control.AwaitGone(ctx, data)
}
