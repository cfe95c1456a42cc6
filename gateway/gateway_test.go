package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/network/networktest"
	"github.com/pie-consortium/pie/umbral"
	"github.com/pie-consortium/pie/umbral/agefile"
)

var network *networktest.Network

func TestMain(m *testing.M) { os.Exit(testWithNetwork(m)) }

func testWithNetwork(m *testing.M) int {
	var err error
	if network, err = networktest.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := errors.Join(checkLogs(), network.Close()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func noToken(context.Context, *http.Request) error { return nil }

func refused(t *testing.T, problem *api.Problem, code fault.Code) {
	t.Helper()
	if problem == nil {
		t.Fatalf("accepted, want %s", code)
	}
	if problem.Code != code {
		t.Fatalf("got %+v, want %s", *problem, code)
	}
}

func noTokenFor(t *testing.T, answer *api.IssueTokenResponse) {
	t.Helper()
	if answer.JSONDefault == nil || answer.JSONDefault.Code != fault.Unauthenticated {
		t.Fatalf("got %s", answer.Body)
	}
}

// From enrolment to plaintext, with two of three proxies, as an app without our SDK.
func TestShareARecord(t *testing.T) {
	s := newShare(t, 2)
	s.patient.mustTransact(ledger.TxConfirmRecord, ledger.ConfirmRecord{RecordVersion: s.version()}, nil)
	access := s.open()

	record := s.author.record(s.wanted.Record)
	if record.State != ledger.RecordConfirmed || record.CID != s.registration.CID {
		t.Errorf("%+v", record)
	}
	bundle, err := network.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	capsule, err := umbral.ParseCapsule(record.Capsule)
	if err != nil {
		t.Fatal(err)
	}
	var fragments []*umbral.VerifiedCapsuleFrag
	for _, msp := range []string{"HospitalB", "HospitalC"} {
		answer := s.author.reencrypt(msp, access.Open, s.wanted.Record)
		if answer.JSON200 == nil {
			t.Fatalf("%s: %s", msp, answer.Body)
		}
		signed, err := bundle.VerifyReencryption(answer.JSON200.Reencryption, msp)
		if err != nil {
			t.Fatal(err)
		}
		fragment, err := umbral.ParseCapsuleFrag(signed.CapsuleFrag)
		if err != nil {
			t.Fatal(err)
		}
		verified, err := fragment.Verify(capsule, s.patient.verifying.PublicKey(), s.patient.delegating.PublicKey(), s.author.receiving.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		fragments = append(fragments, verified)
	}
	file := s.author.get(s.contentPath(), nil)
	if file.problem != nil {
		t.Fatalf("%+v", *file.problem)
	}
	plaintext, err := age.Decrypt(bytes.NewReader(file.body), agefile.NewReencryptedIdentity(s.author.receiving, s.patient.delegating.PublicKey(), fragments))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(plaintext); err != nil || !bytes.Equal(got, s.payload) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	s.checkReads(access)
	s.checkContent()
	s.checkProxies(access)
}

func (d *device) record(record ledger.ID) ledger.RecordView {
	d.t.Helper()
	answer, err := d.client.ReadRecordWithResponse(within(d.t), record, &api.ReadRecordParams{})
	if err != nil || answer.JSON200 == nil {
		d.t.Fatalf("%v %s", err, answer.Body)
	}
	return *answer.JSON200
}

// checkReads reads everything that the record left on the ledger, each route once.
func (s *share) checkReads(access ledger.Access) {
	t := s.patient.t
	t.Helper()
	path := "/v1/records/" + string(s.wanted.Record)
	for route, wanted := range map[string]string{
		"/v1/organizations": `"msp":"HospitalC"`,
		"/v1/users/HospitalA/" + s.author.user.Pseudonym:                                                  `"role":"physician"`,
		"/v1/records?patient=" + url.QueryEscape(s.patient.user.String()):                                 string(s.wanted.Record),
		"/v1/records?code=http://snomed.info/sct%7C38341003&hospital=HospitalA&from=2020-01-01T00:00:00Z": `"rows":`,
		path + "?version=1":                s.registration.CID,
		path + "/accesses?limit=5":         access.Open,
		path + "/versions/1/history":       `"state":"confirmed"`,
		"/v1/slots":                        string(s.wanted.Record),
		path + "/slot":                     string(s.wanted.Grant),
		"/v1/access-requests":              `"rows":`,
		"/v1/access-requests?state=denied": `"rows":`,
		"/v1/transactions/" + access.Open:  `"code":"VALID"`,
	} {
		if got := s.patient.get(route, nil); got.problem != nil || !strings.Contains(string(got.body), wanted) {
			t.Errorf("%s: %s", route, got.body)
		}
	}
	if got := s.author.get("/v1/grants", nil); got.problem != nil || !strings.Contains(string(got.body), string(s.wanted.Grant)) {
		t.Errorf("grants: %s", got.body)
	}
	// The ledger is told who reads: others see no audit trail.
	refused(t, newDevice(t, "HospitalB", ledger.RolePhysician).get(path+"/accesses", nil).problem, fault.PermissionDenied)
	refused(t, s.author.get("/v1/records/"+string(ledger.NewID()), nil).problem, fault.NotFound)
	refused(t, s.author.get("/v1/transactions/"+strings.Repeat("0", 64), nil).problem, fault.NotFound)
}

func (s *share) contentPath() string {
	return "/v1/records/" + string(s.wanted.Record) + "/versions/1/content"
}

// checkContent asks for ranges, and as somebody without a grant.
func (s *share) checkContent() {
	t := s.author.t
	t.Helper()
	path, size := s.contentPath(), len(s.file)
	for header, want := range map[string][]byte{
		"bytes=0-9":             s.file[:10],
		"bytes=1048570-1048589": s.file[1048570:1048590],
		"bytes=-7":              s.file[size-7:],
	} {
		got := s.author.get(path, http.Header{"Range": {header}})
		if got.status != http.StatusPartialContent || !bytes.Equal(got.body, want) {
			t.Errorf("%s: status %d, %d bytes", header, got.status, len(got.body))
		}
		if !strings.HasSuffix(got.header.Get("Content-Range"), fmt.Sprintf("/%d", size)) {
			t.Errorf("%s: %s", header, got.header.Get("Content-Range"))
		}
	}
	outside := s.author.get(path, http.Header{"Range": {fmt.Sprintf("bytes=%d-", size)}})
	refused(t, outside.problem, fault.InvalidArgument)
	if outside.status != http.StatusRequestedRangeNotSatisfiable {
		t.Error(outside.status)
	}
	refused(t, newDevice(t, "HospitalB", ledger.RolePhysician).get(path, nil).problem, fault.PermissionDenied)
	refused(t, s.author.get("/v1/records/"+string(ledger.NewID())+"/versions/1/content", nil).problem, fault.NotFound)
}

// checkProxies asks for what a proxy must not answer, and for what it must answer again.
func (s *share) checkProxies(access ledger.Access) {
	t := s.author.t
	t.Helper()
	if answer := s.author.reencrypt("HospitalB", access.Open, s.wanted.Record); answer.JSON200 == nil {
		t.Errorf("a repeat is refused: %s", answer.Body)
	}
	refused(t, s.patient.reencrypt("HospitalB", access.Open, s.wanted.Record).ApplicationProblemJSONDefault, fault.PermissionDenied)
	refused(t, s.author.reencrypt("HospitalB", strings.Repeat("0", 64), s.wanted.Record).ApplicationProblemJSONDefault, fault.NotFound)
	refused(t, s.author.reencrypt("HospitalB", access.Open, ledger.NewID()).ApplicationProblemJSONDefault, fault.NotFound)
	refused(t, s.author.reencrypt("HospitalB", "12", s.wanted.Record).ApplicationProblemJSONDefault, fault.InvalidArgument)
}

func TestEnrollmentRefuses(t *testing.T) {
	invitation, err := network.Invite(within(t), networktest.Guest{MSP: "HospitalA", Role: ledger.RolePatient})
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	larger, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	client := newClient(t, hospital(t, "HospitalA"), noToken)
	good := api.EnrollmentRequest{Pseudonym: invitation.Pseudonym, Secret: invitation.Secret, Csr: csr(t, key, invitation.Pseudonym)}
	for name, c := range map[string]struct {
		change func(*api.EnrollmentRequest)
		code   fault.Code
	}{
		"wrong secret":  {func(r *api.EnrollmentRequest) { r.Secret = "wrong" }, fault.Unauthenticated},
		"unknown user":  {func(r *api.EnrollmentRequest) { r.Pseudonym = "nobody"; r.Csr = csr(t, key, "nobody") }, fault.Unauthenticated},
		"another name":  {func(r *api.EnrollmentRequest) { r.Csr = csr(t, key, "admin") }, fault.InvalidArgument},
		"another curve": {func(r *api.EnrollmentRequest) { r.Csr = csr(t, larger, invitation.Pseudonym) }, fault.InvalidArgument},
		"no request":    {func(r *api.EnrollmentRequest) { r.Csr = "nonsense" }, fault.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			request := good
			c.change(&request)
			answer, err := client.EnrollWithResponse(within(t), request)
			if err != nil {
				t.Fatal(err)
			}
			refused(t, answer.ApplicationProblemJSONDefault, c.code)
			if strings.Contains(string(answer.Body), invitation.Secret) {
				t.Error("the answer repeats the secret")
			}
		})
	}
}

// An assertion is taken once, also when the gateway that took it was killed right after.
func TestAssertionIsTakenOnce(t *testing.T) {
	d := enrolled(t, networktest.Guest{MSP: "HospitalA", Role: ledger.RolePatient})
	assertion, err := d.signer.SignAssertion(d.user, d.gateway.GatewayURL, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if answer := d.ask(assertion); answer.JSON200 == nil {
		t.Fatalf("%s", answer.Body)
	}
	noTokenFor(t, d.ask(assertion))
	if err := network.Kill(d.gateway.Gateway); err != nil {
		t.Fatal(err)
	}
	if err := network.Start(d.gateway.Gateway); err != nil {
		t.Fatal(err)
	}
	noTokenFor(t, d.ask(assertion))
	d.login()
}

func TestEndorsementRefuses(t *testing.T) {
	d, other := newDevice(t, "HospitalA", ledger.RolePhysician), newDevice(t, "HospitalA", ledger.RolePhysician)
	request := ledger.RequestAccess{
		RecordVersion: ledger.RecordVersion{Record: ledger.NewID(), Version: 1}, Request: ledger.NewID(), Purpose: ledger.PurposeTreatment,
	}
	prepared := d.prepare(ledger.TxRequestAccess, request, nil)

	_, _, problem := other.endorse(prepared)
	refused(t, problem, fault.PermissionDenied)

	answer, err := d.client.EndorseTransactionWithResponse(within(t), prepared.TransactionID,
		api.SignedProposal{Proposal: prepared.Proposal, Signature: other.signRaw(prepared.Proposal)})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, answer.ApplicationProblemJSONDefault, fault.PermissionDenied)

	renamed := *prepared
	renamed.TransactionID = strings.Repeat("0", 64)
	_, _, problem = d.endorse(&renamed)
	refused(t, problem, fault.InvalidArgument)

	_, _, problem = d.endorse(prepared)
	refused(t, problem, fault.NotFound) // the chaincode's own word, through the peer
	if problem.TransactionID != prepared.TransactionID {
		t.Errorf("the problem names transaction %q", problem.TransactionID)
	}
}

func TestRegistrationNeedsItsContent(t *testing.T) {
	patient, author := newDevice(t, "HospitalA", ledger.RolePatient), newDevice(t, "HospitalA", ledger.RolePhysician)
	wanted, sealed := patient.slot(author, 1)
	patient.mustTransact(ledger.TxAuthorizeSlots, ledger.AuthorizeSlots{Slots: []ledger.NewSlot{wanted}},
		map[string]any{ledger.TransientFragments: sealed})
	file, good := encrypt(t, patient.delegating, []byte("payload"))
	good.Record, good.CID = wanted.Record, author.upload(wanted.Record, file).Cid
	_, another := encrypt(t, patient.delegating, []byte("payload"))

	for name, c := range map[string]struct {
		change func(*ledger.RegisterRecord)
		code   fault.Code
	}{
		"another capsule": {func(r *ledger.RegisterRecord) { r.Capsule = another.Capsule }, fault.Altered},
		"another size":    {func(r *ledger.RegisterRecord) { r.Size++ }, fault.Altered},
		"another hash":    {func(r *ledger.RegisterRecord) { r.SHA256 = another.SHA256 }, fault.Altered},
		"plaintext": {func(r *ledger.RegisterRecord) {
			r.CID = author.upload(wanted.Record, bytes.Repeat([]byte("x"), 400)).Cid
		}, fault.Altered},
		"content that is not here": {func(r *ledger.RegisterRecord) {
			r.CID = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"
		}, fault.ContentUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			registration := good
			c.change(&registration)
			_, _, problem := author.endorse(author.prepare(ledger.TxRegisterRecord, registration, metadata()))
			refused(t, problem, c.code)
		})
	}
	author.mustTransact(ledger.TxRegisterRecord, good, metadata())
	again, err := author.client.AddContentWithBodyWithResponse(within(t), wanted.Record, "application/octet-stream", bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	refused(t, again.ApplicationProblemJSONDefault, fault.AlreadyExists)
}

// Two transactions that were endorsed side by side and change the same row: the second
// to be ordered is refused as what it is.
func TestConcurrentUpdate(t *testing.T) {
	s := newShare(t, 1)
	first, firstEnvelope, problem := s.patient.endorse(s.patient.prepare(ledger.TxConfirmRecord, ledger.ConfirmRecord{RecordVersion: s.version()}, nil))
	if problem != nil {
		t.Fatalf("%+v", problem)
	}
	second, secondEnvelope, problem := s.patient.endorse(s.patient.prepare(ledger.TxDisputeRecord,
		ledger.DisputeRecord{RecordVersion: s.version(), Reason: ledger.DisputeNotMine}, nil))
	if problem != nil {
		t.Fatalf("%+v", problem)
	}
	if _, problem := s.patient.submit(first, firstEnvelope); problem != nil {
		t.Fatalf("%+v", problem)
	}
	_, problem = s.patient.submit(second, secondEnvelope)
	refused(t, problem, fault.ConcurrentUpdate)
	if !problem.Retryable || problem.TransactionID != second {
		t.Errorf("%+v", *problem)
	}
	if got := s.patient.get("/v1/transactions/"+second, nil); !strings.Contains(string(got.body), "READ_CONFLICT") {
		t.Errorf("%s", got.body)
	}
	// The same bytes again say what became of them the first time.
	committed, problem := s.patient.submit(first, firstEnvelope)
	if problem != nil || committed.Code != "VALID" {
		t.Errorf("%+v %+v", committed, problem)
	}
}

func TestSubmissionRefuses(t *testing.T) {
	d := enrolled(t, networktest.Guest{MSP: "HospitalA", Role: ledger.RolePatient})
	refusal := func(id string, envelope []byte) *api.Problem {
		_, problem := d.submit(id, envelope)
		return problem
	}
	prepared := d.prepare(ledger.TxRegisterUser, ledger.RegisterUser{Keys: []string{
		d.state(ledger.KeyReceiving, d.receiving, ""), d.state(ledger.KeyVerifying, d.verifying, ""),
	}}, nil)
	refused(t, refusal(prepared.TransactionID, prepared.Proposal), fault.InvalidArgument)
	refused(t, refusal(strings.Repeat("0", 64), []byte("nonsense")), fault.InvalidArgument)

	id, envelope, problem := d.endorse(prepared)
	if problem != nil {
		t.Fatalf("%+v", *problem)
	}
	other := enrolled(t, networktest.Guest{MSP: "HospitalA", Role: ledger.RolePatient})
	_, problem = other.submit(id, envelope)
	refused(t, problem, fault.PermissionDenied)
}

// Who has a transaction endorsed again that is committed is told so, and where to look.
// What a quota of the day refuses is not to be tried again before the day is over.
func TestQuotasSayWhenToComeBack(t *testing.T) {
	d := newDevice(t, "HospitalA", ledger.RolePatient)
	for i := range 2*ledger.ChangeQuota + 1 { // a day may begin meanwhile
		change := ledger.SetEmergencyPolicy{Records: []ledger.EmergencyRule{ledger.EmergencyRuleNever, ledger.EmergencyRuleApproved}[i%2]}
		prepared := d.prepare(ledger.TxSetEmergencyPolicy, change, nil)
		answer, err := d.client.EndorseTransactionWithResponse(within(t), prepared.TransactionID,
			api.SignedProposal{Proposal: prepared.Proposal, Signature: d.signRaw(prepared.Proposal)})
		if err != nil {
			t.Fatal(err)
		}
		if answer.JSON200 == nil {
			refused(t, answer.ApplicationProblemJSONDefault, fault.RateLimited)
			now := time.Now()
			pause, err := strconv.Atoi(answer.HTTPResponse.Header.Get("Retry-After"))
			if left := ledger.NextDay(now).Sub(now); err != nil || (left-time.Duration(pause)*time.Second).Abs() > time.Minute {
				t.Errorf("Retry-After %d, %v; the day is over in %s", pause, err, left)
			}
			return
		}
		if _, problem := d.submit(prepared.TransactionID, answer.JSON200.Transaction); problem != nil {
			t.Fatalf("%+v", *problem)
		}
	}
	t.Error("no change was refused")
}

func TestEndorsingTwice(t *testing.T) {
	d := enrolled(t, networktest.Guest{MSP: "HospitalA", Role: ledger.RolePatient})
	d.register()
	prepared := d.prepare(ledger.TxSetEmergencyPolicy, ledger.SetEmergencyPolicy{Records: ledger.EmergencyRuleNever}, nil)
	id, envelope, problem := d.endorse(prepared)
	if problem != nil {
		t.Fatalf("%+v", *problem)
	}
	if _, problem := d.submit(id, envelope); problem != nil {
		t.Fatalf("%+v", *problem)
	}
	_, _, problem = d.endorse(prepared)
	refused(t, problem, fault.StateConflict)
	if problem.TransactionID != id || !strings.Contains(problem.Detail, "GET /v1/transactions/") {
		t.Errorf("%+v", *problem)
	}
}

// Every log of every gateway, after all of the above, holds no signed object: no token,
// no assertion, no statement.
func checkLogs() error {
	for _, organization := range network.Organizations {
		text, err := os.ReadFile(network.Log(organization.Gateway))
		if err != nil {
			return err
		}
		if len(text) == 0 || bytes.Contains(text, []byte("eyJ")) || bytes.Contains(text, []byte("snomed")) {
			return fmt.Errorf("the log of %s is empty, or holds a signed object or what was searched for", organization.Gateway)
		}
	}
	return nil
}
