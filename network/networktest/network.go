// Package networktest gives the tests of a package a running network: real nodes, on
// a loopback network of its own, gone when the tests end, however they end.
//
// Start it in TestMain, once for a package:
//
//	func TestMain(m *testing.M) { os.Exit(run(m)) }
//
//	func run(m *testing.M) int {
//		var err error
//		if network, err = networktest.Start(); err != nil {
//			fmt.Fprintln(os.Stderr, err)
//			return 1
//		}
//		defer network.Close()
//		return m.Run()
//	}
package networktest

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/network/internal/consortium"
	"github.com/pie-consortium/pie/network/internal/manifest"
	"github.com/pie-consortium/pie/network/internal/process"
	"github.com/pie-consortium/pie/network/internal/registrar"
	"github.com/pie-consortium/pie/network/internal/settings"
	"github.com/pie-consortium/pie/network/internal/toolchain"
)

// bringUpTimeout bounds a start; it leaves room for the first build of the tools.
const bringUpTimeout = 15 * time.Minute

// nodeTimeout bounds the start of one node.
const nodeTimeout = 2 * time.Minute

// Guest is somebody to invite.
type Guest = consortium.Guest

// Node is the state of one process.
type Node = process.Status

// Registrar is the account that registers users at a hospital's CA.
type Registrar = registrar.Account

// Network is a running network.
type Network struct {
	// Channel and Chaincode are their names.
	Channel, Chaincode string
	// BundleFile is the trust bundle, as JSON.
	BundleFile string
	// Organizations are the hospitals.
	Organizations []Organization

	network *consortium.Network
	nodes   *process.Supervisor
	subnet  *Subnet
	data    string
}

// Organization is where to reach a hospital's nodes, and where its keys are.
type Organization struct {
	MSP, Name string
	// PeerAddress is host and port of the first peer, Peers the names of all.
	PeerAddress string
	Peers       []string
	// TLSRoot is the file of the root that all its servers' certificates hang from,
	// Root that of its identities.
	TLSRoot, Root string
	// Admin is the hospital's administrator, GatewayIdentity its gateway's identity;
	// AdminTLS and GatewayTLS are what they show to peers and ordering nodes.
	Admin, GatewayIdentity, AdminTLS, GatewayTLS Identity
	// OrdererAddress is host and port of the ordering node, OrdererAdminURL the base URL of
	// its administration; empty without one.
	OrdererAddress, OrdererAdminURL string
	// CAURL is the Fabric CA's base URL.
	CAURL string
	// IPFSAPI is the base URL of the Kubo node's RPC interface, GatewayURL that of the
	// gateway, GatewayOperations that of its health and metrics; empty without gateways.
	IPFSAPI, GatewayURL, GatewayOperations string
	// GatewayConfig is the gateway's configuration file; empty without gateways.
	GatewayConfig string
	// Names of the nodes, for [Network.Kill] and its like; empty where there is none.
	Orderer, CA, Chaincode, IPFS, Gateway string
}

// Identity is the files of a certificate and its key.
type Identity struct{ Certificate, Key string }

// Signer reads the identity.
func (i Identity) Signer() (*trust.Signer, error) {
	pair, err := tls.LoadX509KeyPair(i.Certificate, i.Key)
	if err != nil {
		return nil, err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds no ECDSA key", i.Key)
	}
	return trust.NewSigner(pair.Leaf, key)
}

// Option changes what Start starts.
type Option func(*options)

type options struct {
	topology string
	gateways bool
	wrap     Wrap
	origins  []string
	calls    int // that a peer's gateway service takes at the same time; 0 is Fabric's default
}

// Wrap makes, by MSP, the command that runs each of an organisation's nodes, given the
// addresses that these will listen on.
type Wrap func(subnet netip.Prefix, addresses map[string][]netip.Addr) (map[string][]string, error)

// Wrapped runs nodes behind commands of the caller's, such as one that enters a
// network namespace.
func Wrapped(wrap Wrap) Option { return func(o *options) { o.wrap = wrap } }

// PeerCalls bounds how many calls a peer takes from its hospital's gateway at the same
// time: beyond it, it refuses.
func PeerCalls(most int) Option { return func(o *options) { o.calls = most } }

// Origins are those of apps in browsers that may call the gateways.
func Origins(origins ...string) Option { return func(o *options) { o.origins = origins } }

// WithoutGateways leaves out gateways and IPFS nodes, and the hospitals' descriptions
// on the ledger.
func WithoutGateways() Option { return func(o *options) { o.gateways = false } }

// Paper is the topology of the paper, with two peers a hospital.
func Paper() Option { return func(o *options) { o.topology = "paper.yaml" } }

