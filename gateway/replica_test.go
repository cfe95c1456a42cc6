package main

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/internal/direct"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/network/networktest"
)

// eventually waits for a condition, not for a time.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * deadline); time.Now().Before(end); {
		if holds() {
			return
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatalf("in vain: %s", what)
}

// pinned asks a hospital's own IPFS node.
func pinned(t *testing.T, organization networktest.Organization, cid string) bool {
	t.Helper()
	request, err := http.NewRequestWithContext(within(t), http.MethodPost, organization.IPFSAPI+"/api/v0/pin/ls?type=recursive&arg="+cid, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := direct.Client(http.DefaultTransport).Do(request)
	if err != nil {
		return false // the node is down
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func TestReplicasAreKeptAsThePolicySays(t *testing.T) {
	one, three := newShare(t, 1), newShare(t, 3)
	for _, organization := range network.Organizations {
		eventually(t, "replica at "+organization.MSP, func() bool { return pinned(t, organization, three.registration.CID) })
	}
	// Events are processed in order, so the first record's has been seen by now.
	for _, organization := range network.Organizations {
		eventually(t, "no pending replicas at "+organization.MSP, func() bool { return metric(t, organization, "pie_gateway_replicas_pending") == "0" })
		if got, want := pinned(t, organization, one.registration.CID), organization.MSP == "HospitalA"; got != want {
			t.Errorf("pinned at %s: %t", organization.MSP, got)
		}
	}
}

func metric(t *testing.T, organization networktest.Organization, name string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(within(t), http.MethodGet, organization.GatewayOperations+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := direct.Client(http.DefaultTransport).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), name+" "); found {
			return value
		}
	}
	t.Fatalf("no metric %s", name)
	return ""
}

// A gateway that was away, killed even, misses no event and is the proxy it was.
func TestGatewayResumes(t *testing.T) {
	away := hospital(t, "HospitalC")
	d := newDevice(t, "HospitalC", ledger.RolePhysician)
	if err := network.Kill(away.Gateway); err != nil {
		t.Fatal(err)
	}
	s := newShare(t, 3)
	if err := network.Start(away.Gateway); err != nil {
		t.Fatal(err)
	}
	eventually(t, "replica at HospitalC", func() bool { return pinned(t, away, s.registration.CID) })
	if got := d.get("/v1/organizations", nil); got.problem != nil {
		t.Errorf("a token from before is refused: %+v", *got.problem)
	}
	if answer := s.author.reencrypt("HospitalC", s.open().Open, s.wanted.Record); answer.JSON200 == nil {
		t.Errorf("the proxy has lost its key: %s", answer.Body)
	}
}

// An IPFS node that is away holds up nothing, and is made up for.
func TestReplicaIsFetchedLater(t *testing.T) {
	away := hospital(t, "HospitalB")
	if err := network.Stop(away.IPFS); err != nil {
		t.Fatal(err)
	}
	d := newDevice(t, "HospitalB", ledger.RolePhysician)
	patient := newDevice(t, "HospitalB", ledger.RolePatient)
	wanted, sealed := patient.slot(d, 1)
	patient.mustTransact(ledger.TxAuthorizeSlots, ledger.AuthorizeSlots{Slots: []ledger.NewSlot{wanted}},
		map[string]any{ledger.TransientFragments: sealed})
	answer, err := d.client.AddContentWithBodyWithResponse(within(t), wanted.Record, "application/octet-stream", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	refused(t, answer.ApplicationProblemJSONDefault, fault.ContentUnavailable)
	if ready(t, away)["ipfs"] == "ok" {
		t.Error("the gateway says that its IPFS node is all right")
	}
	s := newShare(t, 3)
	eventually(t, "pending replica", func() bool { return metric(t, away, "pie_gateway_replicas_pending") == "1" })
	if err := network.Start(away.IPFS); err != nil {
		t.Fatal(err)
	}
	eventually(t, "replica at HospitalB", func() bool { return pinned(t, away, s.registration.CID) })
	eventually(t, "the gateway to be ready", func() bool { return ready(t, away)["ipfs"] == "ok" })
}

// An expired certificate of either kind ends service: both are watched.
func TestReadinessWatchesBothCertificates(t *testing.T) {
	report := ready(t, hospital(t, "HospitalA"))
	if report["certificate"] != "ok" || report["tlsCertificate"] != "ok" {
		t.Errorf("%v", report)
	}
}

func ready(t *testing.T, organization networktest.Organization) map[string]string {
	t.Helper()
	request, err := http.NewRequestWithContext(within(t), http.MethodGet, organization.GatewayOperations+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := direct.Client(http.DefaultTransport).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var report map[string]string
	if err := json.NewDecoder(response.Body).Decode(&report); err != nil {
		t.Fatal(err)
	}
	return report
}

// A content larger than the gateway's memory ever was goes in, is checked, and comes out.
func TestContentStreams(t *testing.T) {
	const size = 400 << 20
	patient, author := newDevice(t, "HospitalA", ledger.RolePatient), newDevice(t, "HospitalA", ledger.RolePhysician)
	wanted, sealed := patient.slot(author, 1)
	patient.mustTransact(ledger.TxAuthorizeSlots, ledger.AuthorizeSlots{Slots: []ledger.NewSlot{wanted}},
		map[string]any{ledger.TransientFragments: sealed})
	payload := make([]byte, size)
	rand.Read(payload[:1<<20])
	file, registration := encrypt(t, patient.delegating, payload)
	registration.Record, registration.CID = wanted.Record, author.upload(wanted.Record, file).Cid
	author.mustTransact(ledger.TxRegisterRecord, registration, metadata())
	if got := author.get("/v1/records/"+string(wanted.Record)+"/versions/1/content", nil); got.problem != nil || ledger.DigestOf(got.body) != registration.SHA256 {
		t.Errorf("%d bytes came back, %+v", len(got.body), got.problem)
	}
	if peak := peakMemory(t, author.gateway.Gateway); peak > size/2 {
		t.Errorf("the gateway took %d MiB for a content of %d MiB", peak>>20, size>>20)
	}
}

// peakMemory is the most that a node has had resident, in bytes.
func peakMemory(t *testing.T, name string) int {
	t.Helper()
	for _, node := range network.Nodes() {
		if node.Name != name {
			continue
		}
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", node.PID))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), "VmHWM:")
		kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
		if err != nil {
			t.Fatal(err)
		}
		return kilobytes << 10
	}
	t.Fatalf("no node %s", name)
	return 0
}

// replicas are the hospitals that say on the ledger that they keep a record version, and
// since when.
func (s *share) replicas() map[string]time.Time {
	s.author.t.Helper()
	answer, err := s.author.client.ReadReplicasWithResponse(within(s.author.t), s.wanted.Record, 1)
	if err != nil || answer.JSON200 == nil {
		s.author.t.Fatalf("replicas: %v %s", err, answer.Body)
	}
	since := map[string]time.Time{}
	for _, replica := range answer.JSON200.Rows {
		since[replica.MSP] = replica.Time
	}
	return since
}

// Hospitals say on the ledger what they keep, many records at once, and one whose gateway
// was killed says so when it is back.
func TestReplicasAreConfirmed(t *testing.T) {
	killed := hospital(t, "HospitalB")
	one, two := newShare(t, 1), newShare(t, 3)
	eventually(t, "the replica of HospitalA alone", func() bool { return len(one.replicas()) == 1 && !one.replicas()["HospitalA"].IsZero() })
	eventually(t, "replica at HospitalB", func() bool { return pinned(t, killed, two.registration.CID) })
	if err := network.Kill(killed.Gateway); err != nil {
		t.Fatal(err)
	}
	if err := network.Start(killed.Gateway); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the replicas of all", func() bool { return len(two.replicas()) == len(network.Organizations) })
}

// A patient who wants more replicas gets them.
func TestReplicasFollowThePolicy(t *testing.T) {
	s := newShare(t, 1)
	eventually(t, "the replica of the author's hospital", func() bool { return len(s.replicas()) == 1 })
	policy := s.wanted.Policy
	policy.Replicas = len(network.Organizations)
	s.patient.mustTransact(ledger.TxChangePolicy, ledger.ChangePolicy{RecordVersion: s.version(), Policy: policy}, nil)
	eventually(t, "the replicas of all", func() bool { return len(s.replicas()) == policy.Replicas })
}

// A node that loses its disk has everything back that others have, without its gateway
// being told or started anew. Of what nobody else has, the ledger does not say any more
// that the hospital keeps it.
func TestWipedNodeIsRepaired(t *testing.T) {
	wiped := hospital(t, "HospitalA")
	one, three := newShare(t, 1), newShare(t, 3)
	eventually(t, "all replicas", func() bool {
		return len(one.replicas()) == 1 && len(three.replicas()) == len(network.Organizations)
	})
	before := three.replicas()
	if err := network.Wipe(wiped.IPFS); err != nil {
		t.Fatal(err)
	}
	if err := network.Rejoin(wiped.IPFS); err != nil {
		t.Fatal(err)
	}
	if pinned(t, wiped, three.registration.CID) {
		t.Fatal("the node has lost nothing")
	}
	eventually(t, "the replica at the wiped node", func() bool { return pinned(t, wiped, three.registration.CID) })
	eventually(t, "its new confirmation", func() bool { return three.replicas()[wiped.MSP].After(before[wiped.MSP]) })
	if after := three.replicas(); !after["HospitalB"].Equal(before["HospitalB"]) {
		t.Errorf("the word of HospitalB has changed from %s to %s", before["HospitalB"], after["HospitalB"])
	}
	if got := three.author.get(three.contentPath(), nil); got.problem != nil || ledger.DigestOf(got.body) != three.registration.SHA256 {
		t.Errorf("%d bytes came back, %+v", len(got.body), got.problem)
	}
	eventually(t, "the word about the lost content to be taken back", func() bool { return len(one.replicas()) == 0 })

	// It happens again at once.
	if err := network.Wipe(wiped.IPFS); err != nil {
		t.Fatal(err)
	}
	if err := network.Rejoin(wiped.IPFS); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the replica at the node that was wiped again", func() bool { return pinned(t, wiped, three.registration.CID) })
}
