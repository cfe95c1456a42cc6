// Package people enrols the people of a test at a running network and lets them do
// what they do every day.
package people

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/network/networktest"
)

// Cast is the people of the main job, each with a device of their own.
type Cast struct {
	Patient    *client.Client // of HospitalA
	Physician  *client.Client // of HospitalA, who writes
	Colleague  *client.Client // physician of HospitalB, who asks
	Researcher *client.Client // of HospitalC, cleared low

	dir string
}

// Home is the directory of a person's device: "patient", "physician", "colleague" or
// "researcher".
func (c *Cast) Home(name string) string { return filepath.Join(c.dir, name) }

// Enroll invites and enrols the cast; their devices' directories stand under dir.
func Enroll(ctx context.Context, network *networktest.Network, dir string) (*Cast, error) {
	cast := &Cast{dir: dir}
	for _, person := range []struct {
		name  string
		guest networktest.Guest
		into  **client.Client
	}{
		{"patient", networktest.Guest{MSP: "HospitalA", Role: ledger.RolePatient}, &cast.Patient},
		{"physician", professional("HospitalA", ledger.RolePhysician, ledger.LevelPrivate), &cast.Physician},
		{"colleague", professional("HospitalB", ledger.RolePhysician, ledger.LevelPrivate), &cast.Colleague},
		{"researcher", professional("HospitalC", ledger.RoleResearcher, ledger.LevelLow), &cast.Researcher},
	} {
		invitation, err := network.Invite(ctx, person.guest)
		if err != nil {
			return nil, fmt.Errorf("invite the %s: %w", person.name, err)
		}
		if *person.into, err = client.Enroll(ctx, cast.Home(person.name), &invitation, nil); err != nil {
			return nil, fmt.Errorf("enrol the %s: %w", person.name, err)
		}
	}
	return cast, nil
}

func professional(msp string, role ledger.Role, clearance ledger.Level) networktest.Guest {
	return networktest.Guest{MSP: msp, Role: role, Clearance: clearance, Department: "cardiology", Name: "Dr. Sato"}
}

// Authorize opens a slot for the physician, with the class's default policy.
func (c *Cast) Authorize(ctx context.Context, class ledger.Class) (ledger.ID, error) {
	uploads, err := c.Patient.Authorize(ctx, client.Authorization{
		Author: ledger.PersonSubject(c.Physician.Identity().User), Emergency: class == ledger.ClassSummary,
		Policy: client.DefaultPolicy(class), Expiry: time.Now().Add(time.Hour),
	})
	if err != nil {
		return "", err
	}
	return uploads[0].Record, nil
}

// Upload registers a file in the slot.
func (c *Cast) Upload(ctx context.Context, record ledger.ID, file string, metadata ledger.Metadata) error {
	_, err := c.Physician.Upload(ctx, client.NewRecord{
		Patient: c.Patient.Identity().User, Record: record, Metadata: metadata, File: file,
	})
	return err
}

// Publish authorises and uploads content of the class.
func (c *Cast) Publish(ctx context.Context, content []byte, class ledger.Class) (ledger.ID, error) {
	file, err := c.write(content)
	if err != nil {
		return "", err
	}
	defer os.Remove(file)
	record, err := c.Authorize(ctx, class)
	if err != nil {
		return "", err
	}
	return record, c.Upload(ctx, record, file, ledger.Metadata{Class: class, MediaType: "application/octet-stream"})
}

func (c *Cast) write(content []byte) (string, error) {
	file, err := os.CreateTemp(c.dir, "emr-")
	if err != nil {
		return "", err
	}
	_, err = file.Write(content)
	return file.Name(), errors.Join(err, file.Close())
}

// Share lets somebody ask for a record, and the patient grant it for an hour.
func (c *Cast) Share(ctx context.Context, record ledger.ID, with *client.Client, purpose ledger.Purpose) error {
	request, err := with.Request(ctx, ledger.RecordVersion{Record: record}, purpose)
	if err != nil {
		return err
	}
	_, err = c.Patient.Grant(ctx, request.ID, time.Now().Add(time.Hour))
	return err
}

// Read opens a record as somebody and returns its content.
func (c *Cast) Read(ctx context.Context, as *client.Client, record ledger.ID) ([]byte, error) {
	dir, err := os.MkdirTemp(c.dir, "opened-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "emr")
	if _, err := as.Open(ctx, record, 0, path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}
