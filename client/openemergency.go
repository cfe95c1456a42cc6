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

const (
	// watchInterval is how often a responder's device looks whether it has what it waits
	// for, beside each time that its gateway tells of something.
	watchInterval = 250 * time.Millisecond
	// headStart is what custodians are left before the first look: their answer takes two
	// transactions.
	headStart = 50 * time.Millisecond
)

// PassedOn is what custodians have passed on to a responder under a declaration.
type PassedOn struct {
	Declaration ledger.DeclarationView
	c           *Client
	covered     []covered
	grants      []ledger.Grant
	from        *gateway // who told of the grants
}

// PassedOn looks for what custodians have passed on under a declaration of this user's.
func (c *Client) PassedOn(ctx context.Context, name ledger.DeclarationName) (PassedOn, error) {
	p := PassedOn{c: c}
	err := p.look(ctx, name)
	return p, err
}

// AwaitEmergency waits until a declaration is active and custodians have passed on all that
// it covers, and says what it waits for. It fails with the declaration as it is then.
func (c *Client) AwaitEmergency(ctx context.Context, name ledger.DeclarationName, patience time.Duration) (PassedOn, error) {
	listening, stop := context.WithCancel(ctx)
	defer stop()
	wake := c.Wake(listening, ledger.EventBreakGlassApproved, ledger.EventBreakGlassClosed, ledger.EventEmergencyGranted)
	p := PassedOn{c: c}
	deadline := time.Now().Add(patience)
	for pause := min(patience, headStart); ; pause = watchInterval {
		select {
		case <-wake:
		case <-time.After(pause):
		case <-ctx.Done():
			return p, ctx.Err()
		}
		if err := p.look(ctx, name); err != nil {
			return p, err
		}
		lacks, err := p.lacks()
		if err != nil || lacks == "" {
			return p, err
		}
		if time.Now().After(deadline) {
			return p, fault.New(fault.ThresholdNotMet, "after %s, still waiting for %s; look again: pie emergency show %s", patience, lacks, name)
		}
		c.step("waiting for %s", lacks)
	}
}

// look reads how things stand. What is covered is read once, when the declaration is active.
func (p *PassedOn) look(ctx context.Context, name ledger.DeclarationName) error {
	reading, both := errgroup.WithContext(ctx)
	before := p.Declaration.State
	reading.Go(func() error {
		view, err := p.c.reported(both, name)
		if err == nil { // else it stays in sight as it was
			p.Declaration = view
		}
		return err
	})
	if before != ledger.DeclarationDeclared && len(p.covered) == 0 {
		reading.Go(func() (err error) { p.covered, err = p.c.coverage(ctx, name); return err })
	}
	reading.Go(func() (err error) { p.grants, p.from, err = p.c.emergencyGrants(both, name); return err })
	err := reading.Wait()
	if err == nil && before == ledger.DeclarationDeclared && p.Declaration.State == ledger.DeclarationActive {
		p.covered, err = p.c.coverage(ctx, name)
	}
	return err
}

// lacks says what the declaration waits for, nothing when all it covers has been passed on.
func (p *PassedOn) lacks() (string, error) {
	name := p.Declaration.Name()
	switch {
	case p.Declaration.State == ledger.DeclarationDeclared:
		return "somebody of another hospital to approve " + name.String(), nil
	case p.Declaration.State != ledger.DeclarationActive:
		return "", fault.New(fault.BreakGlassRefused, "declaration %s is %s", name, p.Declaration.State)
	case len(p.covered) == 0:
		return "", fault.New(fault.NotFound, "declaration %s covers no record: the patient has none of that kind. What can be done now: find records (pie record search --patient %s) and declare for them by name (--record), which somebody of another hospital approves", name, name.Patient)
	}
	for _, record := range p.covered {
		if !slices.ContainsFunc(p.grants, func(g ledger.Grant) bool { return g.Record == record.ID }) {
			return fmt.Sprintf("an emergency desk, or the author, to pass on record %s; ask the author %s, who runs: pie emergency answer %s",
				record.ID, record.Author, name), nil
		}
	}
	return "", nil
}

// EmergencyFile is one record that was opened in an emergency.
type EmergencyFile struct {
	Opened
	File string `json:"file"`
}

// Save opens all that was passed on, each record to a file of its ID in the directory.
func (p PassedOn) Save(ctx context.Context, dir string) ([]EmergencyFile, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var files []EmergencyFile
	err := p.each(func(issued []ledger.Grant) error {
		file := filepath.Join(dir, string(issued[0].Record))
		opened, err := p.openFirst(ctx, issued, saveAt(file))
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

// Read is [PassedOn.Save] without files, for what is small: the summary. The newest comes
// first.
func (p PassedOn) Read(ctx context.Context) ([]EmergencyText, error) {
	var texts []EmergencyText
	err := p.each(func(issued []ledger.Grant) error {
		var text bytes.Buffer
		opened, err := p.openFirst(ctx, issued, writeTo(&text))
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

// each opens each record that has been passed on, with what custodians issued for it: desk
// and author may both have answered, and one of them not in good faith.
func (p PassedOn) each(open func([]ledger.Grant) error) error {
	name := p.Declaration.Name()
	switch {
	case p.Declaration.State != ledger.DeclarationActive:
		return fault.New(fault.BreakGlassRefused, "declaration %s is %s", name, p.Declaration.State)
	case !time.Now().Before(p.Declaration.Expiry):
		return fault.New(fault.BreakGlassRefused, "declaration %s ended on %s; declare again", name, p.Declaration.Expiry)
	case len(p.grants) == 0:
		return fault.New(fault.NotFound, "nothing has been passed on under declaration %s; see: pie emergency show %s", name.Declaration, name)
	}
	var failures []error
	for _, issued := range byRecord(p.grants) {
		if err := open(issued); err != nil {
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
func (p PassedOn) openFirst(ctx context.Context, issued []ledger.Grant, keep keeping) (Opened, error) {
	var failures []error
	var alterations []*AlteredError
	for _, grant := range issued {
		opened, err := p.open(ctx, grant, keep)
		if err == nil {
			opened.Altered = append(opened.Altered, alterations...)
			return opened, nil
		}
		var alteration *AlteredError
		if errors.As(err, &alteration) {
			alterations = append(alterations, alteration)
		}
		failures = append(failures, fmt.Errorf("by the grant of %s: %w", grant.Issuer, err))
	}
	return Opened{}, errors.Join(failures...)
}

func (p PassedOn) open(ctx context.Context, grant ledger.Grant, keep keeping) (Opened, error) {
	held := make(chan holding, 1)
	held <- holding{grants: []ledger.Grant{grant}, from: p.from}
	for _, record := range p.covered {
		if record.ID == grant.Record && record.Version == grant.Version {
			a, err := record.agree(ctx)
			if err != nil {
				return Opened{}, err
			}
			return p.c.openAgreed(ctx, a, held, keep)
		}
	}
	return p.c.openWith(ctx, ledger.RecordVersion{Record: grant.Record, Version: grant.Version}, held, keep)
}
