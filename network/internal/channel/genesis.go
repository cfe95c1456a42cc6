// Package channel creates the consortium's channel and has its nodes join it.
package channel

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/pie-consortium/pie/network/internal/manifest"
	"github.com/pie-consortium/pie/network/internal/settings"
)

// profile is the name of the one profile in the configuration for configtxgen.
const profile = "Consortium"

// Genesis makes sure that the channel's first block is at path, made with the
// program configtxgen from the members' public folders only.
func Genesis(ctx context.Context, configtxgen, path string, genesis Configuration) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	text, err := yaml.Marshal(genesis.configtx())
	if err != nil {
		return fmt.Errorf("encode the channel's configuration: %w", err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "configtx.yaml"), text, 0o600); err != nil {
		return err
	}
	temporary := path + ".new"
	command := exec.CommandContext(ctx, configtxgen, "-configPath", filepath.Dir(path), "-profile", profile,
		"-channelID", genesis.Consortium.Channel, "-outputBlock", temporary)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("make the channel's first block: configtxgen: %w\n%s", err, strings.TrimSpace(string(output)))
	}
	return os.Rename(temporary, path)
}

// Configuration is what the first block is made from.
type Configuration struct {
	Consortium manifest.Consortium
	Table      *settings.Table
}

// Fields of configtx.yaml, by the names that configtxgen gives them.
type fields = map[string]any

func (c Configuration) configtx() fields {
	return fields{"Profiles": fields{profile: fields{
		"Policies":     metaPolicies(),
		"Capabilities": fields{"V3_0": true},
		"Orderer":      c.orderer(),
		"Application":  c.application(),
	}}}
}

func (c Configuration) application() fields {
	policies := metaPolicies()
	policies["Endorsement"] = meta("MAJORITY Endorsement")
	policies["LifecycleEndorsement"] = meta("MAJORITY Endorsement")
	policies[anyAdmin] = meta("ANY Admins")
	var members []fields
	for _, organization := range c.Consortium.Hospitals() {
		members = append(members, c.member(organization))
	}
	return fields{"Organizations": members, "Policies": policies, "ACLs": accessRules(), "Capabilities": fields{"V2_5": true}}
}

// orderer sets SmartBFT for people who wait: batches close after 50 ms, and a lost
// leader is replaced in seconds. Forward comes before complain before auto-remove,
// resend before view change, or the nodes refuse the configuration. Nodes do not
// synchronise as they start: they would all wait five seconds for each other, and one
// that fell behind hears so from the leader anyway.
func (c Configuration) orderer() fields {
	policies := metaPolicies()
	policies["BlockValidation"] = meta("ANY Writers")
	var members, consenters []fields
	for _, organization := range c.Consortium.Orderers() {
		members = append(members, c.member(organization))
	}
	for _, consenter := range Consenters(c.Consortium, c.Table) {
		node := c.Table.Of(settings.Orderer, consenter.MSP)[0]
		tls := filepath.Join(filepath.Dir(consenter.Identity), "tls.pem")
		consenters = append(consenters, fields{
			"ID": consenter.ID, "Host": node.Place.Name, "Port": node.Ports[0], "MSPID": consenter.MSP,
			"Identity": consenter.Identity, "ClientTLSCert": tls, "ServerTLSCert": tls,
		})
	}
	return fields{
		"OrdererType": "BFT", "ConsenterMapping": consenters, "Organizations": members,
		"Policies": policies, "Capabilities": fields{"V2_0": true},
		"BatchSize": fields{"MaxMessageCount": 500, "AbsoluteMaxBytes": "10 MB", "PreferredMaxBytes": "2 MB"},
		"SmartBFT": fields{
			"RequestBatchMaxCount": 500, "RequestBatchMaxBytes": 10 << 20, "RequestBatchMaxInterval": "50ms",
			"RequestForwardTimeout": "1s", "RequestComplainTimeout": "2s", "RequestAutoRemoveTimeout": "3m",
			"ViewChangeResendInterval": "1s", "ViewChangeTimeout": "5s",
			"LeaderHeartbeatTimeout": "6s", "LeaderHeartbeatCount": 10, "CollectTimeout": "300ms",
			"IncomingMessageBufferSize": 200, "RequestPoolSize": 100000, "SyncOnStart": false, "SpeedUpViewChange": false,
		},
	}
}

// Consenter is an ordering node as the channel's configuration knows it.
type Consenter struct {
	ID       int
	MSP      string
	Identity string // file of the certificate that it signs blocks under
}

// Consenters are the ordering nodes in the order of their IDs.
func Consenters(consortium manifest.Consortium, table *settings.Table) []Consenter {
	var consenters []Consenter
	for i, organization := range consortium.Orderers() {
		consenters = append(consenters, Consenter{
			ID: i + 1, MSP: organization.MSP,
			Identity: filepath.Join(table.Public(organization.MSP), "orderer", "identity.pem"),
		})
	}
	return consenters
}

// member is an organisation as both the ordering and the application group see it.
func (c Configuration) member(organization manifest.Organization) fields {
	rule := func(format string) fields {
		return fields{"Type": "Signature", "Rule": strings.ReplaceAll(format, "MSP", organization.MSP)}
	}
	member := fields{
		"Name": organization.MSP, "ID": organization.MSP,
		"MSPDir": filepath.Join(c.Table.Public(organization.MSP), "msp"),
		"Policies": fields{
			// No users, who are clients: docs/adr/0014.
			"Readers":     rule("OR('MSP.peer', 'MSP.orderer', 'MSP.admin')"),
			"Writers":     rule("OR('MSP.member')"),
			"Admins":      rule("OR('MSP.admin')"),
			"Endorsement": rule("OR('MSP.peer')"),
		},
	}
	if organization.Orderer != "" {
		member["OrdererEndpoints"] = []string{c.Table.Of(settings.Orderer, organization.MSP)[0].Endpoint()}
	}
	if len(organization.Peers) > 0 {
		anchor := c.Table.Of(settings.Peer, organization.MSP)[0]
		member["AnchorPeers"] = []fields{{"Host": anchor.Place.Name, "Port": anchor.Ports[0]}}
	}
	return member
}

func metaPolicies() fields {
	return fields{"Readers": meta("ANY Readers"), "Writers": meta("ANY Writers"), "Admins": meta("MAJORITY Admins")}
}

func meta(rule string) fields { return fields{"Type": "ImplicitMeta", "Rule": rule} }
