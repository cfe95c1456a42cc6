package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/pie-consortium/pie/gateway/internal/auth"
	"github.com/pie-consortium/pie/gateway/internal/config"
	"github.com/pie-consortium/pie/gateway/internal/content"
	"github.com/pie-consortium/pie/gateway/internal/enrollment"
	"github.com/pie-consortium/pie/gateway/internal/fabric"
	"github.com/pie-consortium/pie/gateway/internal/feed"
	"github.com/pie-consortium/pie/gateway/internal/health"
	"github.com/pie-consortium/pie/gateway/internal/identitykey"
	"github.com/pie-consortium/pie/gateway/internal/ipfs"
	"github.com/pie-consortium/pie/gateway/internal/partial"
	"github.com/pie-consortium/pie/gateway/internal/pins"
	"github.com/pie-consortium/pie/gateway/internal/proxy"
	"github.com/pie-consortium/pie/gateway/internal/replica"
	"github.com/pie-consortium/pie/gateway/internal/rest"
	"github.com/pie-consortium/pie/gateway/internal/revocation"
	"github.com/pie-consortium/pie/gateway/internal/telemetry"
	"github.com/pie-consortium/pie/gateway/internal/webhook"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// gateway is the assembled program.
type gateway struct {
	config   *config.Config
	bundle   *trust.Bundle
	signer   *trust.Signer
	tls      *config.Served
	traces   *telemetry.Traces
	log      *slog.Logger
	registry *prometheus.Registry

	peer         *fabric.Peer
	node         *ipfs.Node
	recent       *content.Recent
	pins         *pins.Pins
	partial      *partial.Uploads
	used         *auth.Used
	registration *proxy.Registration
	revoked      *revocation.List
	registered   *identitykey.Keys
	replicas     *replica.Keeper
	events       *feed.Feed
	webhooks     *webhook.Hooks
	api          http.Handler
}