// Start brings a consortium up, the default one unless an option says otherwise, and
// waits until it works. Close the network when the tests are done. The error quotes
// the log of the node that failed.
func Start(choices ...Option) (*Network, error) {
	chosen := options{topology: "consortium.yaml", gateways: true}
	for _, choose := range choices {
		choose(&chosen)
	}
	ctx, cancel := context.WithTimeout(context.Background(), bringUpTimeout)
	defer cancel()
	members, err := chosen.members(ctx)
	if err != nil {
		return nil, err
	}
	subnet, err := Reserve(ctx)
	if err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp("", "pie-network-")
	if err != nil {
		return nil, errors.Join(err, subnet.Close())
	}
	n := &Network{data: data, subnet: subnet, nodes: process.NewSupervisor(nil)}
	if err := n.up(ctx, members, chosen); err != nil {
		// The logs stay where the error says they are.
		return nil, errors.Join(fmt.Errorf("start a network for tests: %w", err), n.nodes.Close(ctx), subnet.Close())
	}
	return n, nil
}

// Build makes sure that the programs of others that a network consists of are there,
// for tests that start it where nothing can be downloaded.
func Build(ctx context.Context) error {
	source, err := toolchain.Source(ctx)
	if err != nil {
		return err
	}
	_, err = toolchain.Tools(ctx, source, os.Stderr)
	return err
}

func (o options) members(ctx context.Context) (manifest.Consortium, error) {
	source, err := toolchain.Source(ctx)
	if err != nil {
		return manifest.Consortium{}, err
	}
	members, err := manifest.Load(filepath.Join(source, "network", o.topology))
	for i := range members.Organizations {
		member := &members.Organizations[i]
		if member.Origins = o.origins; !o.gateways {
			member.Gateway, member.IPFS = "", ""
		}
	}
	return members, err
}

func (n *Network) up(ctx context.Context, members manifest.Consortium, chosen options) (err error) {
	if err := consortium.Create(n.data, consortium.Description{Subnet: n.subnet.Prefix, Consortium: members}); err != nil {
		return err
	}
	if n.network, err = consortium.Open(n.data, n.nodes); err != nil {
		return err
	}
	n.bound(chosen.calls)
	if chosen.wrap != nil {
		if n.network.Wrapper, err = chosen.wrap(n.subnet.Prefix, n.addresses()); err != nil {
			return err
		}
	}
	if err := n.network.Build(ctx, os.Stderr); err != nil {
		return err
	}
	if err := n.network.Up(ctx, func(line string) { fmt.Fprintln(os.Stderr, "networktest:", line) }); err != nil {
		return err
	}
	n.describe()
	return nil
}

func (n *Network) bound(calls int) {
	for _, node := range n.network.Table.Nodes {
		if node.Kind == settings.Peer && calls > 0 {
			node.Environment["CORE_PEER_LIMITS_CONCURRENCY_GATEWAYSERVICE"] = strconv.Itoa(calls)
		}
	}
}

func (n *Network) addresses() map[string][]netip.Addr {
	addresses := map[string][]netip.Addr{}
	for _, node := range n.network.Table.Nodes {
		addresses[node.MSP] = append(addresses[node.MSP], node.Place.Listen)
	}
	return addresses
}

func (n *Network) describe() {
	table := n.network.Table
	n.Channel, n.Chaincode = n.network.Consortium.Channel, n.network.Consortium.Chaincode
	n.BundleFile = table.Bundle()
	for _, member := range n.network.Consortium.Hospitals() {
		organization := Organization{
			MSP: member.MSP, Name: member.Name,
			PeerAddress: table.Of(settings.Peer, member.MSP)[0].Endpoint(), Peers: member.Peers,
			TLSRoot: n.network.TLSRoot(member.MSP), Root: n.network.Root(member.MSP),
			Admin:    identityIn(filepath.Join(table.Organization(member.MSP), "admin")),
			AdminTLS: tlsIn(filepath.Join(table.Organization(member.MSP), "admin", "tls")),
			CAURL:    table.Of(settings.CA, member.MSP)[0].CAURL(),
			Orderer:  member.Orderer, CA: member.CA, Chaincode: member.Chaincode, IPFS: member.IPFS, Gateway: member.Gateway,
		}
		for _, node := range table.Of(settings.Orderer, member.MSP) {
			organization.OrdererAddress, organization.OrdererAdminURL = node.Endpoint(), node.OrdererAdmin()
		}
		for _, node := range table.Of(settings.IPFS, member.MSP) {
			organization.IPFSAPI = node.IPFSAPI()
		}
		for _, node := range table.Of(settings.Gateway, member.MSP) {
			organization.GatewayURL, organization.GatewayOperations = node.GatewayURL(), node.Operations()
			organization.GatewayIdentity = identityIn(filepath.Join(node.Dir, "msp"))
			organization.GatewayTLS = tlsIn(filepath.Join(node.Dir, settings.ClientTLS))
			organization.GatewayConfig = filepath.Join(node.Dir, settings.GatewayConfigurationName)
		}
		n.Organizations = append(n.Organizations, organization)
	}
}

