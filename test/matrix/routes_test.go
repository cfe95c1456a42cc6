package matrix

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// guest is somebody at their own hospital's gateway, or a stranger without token.
type guest struct {
	*person // nil: nobody
	msp     string
	token   string
}

func (g guest) String() string {
	if g.person == nil {
		return "nobody"
	}
	return g.User.String()
}

// guests are one of each role, those whom records are about, and nobody.
func (w *world) guests(ctx context.Context) ([]guest, error) {
	people := []*person{w.patient, w.author, w.colleague, w.namesake}
	for _, role := range ledger.Roles() {
		people = append(people, w.member(role, ledger.LevelPrivate, "HospitalA"))
	}
	guests := []guest{{msp: "HospitalA"}}
	for _, p := range people {
		token, err := w.token(ctx, p)
		if err != nil {
			return nil, err
		}
		guests = append(guests, guest{p, p.User.MSP, token})
	}
	return guests, nil
}

// probe is one request to a route, and what everybody must be answered.
type probe struct {
	method, path, contentType string
	header                    map[string]string
	body                      []byte
	want                      func(guest) fault.Code
	success                   int // status; 200 when zero
}

// statuses of the codes that authorization answers with.
var statuses = map[fault.Code]int{
	"": http.StatusOK, fault.InvalidArgument: http.StatusBadRequest, fault.Unauthenticated: http.StatusUnauthorized,
	fault.PermissionDenied: http.StatusForbidden, fault.PolicyDenied: http.StatusForbidden, fault.ConsentExpired: http.StatusForbidden,
	fault.NotFound: http.StatusNotFound, fault.AlreadyExists: http.StatusConflict, fault.Erased: http.StatusGone,
}

// TestEveryRoute tries every route as everybody. Reads are as the table says of the
// transaction behind them.
func TestEveryRoute(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	guests, err := the.guests(ctx)
	if err != nil {
		t.Fatal(err)
	}
	document, err := openapi3.NewLoader().LoadFromData(api.Document)
	if err != nil {
		t.Fatal(err)
	}
	routes := the.routes(t)
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			probes := routes[operation.OperationID]
			if len(probes) == 0 {
				t.Errorf("%s %s has no cells", method, path)
			}
			open := operation.Security != nil && len(*operation.Security) == 0
			t.Run(operation.OperationID, func(t *testing.T) {
				for _, p := range probes {
					p.method = method
					the.probe(ctx, t, p, guests, open)
				}
			})
		}
	}
}

