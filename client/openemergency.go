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

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// watchInterval is how often a responder's device looks whether it has what it waits for.
const watchInterval = 250 * time.Millisecond

// AwaitEmergency waits until a declaration is active and custodians have passed on all that
// it covers, and says what it waits for. It fails with the declaration as it is then.
func (c *Client) AwaitEmergency(ctx context.Context, name ledger.DeclarationName, patience time.Duration) (ledger.Declaration, error) {
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
	covered, err := c.EmergencyRecords(ctx, name)
	if err != nil {
		return view, "", err
	}
	issued, err := c.EmergencyGrants(ctx, name.Declaration)
	if err != nil {
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
	err := c.underDeclaration(ctx, name, func(grant ledger.Grant) error {
		file := filepath.Join(dir, string(grant.Record))
		opened, err := c.Open(ctx, grant.Record, grant.Version, file)
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
	err := c.underDeclaration(ctx, name, func(grant ledger.Grant) error {
		var text bytes.Buffer
		opened, err := c.OpenTo(ctx, grant.Record, grant.Version, &text)
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

// underDeclaration opens each record that has been passed on, once: desk and author may
// both have answered.
func (c *Client) underDeclaration(ctx context.Context, name ledger.DeclarationName, open func(ledger.Grant) error) error {
	view, err := c.reported(ctx, name)
	if err != nil {
		return err
	}
	if view.State != ledger.ActiveEmergency {
		return fault.New(fault.BreakGlassRefused, "declaration %s is %s", name, view.State)
	}
	grants, err := c.EmergencyGrants(ctx, name.Declaration)
	if err != nil {
		return err
	}
	if len(grants) == 0 {
		return fault.New(fault.NotFound, "nothing has been passed on under declaration %s; see: pie emergency show %s", name.Declaration, name)
	}
	var failures []error
	seen := map[ledger.ID]bool{}
	for _, grant := range grants {
		if seen[grant.Record] {
			continue
		}
		seen[grant.Record] = true
		if err := open(grant); err != nil {
			failures = append(failures, fmt.Errorf("record %s: %w", grant.Record, err))
		}
	}
	return errors.Join(failures...)
}
