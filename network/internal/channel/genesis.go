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
	var members []fields
	for _, organization := range c.Consortium.Hospitals() {
		members = append(members, c.member(organization))
	}
	return fields{"Organizations": members, "Policies": policies, "Capabilities": fields{"V2_5": true}}
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
	for i, organization := range c.Consortium.Orderers() {
		members = append(members, c.member(organization))
		node := c.Table.Of(settings.Orderer, organization.MSP)[0]
		public := c.Table.Public(organization.MSP)
		consenters = append(consenters, fields{
			"ID": i + 1, "Host": node.Place.Name, "Port": node.Ports[0], "MSPID": organization.MSP,
			"Identity":      filepath.Join(public, "orderer", "identity.pem"),
			"ClientTLSCert": filepath.Join(public, "orderer", "tls.pem"),
			"ServerTLSCert": filepath.Join(public, "orderer", "tls.pem"),
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

// member is an organisation as both the ordering and the application group see it.
func (c Configuration) member(organization manifest.Organization) fields {
	rule := func(format string) fields {
		return fields{"Type": "Signature", "Rule": strings.ReplaceAll(format, "MSP", organization.MSP)}
	}
	member := fields{
		"Name": organization.MSP, "ID": organization.MSP,
		"MSPDir": filepath.Join(c.Table.Public(organization.MSP), "msp"),
		"Policies": fields{
			"Readers":     rule("OR('MSP.member')"),
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
