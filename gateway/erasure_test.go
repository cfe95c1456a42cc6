package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/pie-consortium/pie/internal/direct"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/network/networktest"
)

// kubo asks a hospital's own IPFS node; it reports false when the node refuses.
func kubo(t *testing.T, organization networktest.Organization, command string, options url.Values) ([]byte, bool) {
	t.Helper()
	request, err := http.NewRequestWithContext(within(t), http.MethodPost, organization.IPFSAPI+"/api/v0/"+command+"?"+options.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := direct.Client(http.DefaultTransport).Do(request)
	if err != nil {
		return nil, false // the node is down
	}
	defer response.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		return nil, false
	}
	return body.Bytes(), response.StatusCode == http.StatusOK
}

// onDisk reports whether the node itself has a block.
func onDisk(t *testing.T, organization networktest.Organization, cid string) bool {
	t.Helper()
	_, found := kubo(t, organization, "block/stat", url.Values{"arg": {cid}, "offline": {"true"}})
	return found
}

// blocksOf lists the blocks of a content that the node has.
func blocksOf(t *testing.T, organization networktest.Organization, cid string) []string {
	t.Helper()
	text, found := kubo(t, organization, "refs", url.Values{"arg": {cid}, "recursive": {"true"}, "offline": {"true"}})
	if !found {
		t.Fatalf("%s has no %s", organization.IPFS, cid)
	}
	blocks := []string{cid}
	for lines := json.NewDecoder(bytes.NewReader(text)); lines.More(); {
		var line struct{ Ref string }
		if err := lines.Decode(&line); err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, line.Ref)
	}
	return blocks
}

// fetch has a node read a content whole, as for somebody of that hospital, which leaves
// its blocks there.
func fetch(t *testing.T, organization networktest.Organization, cid string) {
	t.Helper()
	if _, found := kubo(t, organization, "cat", url.Values{"arg": {cid}}); !found {
		t.Fatalf("%s does not find %s", organization.IPFS, cid)
	}
}

// erase has the patient erase the record.
func (s *share) erase() {
	s.patient.t.Helper()
	s.patient.mustTransact(ledger.TxEraseRecord, ledger.EraseRecord{Record: s.wanted.Record}, s.metadata)
}

// outcomes are what hospitals have confirmed about the content, by MSP.
func (s *share) outcomes() map[string]ledger.ContentOutcome {
	s.patient.t.Helper()
	answer, err := s.patient.client.ReadErasureWithResponse(within(s.patient.t), s.wanted.Record)
	if err != nil || answer.JSON200 == nil {
		s.patient.t.Fatalf("erasure: %v %s", err, answer.Body)
	}
	outcomes := map[string]ledger.ContentOutcome{}
	for _, confirmation := range answer.JSON200.Confirmations {
		for _, content := range confirmation.Contents {
			outcomes[confirmation.MSP] = content.Outcome
		}
	}
	return outcomes
}

func (s *share) allConfirm(want ledger.ContentOutcome) {
	t := s.patient.t
	t.Helper()
	eventually(t, "the confirmations of all hospitals", func() bool { return len(s.outcomes()) == len(network.Organizations) })
	for msp, outcome := range s.outcomes() {
		if outcome != want {
			t.Errorf("%s says %s, want %s", msp, outcome, want)
		}
	}
}

// An erased record's ciphertext is gone from the disks of all nodes, those that were down
// and those that only read it once too, and each hospital says so when it is done.
func TestErasedContentIsGoneEverywhere(t *testing.T) {
	s, other := newShare(t, 2), newShare(t, 3)
	eventually(t, "two replicas", func() bool { return len(s.replicas()) == 2 && len(other.replicas()) == 3 })
	for _, organization := range network.Organizations {
		fetch(t, organization, s.registration.CID)
	}
	blocks := blocksOf(t, hospital(t, "HospitalA"), s.registration.CID)
	if len(blocks) < 4 {
		t.Fatalf("blocks %v", blocks)
	}
	nodeless, killed := hospital(t, "HospitalB"), hospital(t, "HospitalC")
	for _, err := range []error{network.Stop(nodeless.IPFS), network.Kill(killed.Gateway)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.erase()
	eventually(t, "the confirmation of HospitalA", func() bool { return s.outcomes()["HospitalA"] == ledger.ContentDeleted })
	if got := s.outcomes(); len(got) != 1 {
		t.Errorf("hospitals that are down say %v", got)
	}
	refused(t, s.author.get(s.contentPath(), nil).problem, fault.Erased)

	for _, err := range []error{network.Start(nodeless.IPFS), network.Start(killed.Gateway)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.allConfirm(ledger.ContentDeleted)
	for _, organization := range network.Organizations {
		for _, block := range blocks {
			if onDisk(t, organization, block) {
				t.Errorf("block %s is still on the disk of %s", block, organization.IPFS)
			}
		}
		if !pinned(t, organization, other.registration.CID) {
			t.Errorf("another record is no longer pinned at %s", organization.MSP)
		}
		eventually(t, "nothing pending", func() bool { return metric(t, organization, "pie_gateway_replicas_pending") == "0" })
	}
}

// Who uploads another's ciphertext into a slot of their own registers nothing with it, and
// takes nothing away by withdrawing the slot.
func TestNobodyTakesAnothersContent(t *testing.T) {
	victim := newShare(t, 3)
	eventually(t, "three replicas", func() bool { return len(victim.replicas()) == 3 })
	thief := newShare(t, 1)
	record := authorized(thief.patient, thief.author)
	registration := victim.registration
	registration.Record, registration.CID = record, thief.author.upload(record, victim.file).Cid
	_, refusal := thief.author.transact(ledger.TxRegisterRecord, registration, metadata())
	refused(t, refusal, fault.AlreadyExists)
	thief.patient.mustTransact(ledger.TxEraseRecord, ledger.EraseRecord{Record: record}, nil)
	eventually(t, "nothing pending", func() bool { return metric(t, hospital(t, "HospitalA"), "pie_gateway_replicas_pending") == "0" })
	for _, organization := range network.Organizations {
		if !pinned(t, organization, victim.registration.CID) {
			t.Errorf("the content is no longer pinned at %s", organization.MSP)
		}
	}
	if got := victim.author.get(victim.contentPath(), nil); got.problem != nil || !bytes.Equal(got.body, victim.file) {
		t.Errorf("%d bytes, %+v", len(got.body), got.problem)
	}
	victim.erase()
	victim.allConfirm(ledger.ContentDeleted)
}

// Nobody keeps an erased ciphertext at the hospitals by uploading it for a record of their
// own: neither before the erasure, which does not wait for that, nor after it.
func TestNobodyKeepsErasedContent(t *testing.T) {
	erased := newShare(t, 1)
	eventually(t, "the replica", func() bool { return len(erased.replicas()) == 1 })
	before, after := authorized(erased.patient, erased.author), authorized(erased.patient, erased.author)
	if cid := erased.author.upload(before, erased.file).Cid; cid != erased.registration.CID {
		t.Fatalf("the same content is %s and %s", cid, erased.registration.CID)
	}
	erased.erase()
	erased.allConfirm(ledger.ContentDeleted)
	for _, organization := range network.Organizations {
		if onDisk(t, organization, erased.registration.CID) {
			t.Errorf("%s still has it", organization.MSP)
		}
	}
	erased.author.upload(after, erased.file)
	for _, record := range []ledger.ID{before, after} {
		registration := erased.registration
		registration.Record = record
		_, refusal := erased.author.transact(ledger.TxRegisterRecord, registration, metadata())
		refused(t, refusal, fault.AlreadyExists)
	}
}
