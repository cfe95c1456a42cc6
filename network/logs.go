package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/network/internal/consortium"
	"github.com/pie-consortium/pie/network/internal/control"
)

func logsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "logs [node]",
		Short:   "Write out a node's log, or say where the logs are",
		Example: "  pie-network logs\n  pie-network logs peer0.hospital-a | tail",
		Args:    usage.AtMostOne("NODE"),
		RunE:    does(logs),
	}
}

func logs(command *cobra.Command, data string, args []string) error {
	network, err := consortium.Open(data, nil)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		fmt.Fprintf(command.OutOrStdout(), "%-24s %s\n", "supervisor", control.LogPath(data))
		for _, node := range network.Table.Nodes {
			fmt.Fprintf(command.OutOrStdout(), "%-24s %s\n", node.Name, network.Log(node.Name))
		}
		return nil
	}
	if _, err := network.Table.Node(args[0]); err != nil {
		return fmt.Errorf("%w: `pie-network logs` lists the nodes", err)
	}
	log, err := os.Open(network.Log(args[0]))
	if err != nil {
		return fmt.Errorf("%s has not run yet: %w", args[0], err)
	}
	defer log.Close()
	_, err = io.Copy(command.OutOrStdout(), log)
	return err
}
