package client

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/pie-consortium/pie/client/internal/home"
	"github.com/pie-consortium/pie/client/rule"
	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// viewLife is how long an evaluator believes what a majority told of a record: its level can
// be raised.
const viewLife = time.Minute

// Evaluator answers requests in a patient's name, by the rules that the patient wrote, while
// the patient is away. It has the keys of the records that the rules reach and not the
// seed: see [Client.RefreshAgentKeys].
type Evaluator struct {
	c     *Client
	rules []rule.Rule
	stamp string

	mutex sync.Mutex
	known map[ledger.RecordVersion]sighting // of records whose keys it has
}

// sighting is what a majority told of a record, as far as rules look at it.
type sighting struct {
	rule.Matter
	state ledger.RecordState
	until time.Time // end of its policy
	own   bool      // it is under the key that the evaluator has
	at    time.Time
}

// OpenEvaluator returns the evaluator of the patient of the home. It reads neither seed nor
// passphrase.
func OpenEvaluator(dir string) (*Evaluator, error) {
	store, err := home.Open(dir)
	if err != nil {
		return nil, err
	}
	e := &Evaluator{stamp: stampOf(store), known: map[ledger.RecordVersion]sighting{}}
	if e.rules, err = readRules(store); err != nil {
		return nil, err
	}
	if len(e.rules) == 0 {
		return nil, fault.New(fault.NotFound, "there are no rules for an agent; write one: pie agent rule add")
	}
	keys, err := store.ReadAgentKeys()
	if err != nil {
		return nil, err
	}
	e.c, err = openWith(store, keys.Identity, keyring{entrusted: keys}, new(meter))
	return e, err
}

func stampOf(store *home.Home) string {
	return store.AgentStamp(rulesFile, certificateFile, invitationFile)
}

// Current reports whether the rules, the keys and the certificate are still those that the
// evaluator was opened with. One that is not has to be opened again before it answers more.
func (e *Evaluator) Current() bool { return stampOf(e.c.home) == e.stamp }

// Rules are what the patient wrote.
func (e *Evaluator) Rules() []rule.Rule { return e.rules }

// Identity is the patient's.
func (e *Evaluator) Identity() ledger.Identity { return e.c.identity }

// Ask makes another gateway of the trust bundle the first to be asked.
func (e *Evaluator) Ask(url string) error { return e.c.Ask(url) }

// CardOf is [Client.CardOf].
func (e *Evaluator) CardOf(ctx context.Context, user ledger.UserID) (trust.Card, bool, error) {
	return e.c.CardOf(ctx, user)
}

// Pending hands over the requests made since a time that nobody has answered yet, some at
// once, oldest first.
func (e *Evaluator) Pending(ctx context.Context, from time.Time, take func([]ledger.AccessRequest) error) error {
	state := ledger.RequestPending
	_, err := eachPage[ledger.AccessRequest](ctx, e.c, func(ctx context.Context, g *gateway, page ledger.Page) (*http.Response, error) {
		return g.api.ListRequests(ctx, &api.ListRequestsParams{
			State: &state, From: optional(from), Limit: &page.Limit, Bookmark: optional(page.Bookmark),
		})
	}, take)
	return err
}

// Answers lists what a rule answered on one day.
func (e *Evaluator) Answers(ctx context.Context, id ledger.ID, day string) ([]ledger.Answer, error) {
	rows, _, err := list[ledger.Answer](ctx, e.c, func(ctx context.Context, g *gateway, page ledger.Page) (*http.Response, error) {
		return g.api.ListAnswers(ctx, id, &api.ListAnswersParams{Day: day, Limit: &page.Limit, Bookmark: optional(page.Bookmark)})
	})
	return rows, err
}

// Verdict is what the rules make of a request: which of them grant it, in the order in which
// they were written, or why it is left to the patient.
type Verdict struct {
	Rules  []*rule.Rule
	Reason string    // without a rule
	Until  time.Time // when the record's policy ends; zero: never
}

func left(reason string) Verdict { return Verdict{Reason: reason} }

