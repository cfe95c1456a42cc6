// Package consortium brings a whole network up on one data directory: keys, first
// block, processes, channel, chaincode. Every step looks first whether it was done.
package consortium

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"

	"github.com/goccy/go-yaml"

	"github.com/pie-consortium/pie/network/internal/lifecycle"
	"github.com/pie-consortium/pie/network/internal/manifest"
	"github.com/pie-consortium/pie/network/internal/process"
	"github.com/pie-consortium/pie/network/internal/settings"
	"github.com/pie-consortium/pie/network/internal/toolchain"
)

// descriptionName is the file of a data directory that says what network is in it.
const descriptionName = "network.yaml"

// format numbers what nodes need in a data directory and older versions did not make, such
// as keys, or rules in the channel's first block.
const format = 2

// Description is what a data directory keeps of the network in it.
type Description struct {
	// Format is what format was when the network was made; [Create] fills it in.
	Format int `yaml:"format"`
	// Subnet is the loopback network of processes, 127.x.y.0/24, or the private network
	// of containers, a.b.0.0/16.
	Subnet netip.Prefix `yaml:"subnet"`
	// Consortium is the topology the network was made with.
	Consortium manifest.Consortium `yaml:"consortium"`
}

// ErrEmpty says that a data directory holds no network.
var ErrEmpty = errors.New("there is no network here")

// Read reads which network data holds; [ErrEmpty] when none.
func Read(data string) (Description, error) {
	text, err := os.ReadFile(filepath.Join(data, descriptionName))
	if errors.Is(err, fs.ErrNotExist) {
		return Description{}, fmt.Errorf("%w (%s): start one with `pie-network up`", ErrEmpty, data)
	}
	if err != nil {
		return Description{}, err
	}
	description, err := parse(text)
	if err != nil {
		return Description{}, fmt.Errorf("%s: %w", filepath.Join(data, descriptionName), err)
	}
	return description, nil
}

// parse reads a description as strictly as a topology: what is in it names folders.
func parse(text []byte) (Description, error) {
	var description Description
	if err := yaml.UnmarshalWithOptions(text, &description, yaml.Strict()); err != nil {
		return Description{}, err
	}
	return description, description.Consortium.Validate()
}

// Create notes in data which network is to be there. Data that hold another one are
// left as they are, and an error.
func Create(data string, description Description) error {
	if _, err := settings.NewPlacement(description.Consortium, description.Subnet, data); err != nil {
		return err
	}
	description.Format = format
	old, err := Read(data)
	if err == nil {
		if old.Format != format {
			return fmt.Errorf("%s holds a network that another version of PIE made, with keys and rules that this one's nodes cannot work with; nothing was changed: go on with that version, or delete the network with `pie-network down --purge` (in containers, `docker compose down --volumes`) and start a new one", data)
		}
		if !reflect.DeepEqual(old, description) {
			return fmt.Errorf("%s holds a network of another topology or subnet: name another folder with --data, or delete that network with `pie-network down --purge`", data)
		}
		return nil
	}
	if !errors.Is(err, ErrEmpty) {
		return err
	}
	text, err := yaml.Marshal(description)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(data, descriptionName), text, 0o600)
}

// Network is the network in one data directory.
type Network struct {
	Description
	Table *settings.Table
	// Wrapper is, by MSP, a command that runs the command behind it, such as nsenter;
	// an organisation without one runs its nodes as they are.
	Wrapper map[string][]string

	data  string
	pack  lifecycle.Package
	nodes *process.Supervisor
}

// Open describes the network in data, an absolute path, run by the supervisor.
func Open(data string, nodes *process.Supervisor) (*Network, error) {
	description, err := Read(data)
	if err != nil {
		return nil, err
	}
	table, pack, err := description.table(data)
	if err != nil {
		return nil, err
	}
	return &Network{Description: description, Table: table, data: data, pack: pack, nodes: nodes}, nil
}

// Plan is the table of the network that would be in data, an absolute path.
func (d Description) Plan(data string) (*settings.Table, error) {
	table, _, err := d.table(data)
	return table, err
}

func (d Description) table(data string) (*settings.Table, lifecycle.Package, error) {
	placement, err := settings.NewPlacement(d.Consortium, d.Subnet, data)
	if err != nil {
		return nil, lifecycle.Package{}, err
	}
	pack, err := lifecycle.NewPackage(d.Consortium.Chaincode)
	if err != nil {
		return nil, lifecycle.Package{}, fmt.Errorf("package the chaincode: %w", err)
	}
	return settings.New(d.Consortium, placement, pack.ID), pack, nil
}

// Build makes sure that every program of the network is there. The product's own are
// built anew, from the checkout around the working directory.
func (n *Network) Build(ctx context.Context, progress io.Writer) error {
	source, err := toolchain.Source(ctx)
	if err != nil {
		return err
	}
	tools, err := toolchain.Tools(ctx, source, progress)
	if err != nil {
		return err
	}
	if err := relink(tools, n.tools()); err != nil {
		return err
	}
	products := []string{"pie-chaincode"}
	if len(n.Table.Of(settings.Gateway, "")) > 0 {
		products = append(products, "pie-gateway")
	}
	return toolchain.Products(ctx, source, n.Table.Programs(), progress, products...)
}

// relink makes link a symbolic link to target.
func relink(target, link string) error {
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(target, link)
}

// tools leads to the programs of others, so that whoever runs the network later
// needs no toolchain.
func (n *Network) tools() string { return filepath.Join(n.data, "tools") }

// block is the file of the channel's first block.
func (n *Network) block() string { return filepath.Join(n.data, "channel", "genesis.block") }

// program is the path of a program of the network, by its name.
func (n *Network) program(name string) string {
	if own := filepath.Join(n.Table.Programs(), name); exists(own) {
		return own
	}
	return filepath.Join(n.tools(), name)
}

// Log is the file that a node writes its log to.
func (n *Network) Log(node string) string { return filepath.Join(n.data, "logs", node+".log") }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
