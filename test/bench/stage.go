package main

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
	"github.com/pie-consortium/pie/test/people"
)

// stage is a running network with its people, and the way past PIE to what lies
// underneath.
type stage struct {
	*people.Cast
	network *networktest.Network
	dir     string
	peers   map[string]*peer // by MSP
	nodes   map[string]kubo  // by MSP
	floor   *floorChaincode
}

// openStage starts everything. The caller closes it.
func openStage(ctx context.Context) (*stage, error) {
	network, err := networktest.Start()
	if err != nil {
		return nil, err
	}
	s := &stage{network: network, peers: map[string]*peer{}, nodes: map[string]kubo{}}
	if err := s.furnish(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *stage) furnish(ctx context.Context) error {
	var err error
	if s.dir, err = os.MkdirTemp("", "pie-bench-"); err != nil {
		return err
	}
	for _, organization := range s.network.Organizations {
		if s.peers[organization.MSP], err = dialPeer(s.network, organization); err != nil {
			return err
		}
		s.nodes[organization.MSP] = kubo(organization.IPFSAPI)
	}
	if s.floor, err = deployFloor(ctx, s); err != nil {
		return fmt.Errorf("deploy the chaincode of the floor: %w", err)
	}
	s.Cast, err = people.Enroll(ctx, s.network, s.dir)
	return err
}

// Close ends the network and deletes all content.
func (s *stage) Close() error {
	for _, p := range s.peers {
		p.close()
	}
	if s.floor != nil {
		s.floor.close()
	}
	return errors.Join(s.network.Close(), os.RemoveAll(s.dir))
}

// authorize has a patient open n slots for an author. Their content has one replica: copying it to
// a second hospital, on the same processor, would be measured with neither job nor
// floor but with whatever comes next.
func authorize(ctx context.Context, patient, author *client.Client, class ledger.Class, n int) ([]ledger.ID, error) {
	policy := client.DefaultPolicy(class)
	policy.Replicas = 1
	var wishes []client.Authorization
	for range n {
		wishes = append(wishes, client.Authorization{Author: ledger.PersonSubject(author.Identity().User), Policy: policy, Expiry: time.Now().Add(12 * time.Hour)})
	}
	uploads, err := patient.Authorize(ctx, wishes...)
	var records []ledger.ID
	for _, slot := range uploads {
		records = append(records, slot.Record)
	}
	return records, err
}

// file is an EMR of the size: a hole, which costs nothing to read.
func (s *stage) file(size int64) (string, error) {
	path := filepath.Join(s.dir, fmt.Sprintf("emr-%d", size))
	if _, err := os.Stat(path); err == nil {
		return path, nil // somebody may be reading it
	}
	file, err := os.CreateTemp(s.dir, "emr-*.part")
	if err != nil {
		return "", err
	}
	return path, errors.Join(file.Truncate(size), file.Close(), os.Rename(file.Name(), path))
}

// newRecord describes an EMR of the size for a slot.
func (s *stage) newRecord(record ledger.ID, class ledger.Class, size int64) (client.NewRecord, error) {
	file, err := s.file(size)
	return client.NewRecord{
		Patient: s.Patient.Identity().User, Record: record, File: file,
		Metadata: ledger.Metadata{Class: class, MediaType: "application/octet-stream", Codes: []string{"http://loinc.org|8867-4"}},
	}, err
}

// publish puts an EMR of the size on the ledger.
func (s *stage) publish(ctx context.Context, class ledger.Class, size int64) (ledger.Record, error) {
	records, err := authorize(ctx, s.Patient, s.Physician, class, 1)
	if err != nil {
		return ledger.Record{}, err
	}
	n, err := s.newRecord(records[0], class, size)
	if err != nil {
		return ledger.Record{}, err
	}
	return s.Physician.Upload(ctx, n)
}

// open has somebody open a record, and throws away what it says.
func (s *stage) open(ctx context.Context, as *client.Client, record ledger.ID) error {
	path := filepath.Join(s.dir, "opened")
	if _, err := as.Open(ctx, record, 0, path); err != nil {
		return err
	}
	return os.Remove(path)
}
