package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/network/internal/compose"
	"github.com/pie-consortium/pie/network/internal/consortium"
	"github.com/pie-consortium/pie/network/internal/manifest"
)

// containerSubnet is where containers are when nobody says otherwise.
const containerSubnet = "10.77.0.0/16"

func composeCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "compose",
		Short: "Write a compose file that runs the network in containers",
		Long:  "compose writes, to standard output, the file from which a container engine runs the\nconsortium, with the settings that up would give its nodes. Run it in the folder that\nthe file is for: the topology's path is in the file.",
		Example: "  pie-network compose > docker-compose.yaml\n" +
			"  pie-network compose --consortium network/consortium.yaml --subnet 10.20.0.0/16 > compose.yaml",
		Args: usage.Exactly(),
		RunE: does(func(command *cobra.Command, _ string, _ []string) error { return writeCompose(command) }),
	}
	command.Flags().String("consortium", filepath.Join("network", "paper.yaml"), "topology `file`")
	command.Flags().String("subnet", containerSubnet, "private `network` of the containers, a.b.0.0/16")
	return command
}

func writeCompose(command *cobra.Command) error {
	description, topology, err := described(command)
	if err != nil {
		return err
	}
	table, err := description.Plan(compose.Root)
	if err != nil {
		return err
	}
	plan := compose.Plan{Consortium: description.Consortium, Table: table, Subnet: description.Subnet, Topology: topology}
	text, err := plan.Render()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}

// described is the network of containers that the flags of a command describe, and
// their topology's path.
func described(command *cobra.Command) (description consortium.Description, topology string, err error) {
	topology, _ = command.Flags().GetString("consortium")
	if description.Consortium, err = manifest.Load(topology); err != nil {
		return description, "", err
	}
	subnet, _ := command.Flags().GetString("subnet")
	if description.Subnet, err = netip.ParsePrefix(subnet); err != nil {
		return description, "", fmt.Errorf("--subnet: %w", err)
	}
	if description.Subnet.Addr().IsLoopback() {
		return description, "", fmt.Errorf("--subnet %s: containers need a private network, such as %s", description.Subnet, containerSubnet)
	}
	return description, topology, nil
}
