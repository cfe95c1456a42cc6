package pressure

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
)

const (
	// writers write at the same time, each one transaction after the other.
	writers, writesEach = 10 * peerCalls, 3
)

// load is many writers at one gateway.
type load struct {
	oracle *oracle
	doors  []*api.ClientWithResponses // of each writer
	who    []*person
	grants []ledger.ID // of each writer

	mutex        sync.Mutex
	acknowledged []string       // transaction IDs
	answers      map[string]int // by status and code
}

// Ten times as many callers as the peer serves: whoever is refused is told so in the
// document's words and when to come again, and what was acknowledged is on every
// hospital's ledger.
func TestOverloadLosesNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*deadline)
	defer cancel()
	l, err := newLoad(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var writing sync.WaitGroup
	for i := range writers {
		writing.Go(func() {
			for range writesEach {
				if err := l.write(ctx, i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writing.Wait()
	t.Logf("%d writes acknowledged; answers: %v", len(l.acknowledged), l.answers)
	if len(l.acknowledged) != writers*writesEach {
		t.Errorf("%d of %d writes are acknowledged", len(l.acknowledged), writers*writesEach)
	}
	if l.answers["503 overloaded"] == 0 {
		t.Error("nobody was refused: the peer was not overloaded")
	}
	for _, organization := range network.Organizations {
		l.requireAll(ctx, t, organization.GatewayURL)
	}
	if err := calm(); err != nil {
		t.Error(err)
	}
}

func newLoad(ctx context.Context) (*load, error) {
	document, err := openapi3.NewLoader().LoadFromData(api.Document)
	if err != nil {
		return nil, err
	}
	l := &load{answers: map[string]int{}}
	if l.oracle, err = newOracle(document); err != nil {
		return nil, err
	}
	w := &wallet{tokens: map[purse]fresh{}}
	for i := range writers {
		reader := []*client.Client{crowd.Physician, crowd.Colleague}[i%2]
		held, err := reader.Grants(ctx)
		if err != nil {
			return nil, err
		}
		of := slices.IndexFunc(held, func(g ledger.Grant) bool { return g.Record == crowd.record })
		if of < 0 {
			return nil, fmt.Errorf("%s holds no grant", reader.Identity().User)
		}
		who := crowd.of(reader.Identity().User)
		door, err := crowd.door(w, who, network.Organizations[0].GatewayURL)
		if err != nil {
			return nil, err
		}
		l.doors, l.who, l.grants = append(l.doors, door), append(l.who, who), append(l.grants, held[of].ID)
	}
	return l, nil
}

// write opens a record once, of which there are as many a day as somebody wants.
func (l *load) write(ctx context.Context, i int) error {
	argument, err := json.Marshal(ledger.OpenRecord{
		RecordVersion: ledger.RecordVersion{Record: crowd.record, Version: 1}, Grant: l.grants[i],
	})
	if err != nil {
		return err
	}
	made, err := proposal.New(l.who[i].creator, proposal.Invocation{Channel: network.Channel, Transaction: ledger.TxOpenRecord, Arguments: argument}, time.Now())
	if err != nil {
		return err
	}
	envelope, err := l.endorse(ctx, i, made)
	if err != nil {
		return fmt.Errorf("endorse: %w", err)
	}
	if err := l.submit(ctx, i, made.TransactionID, envelope); err != nil {
		return fmt.Errorf("submit: %w", err)
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.acknowledged = append(l.acknowledged, made.TransactionID)
	return nil
}

func (l *load) endorse(ctx context.Context, i int, made *proposal.Proposal) ([]byte, error) {
	signature, err := l.who[i].creator.Sign(made.Bytes)
	if err != nil {
		return nil, err
	}
	text, err := l.persist(ctx, func() (*http.Response, []byte, error) {
		a, err := l.doors[i].EndorseTransactionWithResponse(ctx, made.TransactionID, api.SignedProposal{Proposal: made.Bytes, Signature: signature})
		if err != nil {
			return nil, nil, err
		}
		return a.HTTPResponse, a.Body, nil
	})
	if err != nil {
		return nil, err
	}
	var endorsed api.EndorsedTransaction
	err = json.Unmarshal(text, &endorsed)
	return endorsed.Transaction, err
}

func (l *load) submit(ctx context.Context, i int, id string, envelope []byte) error {
	signature, err := l.who[i].creator.Sign(envelope)
	if err != nil {
		return err
	}
	_, err = l.persist(ctx, func() (*http.Response, []byte, error) {
		a, err := l.doors[i].SubmitTransactionWithResponse(ctx, id, api.SignedTransaction{Transaction: envelope, Signature: signature})
		if err != nil {
			return nil, nil, err
		}
		return a.HTTPResponse, a.Body, nil
	})
	return err
}

// persist repeats a request until it succeeds, as long as each refusal is typed and, when
// there is a time to wait, says it.
func (l *load) persist(ctx context.Context, ask func() (*http.Response, []byte, error)) ([]byte, error) {
	for {
		response, body, err := ask()
		if err != nil {
			return nil, err
		}
		if response.StatusCode == http.StatusOK {
			l.note("200")
			return body, nil
		}
		if err := l.oracle.checkProblem(response.Header.Get("Content-Type"), answer{status: response.StatusCode, header: response.Header, body: body}); err != nil {
			return nil, err
		}
		var problem api.Problem
		if err := json.Unmarshal(body, &problem); err != nil {
			return nil, err
		}
		l.note(fmt.Sprint(problem.Status, " ", problem.Code))
		seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
		switch {
		case problem.Status == http.StatusServiceUnavailable && err != nil:
			return nil, fmt.Errorf("503 without a time to wait: %s", body)
		case problem.Status < http.StatusInternalServerError && problem.Status != http.StatusTooManyRequests, problem.Status == http.StatusInternalServerError:
			return nil, fmt.Errorf("%s", body)
		}
		select {
		case <-time.After(time.Duration(seconds) * time.Second):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (l *load) note(outcome string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.answers[outcome]++
}

// requireAll looks every acknowledged write up at a hospital, which may be a moment behind.
func (l *load) requireAll(ctx context.Context, t *testing.T, gateway string) {
	t.Helper()
	w := &wallet{tokens: map[purse]fresh{}}
	for i, id := range l.acknowledged {
		if err := eventually(ctx, "an acknowledged write is at "+gateway, func() (bool, error) {
			door, err := crowd.door(w, crowd.all[i%len(crowd.all)], gateway)
			if err != nil {
				return false, err
			}
			a, err := door.ReadTransactionWithResponse(ctx, id)
			if err != nil {
				return false, err
			}
			if a.JSON200 == nil {
				return false, fmt.Errorf("%s: %s", id, a.Body)
			}
			if a.JSON200.Code != "VALID" {
				t.Errorf("acknowledged transaction %s is %s at %s", id, a.JSON200.Code, gateway)
			}
			return true, nil
		}); err != nil {
			t.Error(err)
		}
	}
}

// The script for operators says how many answers there were of each status.
func TestLoadScript(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	hospital := network.Organizations[0]
	token, err := crowd.token(ctx, crowd.all[0], hospital.GatewayURL)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	script := exec.CommandContext(ctx, "../../scripts/load", file, hospital.GatewayURL+"/v1/organizations", "10", "2s")
	script.Env = append(os.Environ(), "CA="+hospital.TLSRoot)
	report, err := script.CombinedOutput()
	if err != nil || !strings.Contains(string(report), "200:20") {
		t.Errorf("%v\n%s", err, report)
	}
}