// Judge holds a request against the rules. What it believes of the requester is what their
// hospital signed, of the record what a majority of the members' gateways tells; of the
// request, which one gateway tells, the ledger refuses to grant what is not so.
func (e *Evaluator) Judge(ctx context.Context, request ledger.AccessRequest) (Verdict, error) {
	if request.Patient != e.c.identity.User || request.State != ledger.RequestPending {
		return left("it is not for you to answer"), nil
	}
	concerned := e.concerned(request)
	if len(concerned) == 0 {
		return left("no rule names who asks, for this purpose and record"), nil
	}
	v := ledger.RecordVersion{Record: request.Record, Version: request.Version}
	if e.c.keys.record(v.Record, v.Version) == nil {
		return left("the agent does not have the record's key; run: pie agent refresh"), nil
	}
	if why, err := e.doubt(ctx, request.Requester.User); why != "" || err != nil {
		return left(why), err
	}
	record, err := e.look(ctx, v)
	if err != nil {
		return Verdict{}, err
	}
	return choose(concerned, record), nil
}

func (e *Evaluator) concerned(request ledger.AccessRequest) []*rule.Rule {
	var concerned []*rule.Rule
	for i := range e.rules {
		if e.rules[i].Concerns(request) {
			concerned = append(concerned, &e.rules[i])
		}
	}
	return concerned
}

// doubt says why somebody is not believed to be a physician; empty when their own
// hospital's signature says so.
func (e *Evaluator) doubt(ctx context.Context, requester ledger.UserID) (string, error) {
	card, has, err := e.c.CardOf(ctx, requester)
	var bad *CardError
	switch {
	case errors.As(err, &bad):
		return "the professional card of who asks does not verify", nil
	case err != nil:
		return "", err
	case !has || card.Role != ledger.RolePhysician:
		return "no professional card says that who asks is a physician", nil
	}
	return "", nil
}

// choose keeps the rules that reach the record.
func choose(concerned []*rule.Rule, record sighting) Verdict {
	switch {
	case !record.own:
		return left("the record is under another key than the agent's")
	case record.state == ledger.RecordSuperseded || record.state == ledger.RecordErased:
		return left("the record's version is " + string(record.state))
	}
	verdict := Verdict{Until: record.until}
	for _, r := range concerned {
		if why := r.Excludes(record.Matter); why != "" {
			verdict.Reason = why
		} else {
			verdict.Rules = append(verdict.Rules, r)
		}
	}
	return verdict
}

// look returns what a majority tells of a record, level and class included.
func (e *Evaluator) look(ctx context.Context, v ledger.RecordVersion) (sighting, error) {
	e.mutex.Lock()
	seen := e.known[v]
	e.mutex.Unlock()
	if time.Since(seen.at) < viewLife {
		return seen, nil
	}
	record, err := e.c.agreeOn(ctx, v.Record, v.Version, sameMatter)
	if err != nil {
		return sighting{}, err
	}
	if record.Version != v.Version {
		return sighting{}, fault.New(fault.NotFound, "there is no version %d of record %s", v.Version, v.Record)
	}
	seen = sighting{
		Matter: matterOf(record.RecordView), state: record.State, until: record.Policy.NotAfter, at: time.Now(),
		own: record.key.Equal(e.c.keys.record(v.Record, v.Version).PublicKey()),
	}
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.known[v] = seen
	return seen, nil
}

// sameMatter compares besides what rules look at. Gateways that are a change of policy
// apart disagree, and are asked again.
func sameMatter(a, b ledger.RecordView) bool {
	return sameRecord(a, b) && matterOf(a) == matterOf(b)
}

// StandingAnswer says by which of the rules a request is granted, in which place of its day.
type StandingAnswer struct {
	Rule  *rule.Rule
	Place int
	Until time.Time // of the verdict
}

// Grant grants a request for the rule's days, or until the record's policy ends. The ledger refuses it when the request is not as it was told
// ([fault.InvalidArgument], [fault.NotFound]), has been answered ([fault.StateConflict]),
// or the place has been used ([fault.AlreadyExists]).
func (e *Evaluator) Grant(ctx context.Context, request ledger.AccessRequest, by StandingAnswer) (ledger.AccessRequest, error) {
	expiry := time.Now().AddDate(0, 0, by.Rule.Days)
	if !by.Until.IsZero() && by.Until.Before(expiry) {
		expiry = by.Until
	}
	return e.c.grant(ctx, request, terms{expiry: expiry, standing: ledger.Standing{Rule: by.Rule.ID, Place: by.Place}})
}
