package main

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/network/internal/consortium"
	"github.com/pie-consortium/pie/network/internal/control"
	"github.com/pie-consortium/pie/network/internal/process"
)

// superviseCommand is what up leaves in the background; it is not for people.
func superviseCommand() *cobra.Command {
	return &cobra.Command{Use: "supervise", Hidden: true, Args: usage.Exactly(), RunE: does(supervise)}
}

func supervise(command *cobra.Command, data string, _ []string) error {
	ctx := command.Context()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	var nodes *process.Supervisor
	nodes = process.NewSupervisor(func(changed process.Status) {
		if changed.State == process.Died {
			log.ErrorContext(ctx, "node died", "node", changed.Name, "exit", changed.Exit, "log", changed.Log)
		}
		if err := control.WriteRecord(data, nodes.Status()); err != nil {
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
		Close: func() error {
			err := nodes.Close(context.WithoutCancel(ctx))
			log.InfoContext(ctx, "supervisor ends")
			return errors.Join(err, control.Forget(data))
		},
	})
}
