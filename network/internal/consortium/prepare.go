package consortium

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/network/internal/channel"
	"github.com/pie-consortium/pie/network/internal/identity"
	"github.com/pie-consortium/pie/network/internal/ipfs"
	"github.com/pie-consortium/pie/network/internal/manifest"
	"github.com/pie-consortium/pie/network/internal/settings"
)

// prepare makes keys, first block and configuration, as far as they are missing.
func (n *Network) prepare(ctx context.Context) error {
	for _, organization := range n.Consortium.Organizations {
		if err := n.prepareOrganization(organization); err != nil {
			return fmt.Errorf("prepare %s: %w", organization.MSP, err)
		}
	}
	if err := n.writeBundle(); err != nil {
		return err
	}
	if err := n.prepareSwarm(ctx); err != nil {
		return err
	}
	configuration := channel.Configuration{Consortium: n.Consortium, Table: n.Table}
	return channel.Genesis(ctx, n.program("configtxgen"), n.block(), configuration)
}

// prepareOrganization does what an organisation's own IT would: it reads and writes
// that organisation's folder alone.
func (n *Network) prepareOrganization(member manifest.Organization) error {
	dir := n.Table.Organization(member.MSP)
	organization, err := identity.Open(dir, member.MSP)
	if err != nil {
		return err
	}
	if _, err := organization.Identity(filepath.Join(dir, "admin"), identity.Subject{
		Name: "admin", Unit: identity.Admin, Attributes: map[string]string{trust.RoleAttribute: string(ledger.RoleOrgAdmin)},
	}); err != nil {
		return err
	}
	if err := organization.OfficerTLS(n.adminTLSDir(member.MSP), "admin."+member.MSP); err != nil {
		return err
	}
	for _, node := range n.Table.Nodes {
		if node.MSP != member.MSP {
			continue
		}
		if err := n.prepareNode(organization, node); err != nil {
			return fmt.Errorf("%s: %w", node.Name, err)
		}
	}
	return nil
}

func (n *Network) prepareNode(organization identity.Organization, node settings.Node) error {
	endpoint := identity.Endpoint{
		Names: []string{node.Name, node.Place.Name}, Server: true, Client: node.Kind == settings.Orderer || node.Kind == settings.Peer,
	}
	if err := organization.TLS(filepath.Join(node.Dir, "tls"), endpoint); err != nil {
		return err
	}
	var err error
	switch node.Kind {
	case settings.Orderer:
		err = n.prepareOrderer(organization, node)
	case settings.Peer:
		err = n.preparePeer(organization, node)
	case settings.CA:
		err = drawSecret(n.Table.RegistrarSecret(node.MSP))
	case settings.Database:
		err = drawSecret(filepath.Join(node.Dir, settings.DatabaseSecret))
	case settings.Gateway:
		err = prepareGateway(organization, node)
	}
	if err != nil {
		return err
	}
	return node.Write()
}

// prepareGateway gives the gateway an identity, and a TLS certificate for its peer: the one
// that it shows to devices may come from elsewhere. Peers tell it from users by the unit of
// ordering nodes, which endorses nothing: docs/adr/0014.
func prepareGateway(organization identity.Organization, node settings.Node) error {
	if _, err := organization.Identity(filepath.Join(node.Dir, "msp"), identity.Subject{
		Name: gatewayPseudonym, Unit: identity.Orderer, Attributes: map[string]string{trust.RoleAttribute: string(ledger.RoleGateway)},
	}); err != nil {
		return err
	}
	return organization.TLS(filepath.Join(node.Dir, settings.ClientTLS), identity.Endpoint{Names: []string{node.Name}, Client: true})
}

func (n *Network) prepareOrderer(organization identity.Organization, node settings.Node) error {
	certificate, err := organization.Identity(filepath.Join(node.Dir, "msp"), identity.Subject{Name: node.Name, Unit: identity.Orderer})
	if err != nil {
		return err
	}
	public := filepath.Join(n.Table.Public(node.MSP), "orderer")
	if err := os.MkdirAll(public, 0o700); err != nil {
		return err
	}
	if err := copyFile(certificate, filepath.Join(public, "identity.pem")); err != nil {
		return err
	}
	if err := copyFile(filepath.Join(node.Dir, "tls", "cert.pem"), filepath.Join(public, "tls.pem")); err != nil {
		return err
	}
	if err := organization.WriteOfficers(node.OfficersRoot()); err != nil {
		return err
	}
	return copyFile(n.program("orderer.yaml"), filepath.Join(node.Dir, "orderer.yaml"))
}

func (n *Network) preparePeer(organization identity.Organization, node settings.Node) error {
	if _, err := organization.Identity(filepath.Join(node.Dir, "msp"), identity.Subject{Name: node.Name, Unit: identity.Peer}); err != nil {
		return err
	}
	if err := writeBuilder(filepath.Join(node.Builder(), "bin")); err != nil {
		return err
	}
	text, err := os.ReadFile(n.program("core.yaml"))
	if err != nil {
		return err
	}
	return node.WriteCore(text)
}

//go:embed builder
var builder embed.FS

func writeBuilder(bin string) error {
	if err := os.MkdirAll(bin, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"detect", "build", "release"} {
		text, err := builder.ReadFile("builder/" + name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(bin, name), text, 0o700); err != nil {
			return err
		}
	}
	return nil
}

// prepareSwarm makes the Kubo repositories and tells each node of the others.
func (n *Network) prepareSwarm(ctx context.Context) error {
	nodes := n.Table.Of(settings.IPFS, "")
	if len(nodes) == 0 {
		return nil
	}
	key, err := ipfs.SwarmKey(filepath.Join(n.data, "swarm.key"))
	if err != nil {
		return err
	}
	peers := make([]ipfs.Peer, len(nodes))
	for i, node := range nodes {
		id, err := ipfs.Initialize(ctx, n.program("ipfs"), node.Repository())
		if err != nil {
			return err
		}
		peers[i] = ipfs.Peer{ID: id, Addrs: []string{node.SwarmAddress()}}
		if err := os.WriteFile(node.SwarmKey(), key, 0o600); err != nil {
			return err
		}
	}
	for i, node := range nodes {
		others := append(append([]ipfs.Peer{}, peers[:i]...), peers[i+1:]...)
		if err := ipfs.Configure(node.Repository(), node.IPFSConfiguration(), others); err != nil {
			return err
		}
	}
	return nil
}

// drawSecret makes sure that there is a secret of 256 bits at path.
func drawSecret(path string) error {
	if exists(path) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	secret := make([]byte, 32)
	rand.Read(secret)
	return os.WriteFile(path, []byte(hex.EncodeToString(secret)), 0o600)
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
}
