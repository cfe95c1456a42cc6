package client

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// summaryYear is how long a summary's desks hold their fragments, unless it is replaced.
const summaryYear = 365 * 24 * time.Hour

// UpdatedSummary is what became of a patient's emergency summary.
type UpdatedSummary struct {
	Record   ledger.Record   `json:"record"`
	Desks    []ledger.UserID `json:"desks"`
	Replaced []ledger.ID     `json:"replaced,omitempty"` // of the patient's own making, erased
}

// UpdateSummary registers a document as this patient's emergency summary, by themselves,
// gives it to emergency desks, and then erases the summaries that the patient registered
// before. Without desks those are taken that have the older ones; there must be one, as
// nobody else could pass it on. Those of physicians stay: they are theirs to keep current.
// Interrupted, it leaves a summary too many and none too few; run again it tidies up.
func (c *Client) UpdateSummary(ctx context.Context, document []byte, desks []ledger.UserID) (UpdatedSummary, error) {
	old, err := c.ownSummaries(ctx)
	if err != nil {
		return UpdatedSummary{}, err
	}
	if len(desks) == 0 {
		if desks, err = c.desksOf(ctx, old); err != nil {
			return UpdatedSummary{}, err
		}
	}
	if len(desks) == 0 {
		return UpdatedSummary{}, fault.New(fault.InvalidArgument, "no emergency desk could pass the summary on; name one with --desk")
	}
	record, err := c.registerSummary(ctx, document)
	if err != nil {
		return UpdatedSummary{}, err
	}
	updated := UpdatedSummary{Record: record, Desks: []ledger.UserID{}}
	for _, desk := range desks {
		if _, err := c.GrantCustodian(ctx, record.ID, desk, time.Now().Add(summaryYear)); err != nil {
			return updated, fmt.Errorf("give summary %s to the desk %s; the older one stays: %w", record.ID, desk, err)
		}
		updated.Desks = append(updated.Desks, desk)
	}
	for _, one := range old {
		if one.Author != c.identity.User {
			continue
		}
		if _, err := c.Erase(ctx, one.ID); err != nil {
			return updated, fmt.Errorf("erase the older summary %s: %w", one.ID, err)
		}
		updated.Replaced = append(updated.Replaced, one.ID)
	}
	return updated, nil
}

// ownSummaries are the emergency summaries of this patient, whoever registered them.
func (c *Client) ownSummaries(ctx context.Context) ([]ledger.RecordView, error) {
	views, err := c.ownRecords(ctx)
	return slices.DeleteFunc(views, func(v ledger.RecordView) bool { return !v.IsSummary }), err
}

// desksOf are the desks that can pass records on, as a majority of the hospitals tells.
func (c *Client) desksOf(ctx context.Context, records []ledger.RecordView) ([]ledger.UserID, error) {
	var desks []ledger.UserID
	for _, view := range records {
		record, version := view.ID, view.Version
		readers, err := listByQuorum(ctx, c, listQuestion[ledger.Reader]{
			name: "who can read record " + string(record),
			id:   func(r ledger.Reader) ledger.ID { return r.Grant },
			same: func(a, b ledger.Reader) bool {
				return a.Identity.User == b.Identity.User && a.Identity.Role == b.Identity.Role && a.State == b.State
			},
			read: func(ctx context.Context, g *gateway, page ledger.Page) (*http.Response, error) {
				return g.api.WhoCanRead(ctx, record, &api.WhoCanReadParams{Version: &version, Limit: &page.Limit, Bookmark: optional(page.Bookmark)})
			},
		})
		if err != nil {
			return nil, err
		}
		for _, r := range readers {
			desk := r.Grant != "" && r.Identity.Role == ledger.RoleEmergencyDesk && r.State == ledger.GrantActive
			if desk && !slices.Contains(desks, r.Identity.User) {
				desks = append(desks, r.Identity.User)
			}
		}
	}
	return desks, nil
}

// registerSummary opens a slot to this patient and registers the document in it. The
// document comes from memory and is never kept as a file.
func (c *Client) registerSummary(ctx context.Context, document []byte) (ledger.Record, error) {
	me := c.identity.User
	const soon = time.Hour
	slots, err := c.Authorize(ctx, Authorization{
		Author: ledger.PersonSubject(me), Emergency: true, Policy: DefaultPolicy(ledger.ClassSummary), Expiry: time.Now().Add(soon),
	})
	if err != nil {
		return ledger.Record{}, err
	}
	about := ledger.Metadata{Class: ledger.ClassSummary, MediaType: "application/fhir+json"}
	wanted := NewRecord{Patient: me, Record: slots[0].Record, Metadata: about}
	record, err := c.uploadFrom(ctx, wanted, bytes.NewReader(document), c.beginAuthorized)
	if err != nil {
		return record, err
	}
	return c.Confirm(ctx, record.ID)
}