func identityIn(msp string) Identity {
	return Identity{filepath.Join(msp, "signcerts", "cert.pem"), filepath.Join(msp, "keystore", "key.pem")}
}

func tlsIn(dir string) Identity {
	return Identity{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
}

// TLS is how somebody who shows the certificate connects to the hospital's nodes.
func (o Organization) TLS(shown Identity) (*tls.Config, error) {
	text, err := os.ReadFile(o.TLSRoot)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", o.TLSRoot)
	}
	pair, err := tls.LoadX509KeyPair(shown.Certificate, shown.Key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}, nil
}

// Close stops every node and deletes the data.
func (n *Network) Close() error {
	return errors.Join(n.nodes.Close(context.Background()), os.RemoveAll(n.data), n.subnet.Close())
}

// Organization is the hospital with this MSP.
func (n *Network) Organization(msp string) (Organization, error) {
	for _, organization := range n.Organizations {
		if organization.MSP == msp {
			return organization, nil
		}
	}
	return Organization{}, fmt.Errorf("no hospital has the MSP %q", msp)
}

// Bundle is the trust bundle that users get.
func (n *Network) Bundle() (trust.Bundle, error) { return n.network.Bundle() }

// Invite registers a user at a hospital's CA, as `pie-network invite` does.
func (n *Network) Invite(ctx context.Context, guest Guest) (trust.Invitation, error) {
	return n.network.Invite(ctx, guest)
}

// InviteAgain invites a user once more, as `pie-network invite --again` does.
func (n *Network) InviteAgain(ctx context.Context, user ledger.UserID, name string) (trust.Invitation, error) {
	return n.network.InviteAgain(ctx, user, name)
}

// Revoke revokes the certificates of a user, or the one of the serial number unless that
// is nil, as `pie-network revoke` does.
func (n *Network) Revoke(ctx context.Context, user ledger.UserID, serial *big.Int) error {
	_, err := n.network.Revoke(ctx, user, serial)
	return err
}

// PublishRevocations puts a hospital's revocation list, PEM or DER, into the channel's
// configuration.
func (n *Network) PublishRevocations(ctx context.Context, msp string, list []byte) error {
	return n.network.PublishRevocations(ctx, msp, list)
}

// Registrar signs in to a hospital's CA, to register users under any name and attributes,
// as only the hospital itself could.
func (n *Network) Registrar(ctx context.Context, msp string) (*Registrar, error) {
	return n.network.Registrar(ctx, msp)
}

// Nodes is the state of every process.
func (n *Network) Nodes() []Node { return n.nodes.Status() }

// Kill ends a node's process at once, as a crash does.
func (n *Network) Kill(node string) error { return n.nodes.Kill(node) }

// Stop ends a node's process in order.
func (n *Network) Stop(node string) error { return n.nodes.Stop(context.Background(), node) }

// Start starts a node that was stopped or killed, and waits until it is ready.
func (n *Network) Start(node string) error {
	ctx, cancel := context.WithTimeout(context.Background(), nodeTimeout)
	defer cancel()
	return n.network.Start(ctx, node)
}

// Pause freezes a node's process: its connections stay, nothing answers.
func (n *Network) Pause(node string) error { return n.nodes.Pause(node) }

// Resume lets a paused node go on.
func (n *Network) Resume(node string) error { return n.nodes.Resume(node) }

// Wipe ends a node's process at once and deletes its state. [Network.Rejoin] brings it
// back.
func (n *Network) Wipe(node string) error { return n.network.Wipe(node) }

// Rejoin starts a node that was wiped and lets it take part again, once it has fetched
// every block.
func (n *Network) Rejoin(node string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*nodeTimeout)
	defer cancel()
	return n.network.Rejoin(ctx, node)
}

// Operations is the base URL of a node's health and metrics; those of a chaincode or an
// IPFS node do not exist.
func (n *Network) Operations(node string) (string, error) {
	found, err := n.network.Table.Node(node)
	return found.Operations(), err
}

// Dir is a node's own folder: keys, configuration, and its state in a folder "state".
func (n *Network) Dir(node string) (string, error) {
	found, err := n.network.Table.Node(node)
	return found.Dir, err
}

// Log is the file that a node writes its log to.
func (n *Network) Log(node string) string { return n.network.Log(node) }
