package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/network/internal/toolchain"
)

func toolsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "tools",
		Short:   "Build Fabric, Fabric CA and Kubo, and say where they are",
		Long:    "tools builds the programs of others that a network consists of, unless that was done\nbefore, and prints the folder that holds them. up does so too.",
		Example: "  pie-network tools",
		Args:    usage.Exactly(),
		RunE: does(func(command *cobra.Command, _ string, _ []string) error {
			source, err := toolchain.Source(command.Context())
			if err != nil {
				return err
			}
			tools, err := toolchain.Tools(command.Context(), source, command.ErrOrStderr())
			if err != nil {
				return err
			}
			fmt.Fprintln(command.OutOrStdout(), tools)
			return nil
		}),
	}
}
