package client

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pie-consortium/pie/client/internal/home"
	"github.com/pie-consortium/pie/client/rule"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
)

// Which gateway is asked first may be changed while others ask. The race detector tells.
func TestAskWhileOthersAsk(t *testing.T) {
	c := &Client{
		gateways: []*gateway{{msp: "HospitalA", url: "a"}, {msp: "HospitalB", url: "b"}, {msp: "HospitalC", url: "c"}},
		first:    new(atomic.Pointer[gateway]),
	}
	var asking sync.WaitGroup
	for _, url := range []string{"a", "b", "c"} {
		asking.Go(func() {
			for range 100 {
				if err := c.Ask(url); err != nil {
					t.Error(err)
				}
			}
		})
		asking.Go(func() {
			for range 100 {
				if order := c.inOrder(); len(order) != 3 || c.Gateway() == "" || len(c.others(order[0])) != 2 {
					t.Errorf("asked %v", order)
				}
			}
		})
	}
	asking.Wait()
	if err := c.Ask("c"); err != nil || c.Gateway() != "c" || c.inOrder()[1].url != "a" {
		t.Errorf("%v; %s is asked first", err, c.Gateway())
	}
}

// tokens serves tokens once it may, as a gateway does, and counts how many.
func tokens(t *testing.T, may <-chan struct{}) (g *gateway, asked chan struct{}) {
	t.Helper()
	asked = make(chan struct{}, 100)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-may:
			_, _ = w.Write([]byte(`{"access_token": "t", "token_type": "Bearer", "expires_in": 300}`))
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	g, err := newGateway(trust.Organization{MSP: "HospitalA", TLSRoots: []string{string(root)}}, server.URL, new(meter).dial)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := home.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	g.signer = &trust.Signer{Certificate: server.Certificate(), Key: keys.Identity}
	return g, asked
}

// Many who want a token at once ask for one between them. Who gives up does so at once,
// and takes it from nobody else.
func TestTokenIsAskedForOnce(t *testing.T) {
	may := make(chan struct{})
	g, asked := tokens(t, may)
	wanted := func(ctx context.Context) error {
		return g.authorize(ctx, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	}
	first, giveUp := context.WithCancel(t.Context())
	gaveUp := make(chan error, 1)
	go func() { gaveUp <- wanted(first) }()
	<-asked
	giveUp()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up got %v", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := wanted(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up before got %v", err)
	}
	var waiting sync.WaitGroup
	for range 8 {
		waiting.Go(func() {
			if err := wanted(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	close(may)
	waiting.Wait()
	if n := 1 + len(asked); n != 1 {
		t.Errorf("asked for %d tokens, want one", n)
	}
}

// A patient may authorise many records at once: none of their keys is lost to the agent.
func TestAgentGetsTheKeysOfAllSlots(t *testing.T) {
	store, err := home.Create(filepath.Join(t.TempDir(), "home"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := home.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{home: store, keys: newTestKeyring(t), agentFile: new(sync.Mutex)}
	rules, err := rule.Format([]rule.Rule{{
		ID: ledger.NewID(), Hospital: "HospitalA", Level: ledger.LevelModerate, Days: 1, Daily: 1,
		Purposes: []ledger.Purpose{ledger.PurposeTreatment},
	}})
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(store.Write(rulesFile, rules), store.WriteAgentKeys(home.AgentKeys{
		Identity: keys.Identity, Signing: c.keys.signing().Bytes(), Records: map[ledger.RecordVersion][]byte{},
	}))
	if err != nil {
		t.Fatal(err)
	}
	const many = 16
	var authorizing sync.WaitGroup
	for range many {
		authorizing.Go(func() {
			if err := c.addAgentKeys([]ledger.NewSlot{{Record: ledger.NewID()}}); err != nil {
				t.Error(err)
			}
		})
	}
	authorizing.Wait()
	entrusted, err := store.ReadAgentKeys()
	if err != nil || len(entrusted.Records) != many {
		t.Errorf("the agent has the keys of %d records, want %d; %v", len(entrusted.Records), many, err)
	}
}
