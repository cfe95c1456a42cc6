// Package manifest reads the description of a consortium: who takes part, and on
// which hosts. It is the one source from which every node's settings are made.
package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/goccy/go-yaml"

	"github.com/pie-consortium/pie/internal/input"
)

// Consortium is the whole topology.
type Consortium struct {
	// Channel is the name of the one Fabric channel.
	Channel string `yaml:"channel"`
	// Chaincode is the name the rules are committed under.
	Chaincode string `yaml:"chaincode"`
	// Organizations are the members. Addresses are dealt out in this order, so a
	// new member goes to the end.
	Organizations []Organization `yaml:"organizations"`
}

// Organization is one member. A host names a node and says where it runs. An
// organisation without peers only orders.
type Organization struct {
	// MSP is the name the ledger knows the organisation by; it can not change.
	MSP string `yaml:"msp"`
	// Name is for people.
	Name string `yaml:"name"`
	// Orderer is the host of the organisation's ordering node, if it has one. One
	// at most: the consortium survives the loss of one organisation, not of two nodes.
	Orderer string `yaml:"orderer,omitempty"`
	// CA is the host of the Fabric CA that issues the certificates of users.
	CA string `yaml:"ca,omitempty"`
	// Peers are the hosts of the organisation's peers, the anchor first.
	Peers []string `yaml:"peers,omitempty"`
	// Chaincode is the host of the process that serves the rules to those peers.
	Chaincode string `yaml:"chaincode,omitempty"`
	// IPFS is the host of the Kubo node.
	IPFS string `yaml:"ipfs,omitempty"`
	// Gateway is the host of the gateway.
	Gateway string `yaml:"gateway,omitempty"`
	// Origins are those of apps in browsers that may call the gateway, such as
	// https://app.example.
	Origins []string `yaml:"origins,omitempty"`
	// Webhooks are systems of the hospital's that the gateway tells of events.
	Webhooks []Webhook `yaml:"webhooks,omitempty"`
}

// Webhook is one such system; docs/operate.md says what it gets. Files are on the
// gateway's machine.
type Webhook struct {
	Name     string `yaml:"name" json:"name"`
	URL      string `yaml:"url" json:"url"`
	TLSRoot  string `yaml:"tlsRoot,omitempty" json:"tlsRoot,omitempty"`
	Secret   string `yaml:"secret" json:"secret"` // file that its owner alone can read
	Audience string `yaml:"audience" json:"audience"`
}

// Load reads and checks the file at path. The error names every violation, not
// only the first.
func Load(path string) (Consortium, error) {
	text, err := input.Settings(path)
	if err != nil {
		return Consortium{}, fmt.Errorf("read the topology: %w", err)
	}
	consortium, err := Parse(text)
	if err != nil {
		return Consortium{}, fmt.Errorf("topology %s: %w", path, err)
	}
	return consortium, nil
}

// Parse decodes strictly, an unknown or repeated field is an error, and checks.
func Parse(text []byte) (Consortium, error) {
	var consortium Consortium
	decoder := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	if err := decoder.Decode(&consortium); err != nil {
		if errors.Is(err, io.EOF) {
			return Consortium{}, errors.New("the file is empty")
		}
		return Consortium{}, err
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return Consortium{}, errors.New("the file holds more than one document")
	}
	return consortium, consortium.Validate()
}

// Hospitals are the organisations that have peers: the application's members.
func (c Consortium) Hospitals() []Organization {
	var hospitals []Organization
	for _, organization := range c.Organizations {
		if len(organization.Peers) > 0 {
			hospitals = append(hospitals, organization)
		}
	}
	return hospitals
}

// Orderers are the organisations that have an ordering node.
func (c Consortium) Orderers() []Organization {
	var orderers []Organization
	for _, organization := range c.Organizations {
		if organization.Orderer != "" {
			orderers = append(orderers, organization)
		}
	}
	return orderers
}

// Organization returns the member with this MSP.
func (c Consortium) Organization(msp string) (Organization, error) {
	for _, organization := range c.Organizations {
		if organization.MSP == msp {
			return organization, nil
		}
	}
	return Organization{}, fmt.Errorf("no organisation has the MSP %q", msp)
}

// Hosts lists the organisation's nodes, always in the same order.
func (o Organization) Hosts() []string {
	var hosts []string
	for _, host := range append([]string{o.Orderer, o.CA}, append(o.Peers[:len(o.Peers):len(o.Peers)], o.Chaincode, o.IPFS, o.Gateway)...) {
		if host != "" {
			hosts = append(hosts, host)
		}
	}
	return hosts
}
