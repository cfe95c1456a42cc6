package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/network/internal/consortium"
	"github.com/pie-consortium/pie/network/internal/control"
	"github.com/pie-consortium/pie/network/internal/process"
	"github.com/pie-consortium/pie/network/internal/settings"
)

func statusCommand() *cobra.Command {
	command := &cobra.Command{
		Use:     "status",
		Short:   "Show every node, and which ones are not all right",
		Long:    "status shows every node: where it is, since when it runs, or when and how it died.\nThe exit code is 1 unless every node runs and is ready.",
		Example: "  pie-network status\n  pie-network status --json",
		Args:    usage.Exactly(),
		RunE:    does(status),
	}
	command.Flags().Bool("json", false, "write JSON")
	return command
}

// row is what status says of one node.
type row struct {
	Name         string        `json:"name"`
	Kind         settings.Kind `json:"kind"`
	Organization string        `json:"organization"`
	Address      string        `json:"address"`
	// State is ready, or what is wrong: not ready, paused, stopped, died, down.
	State string    `json:"state"`
	PID   int       `json:"pid,omitempty"`
	Since time.Time `json:"since,omitzero"`
	// Detail says how it died or why it is not ready.
	Detail string `json:"detail,omitempty"`
	Log    string `json:"log"`
}

const ready = "ready"

func status(command *cobra.Command, data string, _ []string) error {
	network, err := consortium.Open(data, nil)
	if err != nil {
		return err
	}
	known, supervised, err := nodes(command.Context(), data)
	if err != nil {
		return err
	}
	rows := look(command.Context(), network, known, supervised)
	if asJSON, _ := command.Flags().GetBool("json"); asJSON {
		encoder := json.NewEncoder(command.OutOrStdout())
		encoder.SetIndent("", "  ")
		err = encoder.Encode(rows)
	} else {
		err = table(command.OutOrStdout(), rows)
	}
	if err != nil {
		return err
	}
	return verdict(rows, len(known) > 0, supervised, data)
}

// nodes asks the supervisor; when there is none, the record of one that did not end
// in order tells what there was.
func nodes(ctx context.Context, data string) (known map[string]process.Status, supervised bool, err error) {
	record, err := control.NewClient(data).Nodes(ctx)
	supervised = err == nil
	if errors.Is(err, control.ErrNotRunning) {
		record, err = control.ReadRecord(data)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	known = map[string]process.Status{}
	for _, node := range record.Nodes {
		known[node.Name] = node
	}
	return known, supervised, err
}

// look asks every running node whether it is ready, all at the same time.
func look(ctx context.Context, network *consortium.Network, known map[string]process.Status, supervised bool) []row {
	rows := make([]row, len(network.Table.Nodes))
	var looking sync.WaitGroup
	for i, node := range network.Table.Nodes {
		looking.Go(func() {
			seen, found := known[node.Name]
			r := row{
				Name: node.Name, Kind: node.Kind, Organization: node.MSP, Address: node.Endpoint(),
				State: string(seen.State), PID: seen.PID, Since: seen.Since, Detail: seen.Exit, Log: network.Log(node.Name),
			}
			switch {
			case !found:
				r.State = "down"
			case !supervised && seen.State == process.Running:
				r.State, r.PID, r.Detail = string(process.Died), 0, "with the supervisor"
			case seen.State == process.Running:
				r.State = ready
				if err := node.Ready(ctx); err != nil {
					r.State, r.Detail = "not ready", err.Error()
				}
			}
			rows[i] = r
		})
	}
	looking.Wait()
	return rows
}

func table(w io.Writer, rows []row) error {
	writer := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(writer, "NODE\tORGANISATION\tADDRESS\tPID\tSTATE\tSINCE\tLOG")
	for _, r := range rows {
		pid, since := "-", "-"
		if r.PID != 0 {
			pid = fmt.Sprint(r.PID)
		}
		if !r.Since.IsZero() {
			since = r.Since.Local().Format(time.DateTime)
		}
		fmt.Fprintf(writer, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, r.Organization, r.Address, pid, r.State, since, r.Log)
	}
	if err := writer.Flush(); err != nil {
		return err
	}
	for _, r := range rows {
		if r.Detail != "" {
			fmt.Fprintf(w, "\n%s %s: %s\n", r.Name, r.State, r.Detail)
		}
	}
	return nil
}

// verdict is nil when every node is ready, and else says what to do.
func verdict(rows []row, known, supervised bool, data string) error {
	bad := 0
	for _, r := range rows {
		if r.State != ready {
			bad++
		}
	}
	switch {
	case bad == 0:
		return nil
	case !supervised && known:
		return fmt.Errorf("the supervisor died, and all nodes with it (its log: %s): `pie-network up` starts them again", control.LogPath(data))
	case !supervised:
		return errors.New("the network is down: `pie-network up` starts it")
	default:
		return fmt.Errorf("%d of %d nodes are not ready: `pie-network up` starts those that do not run, `pie-network logs NODE` shows why", bad, len(rows))
	}
}
