package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// watchInterval is how often a responder's device looks whether it has what it waits for,
// beside each time that its gateway tells of something.
const watchInterval = 250 * time.Millisecond

// AwaitEmergency waits until a declaration is active and custodians have passed on all that
// it covers, and says what it waits for. It fails with the declaration as it is then.
func (c *Client) AwaitEmergency(ctx context.Context, name ledger.DeclarationName, patience time.Duration) (ledger.Declaration, error) {
	listening, stop := context.WithCancel(ctx)
	defer stop()
	wake := c.Wake(listening)
	for deadline := time.Now().Add(patience); ; {
		view, lacks, err := c.lacks(ctx, name)
		if err != nil || lacks == "" {
			return view.Declaration, err
		}
		if time.Now().After(deadline) {
			return view.Declaration, fault.New(fault.ThresholdNotMet, "after %s, still waiting for %s; look again: pie emergency show %s", patience, lacks, name)
		}
		c.step("waiting for %s", lacks)
		select {
		case <-wake:
		case <-time.After(watchInterval):
		case <-ctx.Done():
			return view.Declaration, ctx.Err()
		}
	}
}

// lacks says what a declaration waits for, nothing when all it covers has been passed on.
func (c *Client) lacks(ctx context.Context, name ledger.DeclarationName) (ledger.DeclarationView, string, error) {
	view, err := c.reported(ctx, name)
	if err != nil {
		return view, "", err
	}
	switch view.State {
	case ledger.Declared:
		return view, "somebody of another hospital to approve " + name.String(), nil
	case ledger.ActiveEmergency:
	default:
		return view, "", fault.New(fault.BreakGlassRefused, "declaration %s is %s", name, view.State)
	}
	var covered []ledger.RecordView
	var issued []ledger.Grant
	reading, both := errgroup.WithContext(ctx)
	reading.Go(func() (err error) { covered, err = c.EmergencyRecords(both, name); return err })
	reading.Go(func() (err error) { issued, err = c.EmergencyGrants(both, name.Declaration); return err })
	if err := reading.Wait(); err != nil {
		return view, "", err
	}
	if len(covered) == 0 {
		return view, "", fault.New(fault.NotFound, "declaration %s covers no record: the patient has none of that kind", name)
	}
	has := map[ledger.ID]bool{}
	for _, grant := range issued {
		has[grant.Record] = true
	}
	for _, record := range covered {
		if !has[record.Record.Record] {
			return view, fmt.Sprintf("an emergency desk, or the author, to pass on record %s", record.Record.Record), nil
		}
	}
	return view, "", nil
}

// EmergencyFile is one record that was opened in an emergency.
type EmergencyFile struct {
	Opened
	File string `json:"file"`
}

// OpenEmergency opens all that custodians have passed on under a declaration, each record
// to a file of its ID in the directory.
func (c *Client) OpenEmergency(ctx context.Context, name ledger.DeclarationName, dir string) ([]EmergencyFile, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var files []EmergencyFile
	err := c.underDeclaration(ctx, name, func(issued []ledger.Grant, from *gateway) error {
		file := filepath.Join(dir, string(issued[0].Record))
		opened, err := c.openFirst(ctx, issued, from, saveAt(file))
		if err == nil {
			files = append(files, EmergencyFile{opened, file})
		}
		return err
	})
	return files, err
}

// EmergencyText is one record that was opened in an emergency, in memory.
type EmergencyText struct {
	Opened
	Text []byte
}

// ReadEmergency is [Client.OpenEmergency] without files, for what is small: the summary.
// The newest comes first.
func (c *Client) ReadEmergency(ctx context.Context, name ledger.DeclarationName) ([]EmergencyText, error) {
	var texts []EmergencyText
	err := c.underDeclaration(ctx, name, func(issued []ledger.Grant, from *gateway) error {
		var text bytes.Buffer
		opened, err := c.openFirst(ctx, issued, from, writeTo(&text))
		if err == nil {
			texts = append(texts, EmergencyText{opened, text.Bytes()})
		}
		return err
	})
	slices.SortStableFunc(texts, func(a, b EmergencyText) int {
		return b.Record.Registered.Compare(a.Record.Registered)
	})
	return texts, err
}

// underDeclaration opens each record that has been passed on, with what custodians issued
// for it: desk and author may both have answered, and one of them not in good faith.
func (c *Client) underDeclaration(ctx context.Context, name ledger.DeclarationName, open func([]ledger.Grant, *gateway) error) error {
	view, err := c.reported(ctx, name)
	if err != nil {
		return err
	}
	if view.State != ledger.ActiveEmergency {
		return fault.New(fault.BreakGlassRefused, "declaration %s is %s", name, view.State)
	}
	if !time.Now().Before(view.Expiry) {
		return fault.New(fault.BreakGlassRefused, "declaration %s ended on %s; declare again", name, view.Expiry)
	}
	grants, from, err := c.emergencyGrants(ctx, name.Declaration)
	if err != nil {
		return err
	}
	if len(grants) == 0 {
		return fault.New(fault.NotFound, "nothing has been passed on under declaration %s; see: pie emergency show %s", name.Declaration, name)
	}
	var failures []error
	for _, issued := range byRecord(grants) {
		if err := open(issued, from); err != nil {
			failures = append(failures, fmt.Errorf("record %s: %w", issued[0].Record, err))
		}
	}
	return errors.Join(failures...)
}

// byRecord keeps the grants of each record version together, in the order they came in.
func byRecord(grants []ledger.Grant) [][]ledger.Grant {
	var groups [][]ledger.Grant
	for _, grant := range grants {
		i := slices.IndexFunc(groups, func(group []ledger.Grant) bool {
			return group[0].Record == grant.Record && group[0].Version == grant.Version
		})
		if i < 0 {
			i, groups = len(groups), append(groups, nil)
		}
		groups[i] = append(groups[i], grant)
	}
	return groups
}

// openFirst opens a record with the first of the grants that opens it: a custodian whose
// grant opens nothing cannot crowd out another's. What was found out about those before is
// in what it returns, and when none opens, in the error.
func (c *Client) openFirst(ctx context.Context, issued []ledger.Grant, from *gateway, keep keeping) (Opened, error) {
	var failures []error
	var blamed []*LiarError
	for _, grant := range issued {
		held := make(chan holding, 1)
		held <- holding{grants: []ledger.Grant{grant}, from: from}
		opened, err := c.openWith(ctx, ledger.RecordVersion{Record: grant.Record, Version: grant.Version}, held, keep)
		if err == nil {
			opened.Blamed = append(opened.Blamed, blamed...)
			return opened, nil
		}
		var lie *LiarError
		if errors.As(err, &lie) {
			blamed = append(blamed, lie)
		}
		failures = append(failures, fmt.Errorf("by the grant of %s: %w", grant.Issuer, err))
	}
	return Opened{}, errors.Join(failures...)
}
