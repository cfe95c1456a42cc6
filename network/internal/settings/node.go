// Package settings is the one table of what every node of a consortium is told:
// its command, its environment, its configuration. Whatever launches nodes renders
// this table and adds nothing.
package settings

import (
	"cmp"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/pie-consortium/pie/network/internal/manifest"
)

// Kind is what a node does.
type Kind string

// The kinds of node, in the order in which status lists them.
const (
	Orderer   Kind = "orderer"
	CA        Kind = "ca"
	Database  Kind = "database"
	Peer      Kind = "peer"
	Chaincode Kind = "chaincode"
	IPFS      Kind = "ipfs"
	Gateway   Kind = "gateway"
)

// Ports on which each kind of node listens, at its own address.
const (
	ordererPort      = 7050
	ordererAdminPort = 7053
	peerPort         = 7051
	peerServicePort  = 7052
	caPort           = 7054
	databasePort     = 5984
	chaincodePort    = 9999
	ipfsSwarmPort    = 4001
	ipfsAPIPort      = 5001
	gatewayPort      = 8443
	operationsPort   = 9443
)

// Node is one process.
type Node struct {
	// Name is the node's host.
	Name string
	Kind Kind
	MSP  string
	// Place is where the node is.
	Place Place
	// Ports are all ports the node listens on, the one that clients use first.
	Ports []int
	// Dir is the node's own folder: keys, configuration, state.
	Dir string
	// Needs names the nodes without which this one does not become ready.
	Needs []string
	// Reads are folders beside Dir that the node reads.
	Reads []string
	// Command is the program and its arguments.
	Command []string
	// Environment is all that the process gets beside PATH and HOME.
	Environment map[string]string
	// Health all answer when the node is ready: URLs of scheme http (GET), post
	// (POST over HTTP) or tcp (accepts a connection).
	Health []string
	// Configuration are the files to write into Dir before a start, by name.
	Configuration map[string]any
	// Core are changes, by path, to Fabric's core.yaml: what a peer's environment can
	// not say, or must not.
	Core map[string]any
}

// Endpoint is the address that clients use, host and port.
func (n Node) Endpoint() string { return n.at(n.Ports[0]) }

// at is the node's own port, as other nodes reach it.
func (n Node) at(port int) string { return join(n.Place.Name, port) }

// listen is where the node opens a port for everybody.
func (n Node) listen(port int) string { return join(n.Place.Listen.String(), port) }

// private is where the node opens a port for its own organisation.
func (n Node) private(port int) string { return join(n.Place.Private.String(), port) }

func join(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// State is the one folder that the node's process writes to.
func (n Node) State() string { return n.file("state") }

// file is a path inside the node's folder.
func (n Node) file(parts ...string) string {
	return filepath.Join(append([]string{n.Dir}, parts...)...)
}

// Table is every node of a consortium.
type Table struct {
	consortium manifest.Consortium
	placement  Placement
	// packageID is what the chaincode answers to.
	packageID string
	// Nodes in the manifest's order.
	Nodes []Node
}

// New makes the table for a consortium that is placed so, and whose peers know the
// chaincode by this package identifier.
func New(consortium manifest.Consortium, placement Placement, packageID string) *Table {
	table := &Table{consortium: consortium, placement: placement, packageID: packageID}
	for _, organization := range consortium.Organizations {
		table.add(organization.MSP, Orderer, organization.Orderer, table.orderer)
		table.add(organization.MSP, CA, organization.CA, table.ca)
		for _, peer := range organization.Peers {
			table.add(organization.MSP, Database, databaseOf(peer), table.database)
			table.add(organization.MSP, Peer, peer, table.peer)
		}
		table.add(organization.MSP, Chaincode, organization.Chaincode, table.chaincode)
		table.add(organization.MSP, IPFS, organization.IPFS, table.ipfs)
		table.add(organization.MSP, Gateway, organization.Gateway, table.gateway)
	}
	return table
}

// add adds the node on host, unless there is no such host.
func (t *Table) add(msp string, kind Kind, host string, fill func(*Node)) {
	place, placed := t.placement.Places[host]
	if !placed {
		return
	}
	node := Node{
		Name: host, Kind: kind, MSP: msp,
		Place:       place,
		Dir:         filepath.Join(t.Organization(msp), "nodes", host),
		Environment: map[string]string{},
	}
	fill(&node)
	t.Nodes = append(t.Nodes, node)
}

// Root is the folder under which everything lies.
func (t *Table) Root() string { return t.placement.Root }

// Probe is the program, among the product's own, that looks at the health of a node
// whose container has no other.
const Probe = "pie-network"

// Programs is the folder of the product's own programs.
func (t *Table) Programs() string { return filepath.Join(t.Root(), "bin") }

// Organization is the folder of the member with this MSP.
func (t *Table) Organization(msp string) string {
	return filepath.Join(t.Root(), "organizations", msp)
}

// Public is what the member with this MSP shows to the others: its roots, and the
// certificates of its ordering node.
func (t *Table) Public(msp string) string {
	return filepath.Join(t.Organization(msp), "public")
}

// Node finds a node by its name.
func (t *Table) Node(name string) (Node, error) {
	i := slices.IndexFunc(t.Nodes, func(n Node) bool { return n.Name == name })
	if i < 0 {
		return Node{}, fmt.Errorf("no node is called %q", name)
	}
	return t.Nodes[i], nil
}

// Of lists the nodes of a kind; msp "" means of every organisation.
func (t *Table) Of(kind Kind, msp string) []Node {
	var nodes []Node
	for _, node := range t.Nodes {
		if node.Kind == kind && cmp.Or(msp, node.MSP) == node.MSP {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// endpoint is a port of host, as other nodes reach it.
func (t *Table) endpoint(host string, port int) string {
	return join(t.placement.Places[host].Name, port)
}
