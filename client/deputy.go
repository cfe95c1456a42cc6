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

// viewLife is how long a deputy believes what a majority told of a record: its level can
// be raised.
const viewLife = time.Minute

// Deputy answers requests in a patient's name, by the rules that the patient wrote, while
// the patient is away. It has the keys of the records that the rules reach and not the
// seed: see [Client.Entrust].
type Deputy struct {
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
	own   bool      // it is under the key that the deputy has
	at    time.Time
}

// OpenDeputy returns the deputy of the patient of the home. It reads neither seed nor
// passphrase.
func OpenDeputy(dir string) (*Deputy, error) {
	store, err := home.Open(dir)
	if err != nil {
		return nil, err
	}
	d := &Deputy{stamp: stampOf(store), known: map[ledger.RecordVersion]sighting{}}
	if d.rules, err = readRules(store); err != nil {
		return nil, err
	}
	if len(d.rules) == 0 {
		return nil, fault.New(fault.NotFound, "there are no rules for an agent; write one: pie agent rule add")
	}
	keys, err := store.ReadAgentKeys()
	if err != nil {
		return nil, err
	}
	d.c, err = openWith(store, keys.Identity, keyring{entrusted: keys}, new(meter))
	return d, err
}

func stampOf(store *home.Home) string {
	return store.AgentStamp(rulesFile, certificateFile, invitationFile)
}

// Current reports whether the rules, the keys and the certificate are still those that the
// deputy was opened with. One that is not has to be opened again before it answers more.
func (d *Deputy) Current() bool { return stampOf(d.c.home) == d.stamp }

// Rules are what the patient wrote.
func (d *Deputy) Rules() []rule.Rule { return d.rules }

// Identity is the patient's.
func (d *Deputy) Identity() ledger.Identity { return d.c.identity }

// Ask makes another gateway of the trust bundle the first to be asked.
func (d *Deputy) Ask(url string) error { return d.c.Ask(url) }

// CardOf is [Client.CardOf].
func (d *Deputy) CardOf(ctx context.Context, user ledger.UserID) (trust.Card, bool, error) {
	return d.c.CardOf(ctx, user)
}

// Pending hands over the requests made since a time that nobody has answered yet, some at
// once, oldest first.
func (d *Deputy) Pending(ctx context.Context, from time.Time, take func([]ledger.AccessRequest) error) error {
	state := ledger.Pending
	_, err := eachPage[ledger.AccessRequest](ctx, d.c, func(ctx context.Context, g *gateway, page ledger.Page) (*http.Response, error) {
		return g.api.ListRequests(ctx, &api.ListRequestsParams{
			State: &state, From: optional(from), Limit: &page.Limit, Bookmark: optional(page.Bookmark),
		})
	}, take)
	return err
}

// Answers lists what a rule answered on one day.
func (d *Deputy) Answers(ctx context.Context, id ledger.ID, day string) ([]ledger.Answer, error) {
	rows, _, err := list[ledger.Answer](ctx, d.c, func(ctx context.Context, g *gateway, page ledger.Page) (*http.Response, error) {
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
func (d *Deputy) Judge(ctx context.Context, request ledger.AccessRequest) (Verdict, error) {
	if request.Patient != d.c.identity.User || request.State != ledger.Pending {
		return left("it is not for you to answer"), nil
	}
	concerned := d.concerned(request)
	if len(concerned) == 0 {
		return left("no rule names who asks, for this purpose and record"), nil
	}
	v := ledger.RecordVersion{Record: request.Record, Version: request.Version}
	if d.c.keys.record(v.Record, v.Version) == nil {
		return left("the agent does not have the record's key; run: pie agent refresh"), nil
	}
	if why, err := d.doubt(ctx, request.Requester.User); why != "" || err != nil {
		return left(why), err
	}
	record, err := d.look(ctx, v)
	if err != nil {
		return Verdict{}, err
	}
	return choose(concerned, record), nil
}

func (d *Deputy) concerned(request ledger.AccessRequest) []*rule.Rule {
	var concerned []*rule.Rule
	for i := range d.rules {
		if d.rules[i].Concerns(request) {
			concerned = append(concerned, &d.rules[i])
		}
	}
	return concerned
}

// doubt says why somebody is not believed to be a physician; empty when their own
// hospital's signature says so.
func (d *Deputy) doubt(ctx context.Context, requester ledger.UserID) (string, error) {
	card, has, err := d.c.CardOf(ctx, requester)
	var bad *CardError
	switch {
	case errors.As(err, &bad):
		return "the professional card of who asks does not verify", nil
	case err != nil:
		return "", err
	case !has || card.Role != ledger.Physician:
		return "no professional card says that who asks is a physician", nil
	}
	return "", nil
}

// choose keeps the rules that reach the record.
func choose(concerned []*rule.Rule, record sighting) Verdict {
	switch {
	case !record.own:
		return left("the record is under another key than the agent's")
	case record.state == ledger.Superseded || record.state == ledger.ErasedRow:
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
func (d *Deputy) look(ctx context.Context, v ledger.RecordVersion) (sighting, error) {
	d.mutex.Lock()
	seen := d.known[v]
	d.mutex.Unlock()
	if time.Since(seen.at) < viewLife {
		return seen, nil
	}
	record, err := d.c.agreeOn(ctx, v.Record, v.Version, sameMatter)
	if err != nil {
		return sighting{}, err
	}
	if record.Version != v.Version {
		return sighting{}, fault.New(fault.NotFound, "there is no version %d of record %s", v.Version, v.Record)
	}
	seen = sighting{
		Matter: matterOf(record.RecordView), state: record.State, until: record.Policy.NotAfter, at: time.Now(),
		own: record.key.Equal(d.c.keys.record(v.Record, v.Version).PublicKey()),
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.known[v] = seen
	return seen, nil
}

// sameMatter compares besides what rules look at. Gateways that are a change of policy
// apart disagree, and are asked again.
func sameMatter(a, b ledger.RecordView) bool {
	return sameRecord(a, b) && matterOf(a) == matterOf(b)
}

// Answer says by which of the rules a request is granted, in which slot of its day.
type Answer struct {
	Rule  *rule.Rule
	Slot  int
	Until time.Time // of the verdict
}

// Grant grants a request for the rule's days, or until the record's policy ends. The ledger refuses it when the request is not as it was told
// ([fault.InvalidArgument], [fault.NotFound]), has been answered ([fault.StateConflict]),
// or the slot has been used ([fault.AlreadyExists]).
func (d *Deputy) Grant(ctx context.Context, request ledger.AccessRequest, by Answer) (ledger.AccessRequest, error) {
	expiry := time.Now().AddDate(0, 0, by.Rule.Days)
	if !by.Until.IsZero() && by.Until.Before(expiry) {
		expiry = by.Until
	}
	return d.c.grant(ctx, request, terms{expiry: expiry, standing: ledger.Standing{Rule: by.Rule.ID, Slot: by.Slot}})
}