// assemble makes everything and waits for nobody: neighbours may start later.
func assemble(c *config.Config) (*gateway, error) {
	g := &gateway{config: c, log: telemetry.NewLogger(os.Stderr, c.MSP), registry: prometheus.NewRegistry(), recent: content.NewRecent(), revoked: new(revocation.List)}
	g.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	for _, step := range []func() error{g.loadTrust, g.connect, g.buildReplicas, g.buildWebhooks, g.buildAPI} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func (g *gateway) loadTrust() error {
	var err error
	if g.bundle, err = trust.LoadBundle(g.config.Trust); err != nil {
		return err
	}
	if g.signer, err = g.config.Identity.Signer(); err != nil {
		return fmt.Errorf("gateway identity: %w", err)
	}
	if g.tls, err = g.config.TLS.Serve(g.log); err != nil {
		return err
	}
	identity, err := g.bundle.Identify(g.signer.Certificate, time.Now())
	if err != nil {
		return fmt.Errorf("gateway identity: %w", err)
	}
	if identity.Role != ledger.RoleGateway || identity.User.MSP != g.config.MSP {
		return fmt.Errorf("gateway identity: the certificate is of %s, role %s; role gateway of %s is needed",
			identity.User, identity.Role, g.config.MSP)
	}
	return nil
}

func (g *gateway) connect() error {
	var err error
	if g.traces, err = telemetry.NewTraces(g.config.Traces, g.config.MSP); err != nil {
		return err
	}
	calls, err := telemetry.NewCalls(g.registry, g.traces)
	if err != nil {
		return err
	}
	if g.peer, err = fabric.Connect(g.config, g.signer, calls.Fabric); err != nil {
		return err
	}
	g.registered = identitykey.New(g.identityKey)
	g.events = feed.New(g.peer, g.log)
	g.events.First = g.registered.Learn
	g.node, err = ipfs.New(g.config.IPFS.API, calls.IPFS(&http.Transport{}))
	return err
}

func (g *gateway) buildReplicas() error {
	var members []string
	for _, organization := range g.bundle.Organizations {
		if len(organization.Gateways) > 0 { // others order transactions and keep nothing
			members = append(members, organization.MSP)
		}
	}
	var err error
	if g.pins, err = pins.Open(pins.Options{
		Folder: filepath.Join(g.config.Data, "pins"), Peer: g.peer, Node: g.node, Recent: g.recent, Log: g.log,
	}); err != nil {
		return err
	}
	g.replicas, err = replica.Open(replica.Options{
		Folder: g.config.Data, MSP: g.config.MSP, Members: members, Peer: g.peer, Node: g.node, Pins: g.pins, Recent: g.recent, Log: g.log,
	}, g.registry)
	return err
}

func (g *gateway) buildWebhooks() error {
	var err error
	g.webhooks, err = webhook.Open(g.config.Webhooks, webhook.Options{
		Folder: filepath.Join(g.config.Data, "webhooks"), MSP: g.config.MSP, Events: g.events, Owed: g.owedReviews, Log: g.log,
	}, g.registry)
	return err
}

// owedReviews are the declarations that a privacy officer is to review, the first due
// first; those beyond one page come when these are done.
func (g *gateway) owedReviews(ctx context.Context, officer ledger.Identity) ([]ledger.Declaration, error) {
	var owed ledger.List[ledger.Declaration]
	err := g.peer.Evaluate(ctx, ledger.TxListDeclarations, ledger.ListDeclarations{
		OnBehalf: ledger.OnBehalf{Reader: &officer}, Page: ledger.Page{Limit: ledger.MaxPage}, Concern: ledger.ConcernToReview,
	}, &owed)
	return owed.Rows, err
}

func (g *gateway) buildAPI() error {
	key, err := proxy.LoadKey(g.config.Data)
	if err != nil {
		return err
	}
	user := ledger.UserID{MSP: g.config.MSP, Pseudonym: g.signer.Certificate.Subject.CommonName}
	g.registration = proxy.NewRegistration(g.peer, g.signer, user, key.Recipient().String(), g.log)
	ca, err := enrollment.New(g.config.CA, filepath.Join(g.config.Data, "enrolments"), g.log)
	if err != nil {
		return err
	}
	requests, err := telemetry.NewRequests(g.registry)
	if err != nil {
		return err
	}
	bookmarks, err := rest.NewBookmarks(g.signer.Key)
	if err != nil {
		return err
	}
	if g.partial, err = partial.Open(filepath.Join(g.config.Data, "partial"), g.log); err != nil {
		return err
	}
	if err := g.revoked.Observe(g.registry); err != nil {
		return err
	}
	if g.used, err = auth.OpenUsed(filepath.Join(g.config.Data, "assertions"), time.Now()); err != nil {
		return err
	}
	authority, err := auth.New(g.config.URL, g.bundle, g.signer, g.used)
	if err != nil {
		return err
	}
	authority.Revoked, authority.Registered = g.revoked, g.registered
	api := &rest.API{
		Bookmarks: bookmarks, Origins: g.config.Origins,
		Authority: authority,
		CA:        ca, Peer: g.peer, Node: g.node, Pins: g.pins, Recent: g.recent, Partial: g.partial, Events: g.events, Owed: g.owedReviews, Log: g.log, Requests: requests, Traces: g.traces, Now: time.Now,
		Proxy: &proxy.Proxy{
			Channel: g.config.Channel, MSP: g.config.MSP, Bundle: g.bundle, Signer: g.signer, Key: key,
			Release: g.release, Revoked: g.revoked, Registered: g.registered, Checks: authority.Checks, Now: time.Now,
		},
	}
	g.api, err = api.Handler()
	return err
}

// identityKey is the one that this hospital's peer has registered for a user; zero while there is none.
func (g *gateway) identityKey(ctx context.Context, user ledger.UserID) (ledger.Digest, error) {
	var registered ledger.UserView
	err := g.peer.Evaluate(ctx, ledger.TxReadUser, ledger.ReadUser{User: user}, &registered)
	if fault.CodeOf(err) == fault.NotFound {
		return ledger.Digest{}, nil
	}
	return registered.IdentityKey, err
}

// release asks this hospital's peer for an open's key fragment. A device that learned of its
// commit from another hospital may be a moment ahead of this peer: then it waits for
// the transaction rather than have the device ask again.
func (g *gateway) release(ctx context.Context, query ledger.ReadRelease) (ledger.Release, error) {
	var release ledger.Release
	if err := query.Validate(); err != nil {
		return release, err
	}
	err := g.peer.Evaluate(ctx, ledger.TxReadRelease, query, &release)
	if fault.CodeOf(err) != fault.NotFound {
		return release, err
	}
	if _, unseen := g.peer.Status(ctx, query.Open); unseen != nil {
		return release, err
	}
	return release, g.peer.Evaluate(ctx, ledger.TxReadRelease, query, &release)
}

// checks are what /readyz asks.
func (g *gateway) checks() health.Checks {
	return health.Checks{
		"peer":            g.askPeer,
		"ipfs":            g.node.Ready,
		"events":          g.replicas.Ready,
		"eventFeed":       g.events.Ready,
		"proxyKey":        g.registration.Ready,
		"assertions":      g.used.Ready,
		"revocations":     g.revoked.Ready,
		"certificate":     health.Unexpired(func() *x509.Certificate { return g.signer.Certificate }, time.Now),
		"tlsCertificate":  health.Unexpired(g.tls.Leaf, time.Now),
		"peerCertificate": health.Unexpired(g.peer.ClientCertificate, time.Now),
	}
}

func (g *gateway) askPeer(ctx context.Context) error {
	var list ledger.List[ledger.Organization]
	return g.peer.Evaluate(ctx, ledger.TxReadOrganizations, ledger.ReadOrganizations{}, &list)
}