func (w *world) probe(ctx context.Context, t *testing.T, p probe, guests []guest, open bool) {
	t.Helper()
	err := each(len(guests), func(i int) error {
		want := p.want(guests[i])
		if guests[i].person == nil && !open {
			want = fault.Unauthenticated
		}
		status, code, err := w.send(ctx, guests[i], p)
		expected := statuses[want]
		if want == "" {
			expected = cmp.Or(p.success, expected)
		}
		if p.method == http.MethodHead {
			code = want // it has no body: the status alone tells
		}
		if err != nil || code != want || status != expected {
			return fmt.Errorf("%s %s by %s: got %d %q, want %q (%s)", p.method, p.path, guests[i], status, code, want, textOf(err))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// send returns the status and the code of the problem; a problem document must be one.
func (w *world) send(ctx context.Context, g guest, p probe) (int, fault.Code, error) {
	organization, err := w.network.Organization(g.msp)
	if err != nil {
		return 0, "", err
	}
	request, err := http.NewRequestWithContext(ctx, p.method, organization.GatewayURL+p.path, bytes.NewReader(p.body))
	if err != nil {
		return 0, "", err
	}
	if p.contentType != "" {
		request.Header.Set("Content-Type", p.contentType)
	}
	for name, value := range p.header {
		request.Header.Set(name, value)
	}
	if g.token != "" {
		request.Header.Set("Authorization", "Bearer "+g.token)
	}
	response, err := w.web.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK && response.Header.Get("Content-Type") == "text/event-stream" {
		return response.StatusCode, "", nil // it has no end
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return response.StatusCode, "", err
	}
	if err := fits(ctx, response, text); err != nil || response.StatusCode < http.StatusBadRequest || p.method == http.MethodHead {
		return response.StatusCode, "", err
	}
	kind := "application/problem+json"
	if p.path == "/oauth2/token" {
		kind = "application/json"
	}
	var problem api.Problem
	if err := json.Unmarshal(text, &problem); err != nil || response.Header.Get("Content-Type") != kind {
		return response.StatusCode, "", errors.Join(fmt.Errorf("no problem document: %.80s", text), err)
	}
	return response.StatusCode, problem.Code, nil
}

// as is what the table says of a transaction on an object.
func (w *world) as(tx ledger.Transaction, o object) func(guest) fault.Code {
	return func(g guest) fault.Code {
		if g.person == nil {
			return fault.Unauthenticated
		}
		return w.table.expect(tx, g.Identity, o)
	}
}

func always(code fault.Code) func(guest) fault.Code { return func(guest) fault.Code { return code } }

// routes are the probes of every operation of the gateway's document.
func (w *world) routes(t *testing.T) map[string][]probe {
	t.Helper()
	routes := map[string][]probe{
		"readDocument":            {{path: "/openapi.yaml", want: always("")}},
		"readPage":                {{path: "/docs", want: always("")}},
		"readAuthorizationServer": {{path: "/.well-known/oauth-authorization-server", want: always("")}},
		"readSMARTConfiguration":  {{path: "/.well-known/smart-configuration", want: always("")}},
		"listOrganizations":       {{path: "/v1/organizations", want: always("")}},
		"readUser": {
			{path: "/v1/users/HospitalA/" + w.patient.User.Pseudonym, want: w.as(ledger.TxReadUser, object{state: "registered"})},
			{path: "/v1/users/HospitalA/nobody", want: w.as(ledger.TxReadUser, object{state: absent})},
		},
		"listKeyReplacements": {{path: "/v1/users/HospitalA/" + w.replaced.owner.User.Pseudonym + "/key-replacements", want: always("")}},
		"searchRecords":       {{path: "/v1/records?patient=" + url.QueryEscape(w.patient.User.String()), want: always("")}},
		"listSlots":           {{path: "/v1/slots", want: always("")}},
		"listRequests":        {{path: "/v1/access-requests", want: always("")}},
		"streamEvents":        {{path: "/v1/events", want: always("")}},
		"listGrants":          {{path: "/v1/grants", want: always("")}},
		"listGivenGrants":     {{path: "/v1/grants/given", want: always("")}},
		"listDisclosures":     {{path: "/v1/disclosures", want: always("")}},
		"listAnswers":         {{path: "/v1/standing-rules/" + string(w.rule) + "/answers?day=" + w.day, want: always("")}},
		"readTransaction": {
			{path: "/v1/transactions/" + w.accesses[0].open, want: always("")},
		},
	}
	for _, o := range append(w.anyRecord(), w.owned[0].object) {
		record := "/v1/records/" + string(o.about.Record)
		routes["readRecord"] = append(routes["readRecord"], probe{path: record, want: w.as(ledger.TxReadRecord, o)})
		routes["whoCanRead"] = append(routes["whoCanRead"], probe{path: record + "/readers", want: w.as(ledger.TxWhoCanRead, o)})
		routes["readHistory"] = append(routes["readHistory"], probe{path: record + "/versions/1/history", want: w.as(ledger.TxReadHistory, o)})
		routes["listSegments"] = append(routes["listSegments"], probe{path: record + "/versions/1/segments", want: w.as(ledger.TxListSegments, o)})
		routes["readReplicas"] = append(routes["readReplicas"], probe{path: record + "/versions/1/replicas", want: w.as(ledger.TxReadReplicas, o)})
		routes["listAccesses"] = append(routes["listAccesses"], probe{path: record + "/accesses", want: w.as(ledger.TxListAccesses, o)})
	}
	for _, a := range w.anyAccess(w.accesses) {
		path := fmt.Sprintf("/v1/records/%s/accesses/%s/receipt", a.about.Record, a.open)
		routes["readReceipt"] = append(routes["readReceipt"], probe{path: path, want: w.as(ledger.TxReadAccess, a.object)})
	}
	for _, o := range w.anyEscrow() {
		path := "/v1/records/" + string(o.about.Record) + "/versions/1/escrow"
		routes["readKeyEscrow"] = append(routes["readKeyEscrow"], probe{path: path, want: w.as(ledger.TxReadKeyEscrow, o)})
	}
	for _, o := range w.anyRequest() {
		path := fmt.Sprintf("/v1/records/%s/versions/1/access-requests/%s", o.about.Record, o.request)
		routes["readRequest"] = append(routes["readRequest"], probe{path: path, want: w.as(ledger.TxReadRequest, o)})
	}
	for _, o := range w.anySlot() {
		record := "/v1/records/" + string(o.about.Record)
		routes["readSlot"] = append(routes["readSlot"], probe{path: record + "/slot", want: w.as(ledger.TxReadSlot, o)})
		routes["addContent"] = append(routes["addContent"], probe{
			path: record + "/content", contentType: "application/octet-stream", body: []byte("ciphertext"), want: w.mayAdd(o),
		})
		routes["beginContent"] = append(routes["beginContent"], probe{
			path: record + "/content/uploads", header: map[string]string{"Tus-Resumable": "1.0.0", "Upload-Length": "10"}, want: w.mayAdd(o), success: http.StatusCreated,
		})
	}
	for _, o := range w.anyErasure() {
		path := "/v1/records/" + string(o.about.Record) + "/erasure"
		routes["readErasure"] = append(routes["readErasure"], probe{path: path, want: w.as(ledger.TxReadErasure, o)})
	}
	for _, f := range w.records[:3] {
		path := "/v1/records/" + string(f.wanted.Record) + "/versions/1/content"
		routes["readContent"] = append(routes["readContent"], probe{path: path, want: w.as(ledger.TxReadContent, f.object)})
	}
	routes["readContent"] = append(routes["readContent"], probe{
		path: "/v1/records/" + string(w.growing.wanted.Record) + "/versions/1/content?segment=1", want: w.as(ledger.TxReadContent, w.growing.object),
	})
	w.pieceRoutes(routes)
	w.emergencyRoutes(routes)
	w.identityRoutes(t, routes)
	w.transactionRoutes(t, routes)
	return routes
}

// pieceRoutes are about an upload that none of the guests began.
func (w *world) pieceRoutes(routes map[string][]probe) {
	uploads := "/v1/records/" + string(w.free.wanted.Record) + "/content/uploads"
	routes["describeUploads"] = []probe{{path: uploads, want: always(""), success: http.StatusNoContent}}
	missing := probe{path: uploads + "/" + string(ledger.NewID()), want: always(fault.NotFound)}
	routes["measureContent"], routes["readStored"] = []probe{missing}, []probe{missing}
	missing.header = map[string]string{"Tus-Resumable": "1.0.0"}
	routes["dropContent"] = []probe{missing}
	missing.contentType, missing.body = "application/offset+octet-stream", []byte("ciphertext")
	missing.header = map[string]string{"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}
	routes["appendContent"] = []probe{missing}
}

// mayAdd lets the author alone put content into a slot, while it is free, and those who
// treat under an ID that nobody has; the patient afterwards.
func (w *world) mayAdd(o object) func(guest) fault.Code {
	return func(g guest) fault.Code {
		code := w.as(ledger.TxReadSlot, o)(g)
		switch {
		case code == fault.NotFound && (g.Role == ledger.RolePhysician || g.Role == ledger.RoleEmergency):
			return ""
		case code == "" && g.User == o.record.Patient && o.state == "used":
			return "" // who rotates it
		case code == "" && g.User != o.record.Author:
			return fault.PermissionDenied
		case code == "" && o.state == "used":
			return fault.AlreadyExists
		}
		return code
	}
}

// identityRoutes take what the caller signed or knows, and no token.
func (w *world) identityRoutes(t *testing.T, routes map[string][]probe) {
	t.Helper()
	enrolment := w.json(t, api.EnrollmentRequest{Pseudonym: w.patient.User.Pseudonym, Secret: "guessed", Csr: csr(t, w.patient.User.Pseudonym)})
	routes["enroll"] = []probe{{path: "/v1/enrollments", contentType: "application/json", body: enrolment, want: always(fault.Unauthenticated)}}

	elsewhere, err := w.network.Organization("HospitalC")
	if err != nil {
		t.Fatal(err)
	}
	for _, assertion := range []string{
		w.assertion(t, w.patient, w.patient.User, elsewhere.GatewayURL), // for another gateway
		w.assertion(t, w.namesake, w.patient.User, ""),                  // for somebody else
		w.patient.statements[0], "e30.e30.e30",                          // none at all
	} {
		form := url.Values{
			"grant_type": {"client_credentials"}, "client_assertion": {assertion},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		}
		routes["issueToken"] = append(routes["issueToken"], probe{
			path: "/oauth2/token", contentType: "application/x-www-form-urlencoded", body: []byte(form.Encode()), want: always(fault.Unauthenticated),
		})
	}

	ask := func(open string, record ledger.ID, proxy string) string {
		jws, err := w.colleague.creator.Signer.SignReencryptionRequest(trust.ReencryptionRequest{Open: open, Record: record, Proxy: proxy, Issued: time.Now().UTC()})
		if err != nil {
			t.Fatal(err)
		}
		return jws
	}
	refused := w.accesses[1]
	for _, c := range []struct {
		request string
		code    fault.Code
	}{
		{ask(refused.open, refused.about.Record, "Operator"), fault.InvalidArgument},
		{"e30.e30.e30", fault.Unauthenticated}, {w.patient.statements[0], fault.Unauthenticated},
	} {
		routes["reencrypt"] = append(routes["reencrypt"], probe{
			path: "/v1/reencryptions", contentType: "application/json", body: w.json(t, api.ReencryptionRequest{Request: c.request}), want: always(c.code),
		})
	}
}

// transactionRoutes carry what a device signed, for that device's owner alone.
func (w *world) transactionRoutes(t *testing.T, routes map[string][]probe) {
	t.Helper()
	asking := call{tx: ledger.TxRequestAccess, argument: ledger.RequestAccess{
		RecordVersion: w.shared.about, Request: ledger.NewID(), Purpose: ledger.PurposeTreatment,
	}}
	onlyAuthor := func(g guest) fault.Code {
		if g.person == w.author {
			return ""
		}
		return fault.PermissionDenied
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.author.creator.Signer.Certificate.Raw})
	prepare := w.json(t, api.TransactionRequest{Transaction: asking.tx, Arguments: w.json(t, asking.argument), Certificate: string(certificate)})
	routes["prepareTransaction"] = []probe{{path: "/v1/transactions", contentType: "application/json", body: prepare, want: onlyAuthor}}

	made, signed, err := w.peers.propose(w.author, asking)
	if err != nil {
		t.Fatal(err)
	}
	endorse := w.json(t, api.SignedProposal{Proposal: signed.ProposalBytes, Signature: signed.Signature})
	path := "/v1/transactions/" + made.TransactionID
	routes["endorseTransaction"] = []probe{
		{path: path + "/endorsement", contentType: "application/json", body: endorse, want: onlyAuthor},
		{path: "/v1/transactions/" + strings.Repeat("0", 64) + "/endorsement", contentType: "application/json", body: endorse, want: always(fault.InvalidArgument)},
	}
	nonsense := w.json(t, api.SignedTransaction{Transaction: signed.ProposalBytes, Signature: signed.Signature})
	routes["submitTransaction"] = []probe{
		{path: path + "/submission", contentType: "application/json", body: nonsense, want: always(fault.InvalidArgument)},
	}
}

func csr(t *testing.T, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := request(name, key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (w *world) json(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// assertion asks for a token in a user's name; an empty audience is the user's gateway.
func (w *world) assertion(t *testing.T, by *person, user ledger.UserID, audience string) string {
	t.Helper()
	if audience == "" {
		organization, err := w.network.Organization(user.MSP)
		if err != nil {
			t.Fatal(err)
		}
		audience = organization.GatewayURL
	}
	assertion, err := by.creator.Signer.SignAssertion(user, audience, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return assertion
}

// Paths that mean to leave their place, and requests of another form.
func TestTricksAreRefused(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	token, err := the.token(ctx, the.author)
	if err != nil {
		t.Fatal(err)
	}
	record := string(the.shared.wanted.Record)
	content := "/v1/records/" + record + "/versions/1/content"
	author := guest{the.author, "HospitalA", token}
	for _, path := range []string{
		content + "/../../../../../../etc/passwd", content + "/..%2f..%2fetc%2fpasswd", content + "/%2e%2e/%2e%2e/etc/passwd",
		content + "/..", content + "%00", content + "/", strings.Replace(content, "/versions", "//versions", 1),
		strings.Replace(content, "/1/", "/%31%2f/", 1), strings.Replace(content, "/1/", "/01x/", 1), "/v1/content/" + the.shared.registration.CID,
		"/v1/records/..%2f" + record, "/v1/records/" + record + "%00", "/v1/records/" + record + "%2faccesses", "/v1/records/" + strings.ToUpper(record),
		"/v1/records/" + record + "?version=0", "/v1/records/" + record + "?version=1e0", "/v1/records/" + record + "/versions/-1/history",
		"/v1/users/HospitalA%2f..%2fHospitalB/the-patient", "/v1/users/HospitalA/the-patient%00", "/v1/users/HospitalA%00/the-patient",
		"/v1/transactions/..%2f..%2flivez", "/livez", "/metrics", "/debug/pprof/", "/V1/organizations", "/v1/organizations/", "//v1/organizations",
	} {
		status, code, err := the.send(ctx, author, probe{method: http.MethodGet, path: path})
		if err != nil || status < 400 || status >= 500 || code == "" {
			t.Errorf("GET %s: %d %q, %v", path, status, code, err)
		}
	}
	const path, text = "/v1/transactions", "application/json"
	for name, p := range map[string]probe{
		"malformed":            {contentType: text, body: []byte(`{"transaction":`)},
		"of unknown fields":    {contentType: text, body: []byte(`{"transaction":"RequestAccess","arguments":{},"certificate":"x","reader":"me"}`)},
		"without fields":       {contentType: text, body: []byte(`{}`)},
		"twice":                {contentType: text, body: []byte(`{} {}`)},
		"of another type":      {contentType: "text/plain", body: []byte(`{}`)},
		"of no type":           {body: []byte(`{}`)},
		"too large":            {contentType: text, body: []byte(`{"certificate":"` + strings.Repeat("x", 5<<20) + `"}`)},
		"for reading":          {contentType: text, body: []byte(`{"transaction":"ReadRelease","arguments":{},"certificate":"x"}`)},
		"of no such operation": {contentType: text, body: []byte(`{"transaction":"Init","arguments":{},"certificate":"x"}`)},
	} {
		p.method, p.path = http.MethodPost, path
		status, code, err := the.send(ctx, author, p)
		if err != nil || status < 400 || status >= 500 || code != fault.InvalidArgument {
			t.Errorf("a request %s: %d %q, %v", name, status, code, err)
		}
	}
	if status, code, err := the.send(ctx, author, probe{method: http.MethodDelete, path: content}); status != http.StatusMethodNotAllowed {
		t.Errorf("DELETE: %d %q, %v", status, code, err)
	}
}
