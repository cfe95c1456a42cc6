package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/network/internal/consortium"
	"github.com/pie-consortium/pie/network/internal/control"
	"github.com/pie-consortium/pie/network/internal/manifest"
	"github.com/pie-consortium/pie/network/internal/process"
	"github.com/pie-consortium/pie/network/internal/settings"
	"github.com/pie-consortium/pie/network/internal/toolchain"
)

const (
	// defaultSubnet is where the nodes listen when nobody says otherwise.
	defaultSubnet = "127.77.0.0/24"
	// supervisorTimeout bounds the start of the background process.
	supervisorTimeout = 10 * time.Second
	// pollInterval is how often to look whether it answers.
	pollInterval = 50 * time.Millisecond
	// logTail is how many lines of its log an error quotes.
	logTail = 15
)

func upCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "up",
		Short: "Start the network, or what of it does not run",
		Long:  "up builds what is not built, starts every node that does not run, and returns when\nthe whole network works. A process in the background then owns the nodes. A network\nthat was stopped goes on with its data.",
		Example: "  pie-network up\n" +
			"  pie-network up --data .pie/paper --consortium network/paper.yaml --subnet 127.78.0.0/24",
		Args: usage.Exactly(),
		RunE: does(up),
	}
	command.Flags().String("consortium", "", "topology `file` of a new network (default network/consortium.yaml)")
	command.Flags().String("subnet", "", "loopback `network` of a new network's nodes (default "+defaultSubnet+")")
	return command
}

func up(command *cobra.Command, data string, _ []string) error {
	ctx := command.Context()
	progress := says(command)
	description, err := describe(command, data)
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
	client := control.NewClient(data)
	_, err = client.Nodes(ctx)
	fresh := errors.Is(err, control.ErrNotRunning)
	if fresh {
		err = launch(ctx, data, network, command.ErrOrStderr())
	}
	if err != nil {
		return err
	}
	if err := client.Up(ctx, progress); err != nil {
		if fresh {
			progress("the start failed: stopping what was started")
			// The user may have interrupted; the nodes have to go all the same.
			err = errors.Join(err, stop(context.WithoutCancel(ctx), data))
		}
		return err
	}
	for _, gateway := range network.Table.Of(settings.Gateway, "") {
		fmt.Fprintf(command.OutOrStdout(), "%-12s %s\n", gateway.MSP, gateway.GatewayURL())
	}
	progress("the network is up; `pie-network status` shows its nodes, `pie-network down` stops them")
	return nil
}

// describe is the network that the flags ask for, in all they leave open the one that
// is in data already.
func describe(command *cobra.Command, data string) (consortium.Description, error) {
	description, err := consortium.Read(data)
	found := err == nil
	if err != nil && !errors.Is(err, consortium.ErrEmpty) {
		return description, err
	}
	topology, _ := command.Flags().GetString("consortium")
	subnet, _ := command.Flags().GetString("subnet")
	if topology == "" && !found {
		source, err := toolchain.Source(command.Context())
		if err != nil {
			return description, err
		}
		topology = filepath.Join(source, "network", "consortium.yaml")
	}
	if topology != "" {
		if description.Consortium, err = manifest.Load(topology); err != nil {
			return description, err
		}
	}
	if subnet == "" && !found {
		subnet = defaultSubnet
	}
	if subnet != "" {
		if description.Subnet, err = netip.ParsePrefix(subnet); err != nil {
			return description, fmt.Errorf("--subnet: %w", err)
		}
	}
	if !description.Subnet.Addr().IsLoopback() {
		return description, fmt.Errorf("%s is not a loopback network: processes of this machine need one, such as %s", description.Subnet, defaultSubnet)
	}
	return description, nil
}

// launch builds what the network needs and starts the process that will own its nodes.
func launch(ctx context.Context, data string, network *consortium.Network, progress io.Writer) error {
	waiting, cancel := context.WithTimeout(ctx, supervisorTimeout)
	defer cancel()
	if err := control.AwaitGone(waiting, data); err != nil {
		return err
	}
	if err := network.Build(ctx, progress); err != nil {
		return err
	}
	ended, err := spawn(context.WithoutCancel(ctx), data)
	if err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	return awaitSupervisor(ctx, data, ended)
}

// spawn starts this program as the supervisor, in a session of its own.
func spawn(ctx context.Context, data string) (ended <-chan error, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(control.LogPath(data)), 0o700); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(control.LogPath(data), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command := exec.CommandContext(ctx, self, "supervise", "--data", data)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return nil, err
	}
	result := make(chan error, 1)
	go func() { result <- command.Wait() }()
	return result, nil
}

func awaitSupervisor(ctx context.Context, data string, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, supervisorTimeout)
	defer cancel()
	client := control.NewClient(data)
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		_, err := client.Nodes(ctx)
		if err == nil {
			return nil
		}
		select {
		case err = <-ended:
			return fmt.Errorf("the supervisor ended (%w); its log %s ends with:\n%s", err, control.LogPath(data), process.Tail(control.LogPath(data), logTail))
		case <-ctx.Done():
			return fmt.Errorf("the supervisor does not answer: %w; its log is %s", err, control.LogPath(data))
		case <-ticker.C:
		}
	}
}
