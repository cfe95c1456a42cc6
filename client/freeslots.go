package client

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"path"
	"slices"
	"sync"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/internal/input"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// FreeSlots is a patient's slots that are free for the user or their department, as a majority
// of the hospitals shows them. It may be used by many goroutines at once, and by one
// process of a device at a time: until it is closed, no other one gets a stock.
type FreeSlots struct {
	c      *Client
	from   *gateway
	unlock func()

	mutex sync.Mutex
	free  []ledger.Slot
}

// FreeSlots looks up a patient's free slots. The caller closes it.
func (c *Client) FreeSlots(ctx context.Context, patient ledger.UserID) (*FreeSlots, error) {
	if err := patient.Validate(); err != nil {
		return nil, err
	}
	unlock, err := c.home.Lock(path.Join(placesFolder, ".lock"))
	if err != nil {
		return nil, err
	}
	free, err := c.freeSlots(ctx, patient)
	if err != nil {
		unlock()
		return nil, err
	}
	return &FreeSlots{c: c, from: c.nearest(), free: free, unlock: unlock}, nil
}

// Close lets others of this device's processes get a stock.
func (s *FreeSlots) Close() { s.unlock() }

func (c *Client) freeSlots(ctx context.Context, patient ledger.UserID) ([]ledger.Slot, error) {
	c.step("looking for free slots of %s", patient)
	free, err := listByQuorum(ctx, c, listQuestion[ledger.Slot]{
		name: "the free slots of " + patient.String(), same: sameUpload,
		id: func(u ledger.Slot) ledger.ID { return u.Record },
		read: func(ctx context.Context, g *gateway, page ledger.Page) (*http.Response, error) {
			return g.api.ListSlots(ctx, &api.ListSlotsParams{FreeOf: &patient, Limit: &page.Limit, Bookmark: optional(page.Bookmark)})
		},
	})
	if err != nil {
		return nil, err
	}
	taken, err := c.taken()
	if err != nil {
		return nil, err
	}
	free = slices.DeleteFunc(free, func(u ledger.Slot) bool {
		return taken[u.Record] || u.Patient != patient || !u.Author.Includes(c.identity)
	})
	// Colleagues who look at the same slots begin elsewhere.
	rand.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
	return free, nil
}

// Free is how many slots are left.
func (s *FreeSlots) Free() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.free)
}

// take takes a slot that a record of the class goes into: an emergency summary has its own.
func (s *FreeSlots) take(class ledger.Class) (ledger.Slot, bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	i := slices.IndexFunc(s.free, func(u ledger.Slot) bool { return u.IsSummary == (class == ledger.ClassSummary) })
	if i < 0 {
		return ledger.Slot{}, false
	}
	free := s.free[i]
	s.free = slices.Delete(s.free, i, i+1)
	return free, true
}

// Upload is [Client.Upload] into a free slot: into another one when a colleague was
// faster, or the slot is over. Which record a file became is remembered, by its path and
// content: repeated, it has no further effect.
func (s *FreeSlots) Upload(ctx context.Context, n NewRecord) (ledger.Record, error) {
	file, err := input.Open(n.File) // once: the place is that of what is uploaded
	if err != nil {
		return ledger.Record{}, err
	}
	defer file.Close()
	name, err := s.c.placeOf("stock", n, file)
	if err != nil {
		return ledger.Record{}, err
	}
	if n.Record, err = s.c.placed(name); err != nil {
		return ledger.Record{}, err
	}
	if n.Record != "" {
		record, err := s.c.uploadFrom(ctx, n, file, s.c.beginAuthorized)
		if !slotLost(err) {
			return record, err
		}
	}
	for {
		free, found := s.take(n.Metadata.Class)
		if !found {
			return ledger.Record{}, fault.New(fault.NotFound, "no slot of %s is free for you; the patient opens more: pie record authorize --slots N", n.Patient)
		}
		n.Record = free.Record
		if err := s.c.place(name, n.Record); err != nil {
			return ledger.Record{}, err
		}
		record, err := s.c.uploadFrom(ctx, n, file, func(ctx context.Context, n NewRecord, file io.ReadSeeker) (*journal, error) {
			return s.c.beginIn(ctx, toldSlot{free, s.from}, n, file)
		})
		if !slotLost(err) {
			return record, err
		}
	}
}

// slotLost reports whether a slot cannot be used any more.
func slotLost(err error) bool {
	switch fault.CodeOf(err) {
	case fault.AlreadyExists, fault.ConsentExpired, fault.ConsentRevoked, fault.Erased:
		return err != nil
	}
	return false
}
