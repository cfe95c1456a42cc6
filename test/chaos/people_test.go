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

// party is people who share records: a patient and their physician at one hospital,
// physicians of the next one who ask.
type party struct {
	patient, author *client.Client
	readers         []*client.Client
	dir             string
}

// staff is how many physicians ask: each may ask a patient [ledger.RequestQuota] times a day.
func staff() int {
	if *long {
		return 6
	}
	return 1
}

func (p *party) home(name string) string { return filepath.Join(p.dir, name) }

// enrol makes a party around the hospital of this number.
func enrol(ctx context.Context, number int, dir string) (*party, error) {
	hospitals := network.Organizations
	here, next := hospitals[number%len(hospitals)].MSP, hospitals[(number+1)%len(hospitals)].MSP
	p := &party{dir: dir, readers: make([]*client.Client, staff())}
	enrolling, ctx := errgroup.WithContext(ctx)
	enter := func(name string, guest networktest.Guest, into **client.Client) {
		enrolling.Go(func() error {
			invitation, err := network.Invite(ctx, guest)
			if err != nil {
				return fmt.Errorf("invite the %s: %w", name, err)
			}
			*into, err = client.Enroll(ctx, p.home(name), &invitation, nil)
			return err
		})
	}
	enter("patient", networktest.Guest{MSP: here, Role: ledger.RolePatient}, &p.patient)
	enter("author", physician(here), &p.author)
	for i := range p.readers {
		enter(readerHome(i), physician(next), &p.readers[i])
	}
	return p, enrolling.Wait()
}

// readerHome is the folder of a physician who asks.
func readerHome(number int) string { return fmt.Sprint("reader-", number) }

func physician(msp string) networktest.Guest {
	return networktest.Guest{MSP: msp, Role: ledger.RolePhysician, Clearance: ledger.LevelPrivate, Department: "surgery", Name: "Dr. Mori"}
}
