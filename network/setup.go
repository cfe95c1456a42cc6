package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/network/internal/consortium"
	"github.com/pie-consortium/pie/network/internal/settings"
)

// prepareCommand and setupCommand are up in two parts, for launchers that start the
// nodes themselves in between.
func prepareCommand() *cobra.Command {
	command := &cobra.Command{
		Use:     "prepare",
		Short:   "Make keys, certificates and configuration for containers",
		Long:    "prepare makes, in the folder of the network's data, every organisation's keys and\ncertificates, each node's configuration, and the channel's first block. What is there\nalready is kept. The containers start after it.",
		Example: "  pie-network prepare --data /pie --consortium network/paper.yaml --tools /usr/local/lib/pie",
		Args:    usage.Exactly(),
		RunE:    does(prepare),
	}
	command.Flags().String("consortium", filepath.Join("network", "paper.yaml"), "topology `file`")
	command.Flags().String("subnet", containerSubnet, "private `network` of the containers, a.b.0.0/16")
	command.Flags().String("tools", "", "`folder` of configtxgen, ipfs, and Fabric's core.yaml and orderer.yaml")
	_ = command.MarkFlagRequired("tools") // there is such a flag
	return command
}

func prepare(command *cobra.Command, data string, _ []string) error {
	description, _, err := described(command)
	if err != nil {
		return err
	}
	if err := consortium.Create(data, description); err != nil {
		return err
	}
	network, err := consortium.Open(data, nil)
	if err != nil {
		return err
	}
	tools, _ := command.Flags().GetString("tools")
	return network.Prepare(command.Context(), tools, says(command))
}

func setupCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "setup",
		Short:   "Have running containers form the consortium",
		Long:    "setup has running nodes join the channel, brings the chaincode into force there, and\ndescribes the hospitals on the ledger, with the keys that prepare made. What is done\nalready is left alone.",
		Example: "  pie-network setup --data /pie",
		Args:    usage.Exactly(),
		RunE: does(func(command *cobra.Command, data string, _ []string) error {
			network, err := consortium.Open(data, nil)
			if err != nil {
				return err
			}
			return network.Bootstrap(command.Context(), says(command))
		}),
	}
}

// probeCommand is how a container looks after its health; it is not for people.
func probeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "probe", Hidden: true, Args: usage.AtLeastOne("URL"),
		RunE: does(func(command *cobra.Command, _ string, health []string) error {
			return settings.Node{Health: health}.Ready(command.Context())
		}),
	}
}

// says tells progress to whoever called the command.
func says(command *cobra.Command) func(string) {
	return func(line string) { fmt.Fprintln(command.ErrOrStderr(), line) }
}
