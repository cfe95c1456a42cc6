package client

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/syndtr/goleveldb/leveldb"

	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// held returns the grant that somebody opens a record with.
func (p trio) held(t *testing.T, c *Client, record ledger.ID) opening {
	t.Helper()
	a, err := c.agree(t.Context(), record, 0)
	if err != nil {
		t.Fatal(err)
	}
	grant, from, err := (<-c.holding(t.Context(), record)).grant(a.RecordView)
	if err != nil {
		t.Fatal(err)
	}
	return opening{agreed: a, grant: grant, from: from}
}

// revoke revokes as the patient and returns the transaction.
func (p trio) revoke(t *testing.T, grant ledger.Grant) string {
	t.Helper()
	arguments := ledger.RevokeGrant{RecordVersion: ledger.RecordVersion{Record: grant.Record, Version: grant.Version}, Grant: grant.ID}
	revoked, id, err := submit[ledger.Grant](t.Context(), p.patient, change{name: ledger.TxRevokeGrant, arguments: arguments})
	if err != nil {
		t.Fatal(err)
	}
	if revoked.State != ledger.GrantRevoked {
		t.Fatalf("the grant is %s", revoked.State)
	}
	return id
}

// openAt has the ledger record an opening at a time that its signer chose.
func openAt(t *testing.T, c *Client, o opening, at time.Time) opening {
	t.Helper()
	text, err := json.Marshal(ledger.OpenRecord{
		RecordVersion: ledger.RecordVersion{Record: o.grant.Record, Version: o.grant.Version}, Grant: o.grant.ID,
	})
	if err != nil {
		t.Fatal(err)
	}
	made, err := proposal.New(c.creator, proposal.Invocation{Channel: c.bundle.Channel, Transaction: ledger.TxOpenRecord, Arguments: text}, at)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := c.creator.Sign(made.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	endorsed, by, err := ask[api.EndorsedTransaction](t.Context(), c, writeTimeout, func(ctx context.Context, g *gateway) (*http.Response, error) {
		return g.api.EndorseTransaction(ctx, made.TransactionID, api.SignedProposal{Proposal: made.Bytes, Signature: signature})
	})
	if err != nil {
		t.Fatal(err)
	}
	if signature, err = c.creator.Sign(endorsed.Transaction); err != nil {
		t.Fatal(err)
	}
	if err := c.commit(t.Context(), by, made.TransactionID, api.SignedTransaction{Transaction: endorsed.Transaction, Signature: signature}); err != nil {
		t.Fatal(err)
	}
	o.transaction = made.TransactionID
	return o
}

// hasCommitted reports whether the peer of a gateway has a transaction.
func hasCommitted(ctx context.Context, g *gateway, id string) bool {
	status, err := askOne[api.TransactionStatus](ctx, g, readTimeout, func(ctx context.Context, g *gateway) (*http.Response, error) {
		return g.api.ReadTransaction(ctx, id)
	})
	return err == nil && status.Code == valid
}

// askOnce asks a proxy without patience.
func askOnce(ctx context.Context, c *Client, g *gateway, o opening) error {
	_, err := askOne[api.Reencryption](ctx, g, readTimeout, func(ctx context.Context, g *gateway) (*http.Response, error) {
		jws, err := c.creator.Signer.SignReencryptionRequest(trust.ReencryptionRequest{
			Open: o.transaction, Record: o.grant.Record, Proxy: g.msp, Issued: time.Now().UTC(),
		})
		if err != nil {
			return nil, err
		}
		return g.open.Reencrypt(ctx, api.ReencryptionRequest{Request: jws})
	})
	return err
}

// hammer asks one proxy for the same opening again and again.
type hammer struct {
	gateway *gateway
	mu      sync.Mutex
	asked   []asking
}

// asking is one request to a proxy.
type asking struct {
	begun time.Time
	err   error
}

func (h *hammer) run(ctx context.Context, c *Client, o opening) {
	for ctx.Err() == nil {
		a := asking{begun: time.Now()}
		if a.err = askOnce(ctx, c, h.gateway, o); ctx.Err() == nil {
			h.mu.Lock()
			h.asked = append(h.asked, a)
			h.mu.Unlock()
		}
	}
}

// since returns what was asked after a moment.
func (h *hammer) since(begin time.Time) []asking {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.asked), func(a asking) bool { return !a.begun.After(begin) })
}

// fragmentsIn counts the answers that were a fragment.
func fragmentsIn(asked []asking) int {
	return len(slices.DeleteFunc(asked, func(a asking) bool { return a.err != nil }))
}

// A requester does nothing but ask all proxies while the patient revokes. From the moment
// when a proxy's own peer has the block, that proxy answers with no fragment.
func TestRevocationEndsReencryptionAtEachPeersBlock(t *testing.T) {
	p := newTrio(t)
	record := p.share(t, []byte("emr"))
	o := p.held(t, p.requester, record)
	if _, err := p.requester.recordOpening(t.Context(), &o); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var hammers []*hammer
	var running sync.WaitGroup
	for _, g := range p.requester.gateways {
		h := &hammer{gateway: g}
		hammers = append(hammers, h)
		running.Go(func() { h.run(ctx, p.requester, o) })
	}
	defer running.Wait()
	defer stop()
	for _, h := range hammers {
		eventually(t, func() bool { return fragmentsIn(h.since(time.Time{})) >= 10 })
	}
	id := p.revoke(t, o.grant)
	committed := map[*hammer]time.Time{}
	for _, h := range hammers {
		eventually(t, func() bool { return hasCommitted(t.Context(), h.gateway, id) })
		committed[h] = time.Now()
	}
	for _, h := range hammers {
		eventually(t, func() bool { return len(h.since(committed[h])) >= 30 })
	}
	stop()
	running.Wait()
	for _, h := range hammers {
		after := h.since(committed[h])
		for _, a := range after {
			if a.err == nil || fault.CodeOf(a.err) != fault.ConsentRevoked {
				t.Errorf("%s answered %v to a request after its peer's block", h.gateway.name(), a.err)
			}
		}
		t.Logf("%s: %d fragments before, %d refusals after its peer's block", h.gateway.name(), fragmentsIn(h.since(time.Time{})), len(after))
	}
	_, err := p.requester.Open(t.Context(), record, 0, filepath.Join(t.TempDir(), "out"))
	wantCode(t, err, fault.ConsentRevoked)
}

