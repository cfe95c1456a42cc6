package client

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pie-consortium/pie/ledger"
)

// erasedFolder remembers the records that this device erased: the ledger lists none.
const erasedFolder = "erased"

// Disclosures is every access to this patient's records in a span of time, and every
// refused one, oldest first, as all hospitals together tell: what one hides, another tells.
// Zero times do not bound it. The records are those that are there, and of erased ones
// those that somebody asked for, that an emergency named, or that this device erased.
func (c *Client) Disclosures(ctx context.Context, from, to time.Time) ([]ledger.Access, error) {
	records, err := c.everRecords(ctx)
	if err != nil {
		return nil, err
	}
	disclosures := []ledger.Access{}
	for _, record := range records {
		trail, err := c.Trail(ctx, record)
		if err != nil {
			return nil, fmt.Errorf("the audit trail of record %s: %w", record, err)
		}
		disclosures = append(disclosures, trail...)
	}
	disclosures = slices.DeleteFunc(disclosures, func(a ledger.Access) bool {
		return a.Time.Before(from) || !to.IsZero() && !a.Time.Before(to)
	})
	slices.SortStableFunc(disclosures, func(a, b ledger.Access) int { return a.Time.Compare(b.Time) })
	return disclosures, nil
}

// everRecords are the records of this patient that can be found, erased ones too.
func (c *Client) everRecords(ctx context.Context) ([]ledger.ID, error) {
	var records []ledger.ID
	live, err := c.ownRecords(ctx)
	if err != nil {
		return nil, err
	}
	for _, view := range live {
		records = append(records, view.ID)
	}
	requests, err := c.Requests(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, request := range requests {
		if request.Patient == c.identity.User {
			records = append(records, request.Record)
		}
	}
	erased, err := c.home.Names(erasedFolder)
	if err != nil {
		return nil, err
	}
	for _, name := range erased {
		records = append(records, ledger.ID(strings.TrimSuffix(name, ".json")))
	}
	declarations, err := c.Emergencies(ctx, ledger.ConcernAboutMe)
	for _, declaration := range declarations {
		if declaration.State != ledger.DeclarationDenied && declaration.State != ledger.DeclarationDeclared {
			records = append(records, declaration.Records...)
		}
	}
	slices.Sort(records)
	return slices.Compact(records), err
}
