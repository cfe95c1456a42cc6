package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/network/internal/consortium"
	"github.com/pie-consortium/pie/network/internal/control"
	"github.com/pie-consortium/pie/network/internal/process"
)

// superviseCommand is what up leaves in the background; it is not for people.
func superviseCommand() *cobra.Command {
	return &cobra.Command{Use: "supervise", Hidden: true, Args: cobra.NoArgs, RunE: does(supervise)}
}

func supervise(command *cobra.Command, data string, _ []string) error {
	ctx := command.Context()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	nodes := process.NewSupervisor(func(statuses []process.Status) {
		note(ctx, log, statuses)
		if err := control.WriteRecord(data, statuses); err != nil {
			log.WarnContext(ctx, "could not write the record of the nodes", "error", err)
		}
	})
	network, err := consortium.Open(data, nodes)
	if err != nil {
		return err
	}
	log.InfoContext(ctx, "supervisor started", "pid", os.Getpid())
	return control.Serve(ctx, data, control.Owner{
		Up:     network.Up,
		Status: nodes.Status,
		Close: func() {
			nodes.Close(context.WithoutCancel(ctx))
			if err := control.Forget(data); err != nil {
				log.WarnContext(ctx, "could not remove the record of the nodes", "error", err)
			}
			log.InfoContext(ctx, "supervisor ended")
		},
	})
}

// note logs the deaths among the nodes' states.
func note(ctx context.Context, log *slog.Logger, statuses []process.Status) {
	for _, status := range statuses {
		if status.State == process.Died {
			log.ErrorContext(ctx, "node died", "node", status.Name, "at", status.Since, "exit", status.Exit, "log", status.Log)
		}
	}
}
