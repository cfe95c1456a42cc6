package chaos

import (
	"context"
	"fmt"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/network/networktest"
)

// party is people who share records: a patient and their physician at one hospital, a
// physician of the next one who asks.
type party struct {
	patient, author, reader *client.Client
	dir                     string
}

func (p *party) home(name string) string { return filepath.Join(p.dir, name) }

// enrol makes a party around the hospital of this number.
func enrol(ctx context.Context, number int, dir string) (*party, error) {
	hospitals := network.Organizations
	here, next := hospitals[number%len(hospitals)].MSP, hospitals[(number+1)%len(hospitals)].MSP
	p := &party{dir: dir}
	enrolling, ctx := errgroup.WithContext(ctx)
	for name, person := range map[string]struct {
		guest networktest.Guest
		into  **client.Client
	}{
		"patient": {networktest.Guest{MSP: here, Role: ledger.Patient}, &p.patient},
		"author":  {physician(here), &p.author},
		"reader":  {physician(next), &p.reader},
	} {
		enrolling.Go(func() error {
			invitation, err := network.Invite(ctx, person.guest)
			if err != nil {
				return fmt.Errorf("invite the %s: %w", name, err)
			}
			*person.into, err = client.Enroll(ctx, p.home(name), &invitation, nil)
			return err
		})
	}
	return p, enrolling.Wait()
}

func physician(msp string) networktest.Guest {
	return networktest.Guest{MSP: msp, Role: ledger.Physician, Clearance: ledger.Private, Department: "surgery", Name: "Dr. Mori"}
}
