package matrix

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/network/networktest"
)

// world is the people and what stands on the ledger between them.
type world struct {
	network *networktest.Network
	peers   *peers
	web     *http.Client // for all gateways and CAs
	table   table

	registrars map[string]*networktest.Registrar // by MSP

	crowd []*person // of every role, clearance and organisation
	// The patient and the author of HospitalA whom most cells are about, a physician of
	// HospitalB whom the patient granted something, and somebody to whom HospitalB's CA
	// gave the patient's name.
	patient, author, colleague, namesake *person

	records  []*fixture // of the patient, by the author: every level, state and policy
	shared   *fixture   // the one of them that all who may ask have asked for
	narrowed *fixture   // the one whose policy the patient changed
	free     *fixture   // authorised, not registered
	owned    []*fixture // of the crowd's patients, by all of the crowd who may be authors
	unused   []*fixture // authorised for them, not registered
	growing  *fixture   // one of the records, which is a stream
	streams  []*fixture // of the crowd's patients, by all of the crowd who may be authors; not begun
	requests []object   // in every state, of the colleague for the shared record
	asked    []object   // pending, one for each of the crowd's patients
	accesses []access
	kept     object // the secret of a record that the colleague registered without its patient

	replaced    replaced
	emergencies emergencies

	committing sync.Mutex
	committed  map[ledger.Transaction]int
	slots      map[ledger.UserID][]ledger.ID // what lists must show
	inbox      map[ledger.UserID][]ledger.ID
	outbox     map[ledger.UserID][]ledger.ID
	held       map[ledger.UserID][]ledger.ID

	rule     ledger.ID // the patient's, which answered on this day
	day      string
	answered map[ledger.UserID][]ledger.ID
}

// access is an open with what it was about.
type access struct {
	object
	open string        // transaction ID
	at   time.Duration // from now, when a proxy asks about it
}

func build(ctx context.Context, network *networktest.Network) (*world, error) {
	w := &world{
		network: network, registrars: map[string]*networktest.Registrar{}, committed: map[ledger.Transaction]int{}, slots: map[ledger.UserID][]ledger.ID{},
		inbox: map[ledger.UserID][]ledger.ID{}, outbox: map[ledger.UserID][]ledger.ID{}, held: map[ledger.UserID][]ledger.ID{},
		rule: ledger.NewID(), answered: map[ledger.UserID][]ledger.ID{},
	}
	var err error
	if w.table, err = readTable(); err != nil {
		return nil, err
	}
	if w.peers, err = dialPeers(network); err != nil {
		return nil, err
	}
	if w.web, err = httpClient(network); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{
		w.enrol, w.register, w.authorize, w.fill, w.record, w.leave, w.ask, w.answer, w.revoke, w.narrow, w.open, w.replace, w.end, w.keep, w.respond,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// enrol gives certificates to the crowd and to the four whom cells are about.
func (w *world) enrol(ctx context.Context) error {
	for _, organization := range w.network.Organizations {
		account, err := w.network.Registrar(ctx, organization.MSP)
		if err != nil {
			return err
		}
		w.registrars[organization.MSP] = account
	}
	var who []ledger.Identity
	for _, role := range ledger.Roles() {
		for _, clearance := range append(ledger.Levels(), "") {
			for _, organization := range w.network.Organizations {
				name := fmt.Sprintf("%s-%s", role, cmp.Or(clearance, "none"))
				who = append(who, ledger.Identity{
					User: ledger.UserID{MSP: organization.MSP, Pseudonym: name}, Role: role, Clearance: clearance,
				})
			}
		}
	}
	crowd := len(who)
	who = append(who,
		ledger.Identity{User: ledger.UserID{MSP: "HospitalA", Pseudonym: "the-patient"}, Role: ledger.RolePatient},
		ledger.Identity{User: ledger.UserID{MSP: "HospitalA", Pseudonym: "the-author"}, Role: ledger.RolePhysician, Clearance: ledger.LevelPrivate},
		ledger.Identity{User: ledger.UserID{MSP: "HospitalB", Pseudonym: "the-colleague"}, Role: ledger.RolePhysician, Clearance: ledger.LevelPrivate},
		ledger.Identity{User: ledger.UserID{MSP: "HospitalB", Pseudonym: "the-patient"}, Role: ledger.RolePatient},
	)
	people := make([]*person, len(who))
	err := each(len(who), func(i int) (err error) {
		people[i], err = w.certify(ctx, who[i])
		return err
	})
	if err != nil {
		return err
	}
	w.crowd = people[:crowd]
	w.patient, w.author, w.colleague, w.namesake = people[crowd], people[crowd+1], people[crowd+2], people[crowd+3]
	return nil
}

// everybody is the crowd and the four.
func (w *world) everybody() []*person {
	return append(append([]*person{}, w.crowd...), w.patient, w.author, w.colleague, w.namesake)
}

func (w *world) register(ctx context.Context) error {
	people := w.everybody()
	return each(len(people), func(i int) error {
		_, err := commit[ledger.User](ctx, w, people[i], people[i].registration())
		return err
	})
}

// each does n things, some at a time, and reports every error.
func each(n int, do func(i int) error) error {
	var running sync.WaitGroup
	failures := make([]error, n)
	places := make(chan struct{}, 24)
	for i := range n {
		places <- struct{}{}
		running.Go(func() {
			defer func() { <-places }()
			failures[i] = do(i)
		})
	}
	running.Wait()
	return errors.Join(failures...)
}
