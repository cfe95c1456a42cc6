// Package settings is the one table of what every node of a consortium is told:
// its command, its environment, its configuration. Whatever launches nodes renders
// this table and adds nothing.
package settings

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
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
	// Address is where the node listens.
	Address netip.Addr
	// Ports are all ports the node listens on, the one that clients use first.
	Ports []int
	// Dir is the node's own folder: keys, configuration, state.
	Dir string
	// Command is the program and its arguments.
	Command []string
	// Environment is all that the process gets beside PATH and HOME.
	Environment map[string]string
	// Health all answer when the node is ready: URLs of scheme http (GET), post
	// (POST over HTTP) or tcp (accepts a connection).
	Health []string
	// Configuration are the files to write into Dir before a start, by name.
	Configuration map[string]any
}

// Endpoint is the address that clients use, host and port.
func (n Node) Endpoint() string { return n.at(n.Ports[0]) }

func (n Node) at(port int) string {
	return net.JoinHostPort(n.Address.String(), strconv.Itoa(port))
}

// file is a path inside the node's folder.
func (n Node) file(parts ...string) string {
	return filepath.Join(append([]string{n.Dir}, parts...)...)
}

// Table is every node of a consortium.
type Table struct {
	consortium manifest.Consortium
	addresses  manifest.Addresses
	// root is the folder under which each organisation has its own.
	root string
	// packageID is what the chaincode answers to.
	packageID string
	// Nodes in the manifest's order.
	Nodes []Node
}

// New makes the table for a consortium whose hosts have these addresses, whose
// organisations keep their folders under root, an absolute path, and whose peers know
// the chaincode by this package identifier.
func New(consortium manifest.Consortium, addresses manifest.Addresses, root, packageID string) *Table {
	table := &Table{consortium: consortium, addresses: addresses, root: root, packageID: packageID}
	for _, organization := range consortium.Organizations {
		table.add(organization.MSP, Orderer, organization.Orderer, table.orderer)
		table.add(organization.MSP, CA, organization.CA, table.ca)
		for _, peer := range organization.Peers {
			table.add(organization.MSP, Peer, peer, table.peer)
		}
		table.add(organization.MSP, Chaincode, organization.Chaincode, table.chaincode)
		table.add(organization.MSP, IPFS, organization.IPFS, table.ipfs)
		table.add(organization.MSP, Gateway, organization.Gateway, table.gateway)
	}
	return table
}

func (t *Table) add(msp string, kind Kind, host string, fill func(*Node)) {
	if host == "" {
		return
	}
	node := Node{
		Name: host, Kind: kind, MSP: msp,
		Address:     t.addresses[host],
		Dir:         filepath.Join(t.Organization(msp), "nodes", host),
		Environment: map[string]string{},
	}
	fill(&node)
	t.Nodes = append(t.Nodes, node)
}

// Organization is the folder of the member with this MSP.
func (t *Table) Organization(msp string) string {
	return filepath.Join(t.root, "organizations", msp)
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

// endpoint is host's address with a port.
func (t *Table) endpoint(host string, port int) string {
	return net.JoinHostPort(t.addresses[host].String(), strconv.Itoa(port))
}
