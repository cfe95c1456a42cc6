package client

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// stop stops the gateways of members until the test ends.
func stop(t *testing.T, members ...string) {
	t.Helper()
	for _, msp := range members {
		organization, err := network.Organization(msp)
		if err != nil {
			t.Fatal(err)
		}
		if err := network.Kill(organization.Gateway); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := network.Start(organization.Gateway); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestAnyOneGatewayMayBeStopped(t *testing.T) {
	content := []byte("emr")
	for _, msp := range []string{"HospitalA", "HospitalB", "HospitalC"} {
		t.Run(msp, func(t *testing.T) {
			p := newTrio(t)
			stop(t, msp)
			record := p.share(t, content)
			if _, err := p.patient.Confirm(t.Context(), record); err != nil {
				t.Fatal(err)
			}
			opened := openAs(t, p.requester, record, sha256.Sum256(content))
			if len(opened.Altered) > 0 {
				t.Errorf("blamed %v, want nobody: who is absent does not lie", opened.Altered)
			}
		})
	}
}

func TestGatewayMayHang(t *testing.T) {
	content := []byte("emr")
	for _, msp := range []string{"HospitalA", "HospitalB", "HospitalC"} {
		t.Run(msp, func(t *testing.T) {
			p := newTrio(t)
			organization, err := network.Organization(msp)
			if err != nil {
				t.Fatal(err)
			}
			if err := network.Pause(organization.Gateway); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := network.Resume(organization.Gateway); err != nil {
					t.Fatal(err)
				}
			})
			record := p.share(t, content)
			openAs(t, p.requester, record, sha256.Sum256(content))
		})
	}
}

func TestTwoStoppedGatewaysAreNamed(t *testing.T) {
	p := newTrio(t)
	record := p.share(t, []byte("emr"))
	stop(t, "HospitalA", "HospitalC")
	_, err := p.requester.Open(t.Context(), record, 0, filepath.Join(t.TempDir(), "out"))
	if fault.CodeOf(err) != fault.ThresholdNotMet {
		t.Fatalf("got %v, want %s", err, fault.ThresholdNotMet)
	}
	for _, msp := range []string{"HospitalA", "HospitalC"} {
		if !strings.Contains(err.Error(), msp) {
			t.Errorf("%v does not name %s", err, msp)
		}
	}
	if strings.Contains(err.Error(), "HospitalB") {
		t.Errorf("%v names HospitalB, which answered", err)
	}
}

// Proxies that stop after the open was recorded are named as well.
func TestMissingProxiesAreNamed(t *testing.T) {
	p := newTrio(t)
	record := p.share(t, []byte("emr"))
	a, err := p.requester.agree(t.Context(), record, 0)
	if err != nil {
		t.Fatal(err)
	}
	grant, from, err := (<-p.requester.holding(t.Context(), record)).grant(a.RecordView)
	if err != nil {
		t.Fatal(err)
	}
	o := opening{agreed: a, grant: grant, from: from}
	keys, err := p.requester.recordOpening(t.Context(), &o)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, "HospitalA", "HospitalC")
	_, _, err = p.requester.reencrypt(t.Context(), o, keys)
	if fault.CodeOf(err) != fault.ThresholdNotMet || !strings.Contains(err.Error(), "HospitalA") || !strings.Contains(err.Error(), "HospitalC") {
		t.Errorf("got %v, want %s that names HospitalA and HospitalC", err, fault.ThresholdNotMet)
	}
}

func TestTwentyAtOnceMeetNoConflict(t *testing.T) {
	p := newTrio(t)
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			content := fmt.Appendf(nil, "emr %d", i)
			uploads, err := p.patient.Authorize(t.Context(), Authorization{
				Author: ledger.PersonSubject(p.author.identity.User), Policy: DefaultPolicy(ledger.ClassMedicalInformation), Expiry: time.Now().Add(time.Hour),
			})
			if err != nil {
				t.Errorf("authorize %d: %v", i, err)
				return
			}
			record := uploads[0].Record
			if _, err := p.author.Upload(t.Context(), p.newRecord(t, record, content)); err != nil {
				t.Errorf("upload %d: %v", i, err)
				return
			}
			request, err := p.requester.Request(t.Context(), ledger.RecordVersion{Record: record, Version: firstVersion}, ledger.PurposeTreatment)
			if err != nil {
				t.Errorf("request %d: %v", i, err)
				return
			}
			if _, err := p.patient.Grant(t.Context(), request.ID, time.Now().Add(time.Hour)); err != nil {
				t.Errorf("grant %d: %v", i, err)
			}
		})
	}
	group.Wait()
	requests, err := p.patient.Requests(t.Context(), ledger.RequestGranted)
	if err != nil {
		t.Fatal(err)
	}
	if len(requests) != 20 {
		t.Errorf("%d requests are granted, want 20", len(requests))
	}
}