// pause freezes nodes until they are resumed, at the test's end at the latest.
func pause(t *testing.T, nodes ...string) (resume func()) {
	t.Helper()
	for _, node := range nodes {
		if err := network.Pause(node); err != nil {
			t.Fatal(err)
		}
	}
	resume = sync.OnceFunc(func() {
		for _, node := range nodes {
			if err := network.Resume(node); err != nil {
				t.Error(err)
			}
		}
	})
	t.Cleanup(resume)
	return resume
}

// A peer that was paused while the patient revoked, and that hears from nobody when it
// goes on, does not know of the revocation. Its proxy alone opens nothing, and it stops
// when the open is too old.
func TestStaleProxyStopsAtTheOpensAgeLimit(t *testing.T) {
	p := newTrio(t)
	o := p.held(t, p.requester, p.share(t, []byte("emr")))
	stale := p.requester.gateways[slices.IndexFunc(p.requester.gateways, func(g *gateway) bool { return g.msp == "HospitalC" })]
	fresh, aging := openAt(t, p.requester, o, time.Now()), openAt(t, p.requester, o, time.Now().Add(-90*time.Second))
	for _, o := range []opening{fresh, aging} {
		eventually(t, func() bool { return askOnce(t.Context(), p.requester, stale, o) == nil })
	}

	// Stopped, not paused: a paused peer would find the block waiting in its connections.
	const stalePeer = "peer0.hospital-c"
	if err := network.Stop(stalePeer); err != nil {
		t.Fatal(err)
	}
	id := p.revoke(t, o.grant)
	for _, g := range p.requester.gateways {
		if g == stale {
			continue
		}
		eventually(t, func() bool { return hasCommitted(t.Context(), g, id) })
		wantCode(t, askOnce(t.Context(), p.requester, g, fresh), fault.ConsentRevoked)
	}
	resumeOthers := pause(t, "orderer.hospital-a", "orderer.hospital-b", "orderer.hospital-c", "orderer.operator",
		"peer0.hospital-a", "peer0.hospital-b")
	if err := network.Start(stalePeer); err != nil {
		t.Fatal(err)
	}
	refused := func(o opening, codes ...fault.Code) bool {
		return slices.Contains(codes, fault.CodeOf(askOnce(t.Context(), p.requester, stale, o)))
	}
	eventually(t, func() bool { // it goes on meanwhile, unless this machine was too slow to see it
		err := askOnce(t.Context(), p.requester, stale, fresh)
		return err == nil || fault.CodeOf(err) == fault.StateConflict
	})
	eventually(t, func() bool { return refused(aging, fault.StateConflict) })
	if hasCommitted(t.Context(), stale, id) {
		t.Fatal("the peer has heard of the revocation after all: this shows nothing")
	}
	resumeOthers()
	eventually(t, func() bool { return hasCommitted(t.Context(), stale, id) })
	eventually(t, func() bool { return refused(fresh, fault.ConsentRevoked, fault.StateConflict) })
}

// Revoked fragments are gone from every peer's database, and no others.
func TestRevokedFragmentsAreGone(t *testing.T) {
	p := newTrio(t)
	record := p.upload(t, []byte("emr"))
	p.grant(t, record)
	revoked := p.held(t, p.requester, record).grant
	kept := p.held(t, p.author, record).grant
	id := p.revoke(t, revoked)
	for _, organization := range network.Organizations {
		peer := organization.Peers[0]
		g := p.patient.gateways[slices.IndexFunc(p.patient.gateways, func(g *gateway) bool { return g.msp == organization.MSP })]
		eventually(t, func() bool { return hasCommitted(t.Context(), g, id) })
		rows := fragmentRows(t, peer)
		if rows(kept.ID) != len(kept.Fragments.Proxies) {
			t.Errorf("%s has %d of the fragments that were kept", peer, rows(kept.ID))
		}
		if rows(revoked.ID) != 0 {
			t.Errorf("%s has %d of the fragments that were revoked", peer, rows(revoked.ID))
		}
	}
}

// fragmentRows reads a peer's database while the peer is stopped, and counts the
// fragments of a grant.
func fragmentRows(t *testing.T, peer string) func(ledger.ID) int {
	t.Helper()
	if err := network.Stop(peer); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := network.Start(peer); err != nil {
			t.Error(err)
		}
	}()
	dir, err := network.Dir(peer)
	if err != nil {
		t.Fatal(err)
	}
	db, err := leveldb.OpenFile(filepath.Join(dir, "state", "ledgersData", "stateLeveldb"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var keys [][]byte
	all := db.NewIterator(nil, nil)
	defer all.Release()
	for all.Next() {
		if bytes.Contains(all.Key(), []byte("$$p"+ledger.FragmentsCollection+"\x00fragment/")) {
			keys = append(keys, slices.Clone(all.Key()))
		}
	}
	if err := all.Error(); err != nil {
		t.Fatal(err)
	}
	return func(grant ledger.ID) (count int) {
		for _, key := range keys {
			if bytes.Contains(key, []byte("/"+string(grant)+"/")) {
				count++
			}
		}
		return count
	}
}
