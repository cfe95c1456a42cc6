package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/gateway/internal/auth"
	"github.com/pie-consortium/pie/gateway/internal/content"
	"github.com/pie-consortium/pie/gateway/internal/fabric"
	"github.com/pie-consortium/pie/gateway/internal/feed"
	"github.com/pie-consortium/pie/gateway/internal/identitykey"
	"github.com/pie-consortium/pie/gateway/internal/limit"
	"github.com/pie-consortium/pie/gateway/internal/partial"
	"github.com/pie-consortium/pie/gateway/internal/pins"
	"github.com/pie-consortium/pie/gateway/internal/problem"
	"github.com/pie-consortium/pie/gateway/internal/telemetry"
	"github.com/pie-consortium/pie/gateway/internal/testchain"
	"github.com/pie-consortium/pie/gateway/internal/testpki"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

const gatewayURL = "https://gateway.example:8443"

// fixture is the API without neighbours: what the gate refuses never reaches them.
type fixture struct {
	api      *API
	hospital *testpki.Hospital
	engine   *gin.Engine
	user     ledger.UserID
	token    string
	log      *bytes.Buffer
	now      time.Time
	chain    *testchain.Chain
	owed     []ledger.Declaration // reviews

	registered atomic.Pointer[ledger.Digest] // identity key of everybody; nil: nobody is registered
}

func (f *fixture) registeredKey(context.Context, ledger.UserID) (ledger.Digest, error) {
	if key := f.registered.Load(); key != nil {
		return *key, nil
	}
	return ledger.Digest{}, nil
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	hospital := testpki.New(t, "HospitalA")
	f := &fixture{log: &bytes.Buffer{}, now: time.Now(), user: ledger.UserID{MSP: "HospitalA", Pseudonym: "7f3k"}}
	clock := func() time.Time { return f.now }
	requests, err := telemetry.NewRequests(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	traces, err := telemetry.NewTraces("", "HospitalA")
	if err != nil {
		t.Fatal(err)
	}
	kept, err := pins.Open(pins.Options{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	uploads, err := partial.Open(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	used, err := auth.OpenUsed(filepath.Join(t.TempDir(), "assertions"), f.now)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := auth.New(gatewayURL, hospital.Bundle(), hospital.Issue("gateway", ledger.RoleGateway, ""), used)
	if err != nil {
		t.Fatal(err)
	}
	authority.Now = clock
	authority.Revoked.Learn(trust.Revocations{})
	authority.Registered = identitykey.New(f.registeredKey)
	f.api = &API{
		Authority: authority,
		Pins:      kept,
		Recent:    content.NewRecent(),
		Partial:   uploads,
		Origins:   []string{origin},
		Log:       slog.New(slog.NewJSONHandler(f.log, nil)), Requests: requests, Traces: traces, Now: clock,
	}
	f.chain = testchain.New()
	f.api.Events = feed.New(f.chain, f.api.Log)
	f.api.Events.First = authority.Registered.Learn
	f.api.Owed = func(context.Context, ledger.Identity) ([]ledger.Declaration, error) { return f.owed, nil }
	if f.engine, err = f.api.engine(); err != nil {
		t.Fatal(err)
	}
	f.hospital = hospital
	f.token = f.tokenOf(t, "7f3k", ledger.RolePatient)
	return f
}

func (f *fixture) tokenOf(t *testing.T, pseudonym string, role ledger.Role) string {
	t.Helper()
	return f.scopedToken(t, pseudonym, role, "")
}

func (f *fixture) scopedToken(t *testing.T, pseudonym string, role ledger.Role, scope string) string {
	t.Helper()
	user := ledger.UserID{MSP: "HospitalA", Pseudonym: pseudonym}
	assertion, err := f.hospital.Issue(pseudonym, role, "").SignAssertion(user, gatewayURL, f.now)
	if err != nil {
		t.Fatal(err)
	}
	token, err := f.api.Authority.Issue(t.Context(), auth.Request{Assertion: assertion, Scope: scope})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (f *fixture) ask(method, path string, body io.Reader, header http.Header) *httptest.ResponseRecorder {
	request := httptest.NewRequestWithContext(context.Background(), method, path, body)
	request.Header.Set("Authorization", "Bearer "+f.token)
	request.Header.Set("Content-Type", "application/json")
	for name, values := range header {
		request.Header[name] = values
	}
	recorder := httptest.NewRecorder()
	f.engine.ServeHTTP(recorder, request)
	return recorder
}

// A token for replacing keys serves for nothing else, whatever route there will be.
func TestTokensForReplacingKeysServeForNothingElse(t *testing.T) {
	f := newFixture(t)
	f.token = f.scopedToken(t, "7f3k", ledger.RolePatient, auth.ScopeReplacement)
	document, err := openapi3.NewLoader().LoadFromData(api.Document)
	if err != nil {
		t.Fatal(err)
	}
	fill := regexp.MustCompile(`\{[^}]*\}`)
	passed := map[string]bool{}
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			if operation.Security != nil && len(*operation.Security) == 0 {
				continue
			}
			got := f.ask(method, fill.ReplaceAllString(path, "x"), nil, nil)
			if got.Code != http.StatusForbidden {
				passed[operation.OperationID] = true
			}
		}
	}
	if !maps.Equal(passed, forReplacement) {
		t.Errorf("it serves for %v, want %v", passed, forReplacement)
	}
	body := fmt.Sprintf(`{"transaction": %q, "arguments": {}, "certificate": "x"}`, ledger.TxOpenRecord)
	if got := f.ask(http.MethodPost, "/v1/transactions", strings.NewReader(body), nil); got.Code != http.StatusForbidden {
		t.Errorf("another transaction: %d %s", got.Code, got.Body)
	}
	body = fmt.Sprintf(`{"transaction": %q, "arguments": {}, "certificate": "x"}`, ledger.TxReplaceKeys)
	if got := f.ask(http.MethodPost, "/v1/transactions", strings.NewReader(body), nil); got.Code != http.StatusBadRequest {
		t.Errorf("the replacement: %d %s", got.Code, got.Body)
	}
}

func problemOf(t *testing.T, response *httptest.ResponseRecorder) api.Problem {
	t.Helper()
	if got := response.Header().Get("Content-Type"); got != problem.ContentType {
		t.Fatalf("content type %q, status %d", got, response.Code)
	}
	var document api.Problem
	if err := json.NewDecoder(response.Body).Decode(&document); err != nil {
		t.Fatal(err)
	}
	if document.Status != response.Code {
		t.Errorf("status %d in the document, %d in the answer", document.Status, response.Code)
	}
	if document.RequestID == "" || document.RequestID != response.Header().Get("X-Request-ID") {
		t.Errorf("request ID %q in the document, %q in the header", document.RequestID, response.Header().Get("X-Request-ID"))
	}
	return document
}

// The routes that are served are those that are published, no more and no fewer.
func TestRoutesAreThePublishedOnes(t *testing.T) {
	document, err := openapi3.NewLoader().LoadFromData(api.Document)
	if err != nil {
		t.Fatal(err)
	}
	var published, served []string
	braces := strings.NewReplacer("{", ":", "}", "")
	for path, item := range document.Paths.Map() {
		for method := range item.Operations() {
			published = append(published, method+" "+braces.Replace(path))
		}
	}
	for _, route := range newFixture(t).engine.Routes() {
		served = append(served, route.Method+" "+route.Path)
	}
	slices.Sort(published)
	slices.Sort(served)
	if !slices.Equal(published, served) {
		t.Errorf("published %v\nserved %v", published, served)
	}
}

func TestGateRefuses(t *testing.T) {
	const (
		record   = "mfzwizltoqzgk43fmfzwizltoq"
		endorse  = "/v1/transactions/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08/endorsement"
		proposal = `{"proposal":"CgA=","signature":"MEQCIA=="}`
	)
	for name, c := range map[string]struct {
		method, path, body string
		header             http.Header
		status             int
		code               fault.Code
	}{
		"no token":              {"GET", "/v1/organizations", "", http.Header{"Authorization": nil}, 401, fault.Unauthenticated},
		"another scheme":        {"GET", "/v1/organizations", "", http.Header{"Authorization": {"Basic YTpi"}}, 401, fault.Unauthenticated},
		"a token of nobody":     {"GET", "/v1/organizations", "", http.Header{"Authorization": {"Bearer abc"}}, 401, fault.Unauthenticated},
		"no token for content":  {"POST", "/v1/records/" + record + "/content", "x", http.Header{"Authorization": nil}, 401, fault.Unauthenticated},
		"unknown resource":      {"GET", "/v1/secrets", "", nil, 404, fault.NotFound},
		"path trick":            {"GET", "/v1/records/../organizations", "", nil, 404, fault.NotFound},
		"encoded path trick":    {"GET", "/v1/records/..%2forganizations", "", nil, 400, fault.InvalidArgument},
		"trailing slash":        {"GET", "/v1/organizations/", "", nil, 404, fault.NotFound},
		"another method":        {"DELETE", "/v1/organizations", "", nil, 405, fault.InvalidArgument},
		"malformed record":      {"GET", "/v1/records/ABC", "", nil, 400, fault.InvalidArgument},
		"malformed version":     {"GET", "/v1/records/" + record + "/versions/x/content", "", nil, 400, fault.InvalidArgument},
		"malformed transaction": {"GET", "/v1/transactions/12", "", nil, 400, fault.InvalidArgument},
		"version zero":          {"GET", "/v1/records/" + record + "/versions/0/history", "", nil, 400, fault.InvalidArgument},
		"unknown parameter":     {"GET", "/v1/grants?user=me", "", nil, 400, fault.InvalidArgument},
		"parameter twice":       {"GET", "/v1/grants?limit=1&limit=2", "", nil, 400, fault.InvalidArgument},
		"limit too high":        {"GET", "/v1/grants?limit=201", "", nil, 400, fault.InvalidArgument},
		"unknown state":         {"GET", "/v1/access-requests?state=open", "", nil, 400, fault.InvalidArgument},
		"unknown class":         {"GET", "/v1/records?class=gossip", "", nil, 400, fault.InvalidArgument},
		"malformed patient":     {"GET", "/v1/records?patient=nobody", "", nil, 400, fault.InvalidArgument},
		"malformed time":        {"GET", "/v1/records?patient=HospitalA/7f3k&from=yesterday", "", nil, 400, fault.InvalidArgument},
		"search by nothing":     {"GET", "/v1/records?sex=female", "", nil, 400, fault.InvalidArgument},
		"no body":               {"POST", endorse, "", nil, 400, fault.InvalidArgument},
		"no JSON":               {"POST", endorse, "{", nil, 400, fault.InvalidArgument},
		"unknown field":         {"POST", endorse, `{"proposal":"CgA=","signature":"MEQCIA==","as":"other"}`, nil, 400, fault.InvalidArgument},
		"missing field":         {"POST", endorse, `{"proposal":"CgA="}`, nil, 400, fault.InvalidArgument},
		"no base64":             {"POST", endorse, `{"proposal":"?","signature":"MEQCIA=="}`, nil, 400, fault.InvalidArgument},
		"no proposal":           {"POST", endorse, proposal, nil, 400, fault.InvalidArgument},
		"wrong content type":    {"POST", endorse, proposal, http.Header{"Content-Type": {"text/plain"}}, 415, fault.InvalidArgument},
		"no content type":       {"POST", endorse, proposal, http.Header{"Content-Type": nil}, 415, fault.InvalidArgument},
		"content as JSON":       {"POST", "/v1/records/" + record + "/content", "{}", nil, 415, fault.InvalidArgument},
		"packed body":           {"POST", endorse, proposal, http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"identity", "gzip"}}, 415, fault.InvalidArgument},
		"packed content":        {"POST", "/v1/records/" + record + "/content", "x", http.Header{"Content-Type": {"application/octet-stream"}, "Content-Encoding": {"gzip"}}, 415, fault.InvalidArgument},
		"oversized":             {"POST", endorse, `{"proposal":"` + strings.Repeat("A", maxBody) + `"}`, nil, 413, fault.InvalidArgument},
		"reading transaction":   {"POST", "/v1/transactions", `{"transaction":"ReadRelease","arguments":{},"certificate":"x"}`, nil, 400, fault.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			document := problemOf(t, newFixture(t).ask(c.method, c.path, strings.NewReader(c.body), c.header))
			if document.Status != c.status || document.Code != c.code {
				t.Errorf("got %d %s (%s), want %d %s", document.Status, document.Code, document.Detail, c.status, c.code)
			}
		})
	}
}

var form = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}

func assertionForm(assertion string) string {
	return url.Values{
		"grant_type":            {"client_credentials"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion},
	}.Encode()
}

// A body whose length is not announced is bounded as well.
func TestGateRefusesOversizedStream(t *testing.T) {
	body := io.MultiReader(strings.NewReader(`{"proposal":"`), bytes.NewReader(bytes.Repeat([]byte("A"), maxBody)))
	document := problemOf(t, newFixture(t).ask("POST", "/v1/reencryptions", body, nil))
	if document.Status != 413 {
		t.Errorf("got %d %s", document.Status, document.Detail)
	}
}

// operations calls do for each operation of the document, with a path that fits it.
func operations(t *testing.T, do func(method, path string, o *openapi3.Operation)) {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData(api.Document)
	if err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("{transactionID}", strings.Repeat("0a", 32), "{version}", "1", "{msp}", "HospitalA", "{pseudonym}", "7f3k")
	braces := regexp.MustCompile(`{[a-zA-Z]+}`)
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			do(method, braces.ReplaceAllString(fill.Replace(path), "mfzwizltoqzgk43fmfzwizltoq"), operation)
		}
	}
}

// Nobody's body is read beyond 16 KiB, and none at all where a token is asked for, before
// it is known whose it is: whatever routes there are.
func TestLittleIsReadFromStrangers(t *testing.T) {
	operations(t, func(method, path string, o *openapi3.Operation) {
		open := o.Security != nil && len(*o.Security) == 0
		if o.RequestBody == nil {
			return
		}
		for media := range o.RequestBody.Value.Content {
			f := newFixture(t)
			for _, announced := range []bool{true, false} {
				body := &countingBody{source: strings.NewReader(`{"` + strings.Repeat("a", maxOpenBody))}
				request := httptest.NewRequestWithContext(t.Context(), method, path, body)
				request.Header.Set("Content-Type", media)
				if announced {
					request.ContentLength = body.source.Size()
				}
				got, limit := f.serve(request).Code, 0
				want := http.StatusUnauthorized
				if open {
					want, limit = http.StatusRequestEntityTooLarge, maxOpenBody+1
				}
				if got != want || body.read > limit {
					t.Errorf("%s %s: %d after %d bytes, want %d after %d at most", method, path, got, body.read, want, limit)
				}
			}
		}
	})
}

// countingBody counts what is read of it.
type countingBody struct {
	source *strings.Reader
	read   int
}

func (c *countingBody) Read(b []byte) (int, error) {
	n, err := c.source.Read(b[:min(len(b), 1)])
	c.read += n
	return n, err
}

// What ends a body is told as what it is, also where the whole body is read at once.
func TestGateRefusesBodiesThatDoNotCome(t *testing.T) {
	for cause, status := range map[error]int{os.ErrDeadlineExceeded: http.StatusRequestTimeout, io.ErrUnexpectedEOF: http.StatusBadRequest} {
		body := io.MultiReader(strings.NewReader(`{"proposal":"`), iotest.ErrReader(cause))
		document := problemOf(t, newFixture(t).ask("POST", "/v1/reencryptions", body, nil))
		if document.Status != status || strings.Contains(document.Detail, "malformed;") {
			t.Errorf("%v: %d %s", cause, document.Status, document.Detail)
		}
	}
}

func (f *fixture) announce(length int64) *httptest.ResponseRecorder {
	request := httptest.NewRequestWithContext(context.Background(), "POST", "/v1/records/"+string(ledger.NewID())+"/content", http.NoBody)
	request.Header.Set("Authorization", "Bearer "+f.token)
	request.ContentLength = length
	recorder := httptest.NewRecorder()
	f.engine.ServeHTTP(recorder, request)
	return recorder
}

// A content is as large as the ledger takes it, and no larger. The refusal that the
// largest one gets comes after: it names no content type.
func TestContentIsBoundedAsOnTheLedger(t *testing.T) {
	f := newFixture(t)
	if got := problemOf(t, f.announce(ledger.MaxContent)).Status; got != http.StatusUnsupportedMediaType {
		t.Errorf("the largest content: %d", got)
	}
	if got := problemOf(t, f.announce(ledger.MaxContent+1)).Status; got != http.StatusRequestEntityTooLarge {
		t.Errorf("one byte more: %d", got)
	}
}

// fill takes all the places that the fixture's user has in a room.
func (f *fixture) fill(l *limit.Limit) {
	for ok := true; ok; {
		_, ok = l.Enter(f.user.String())
	}
}

func TestUploadsAreBounded(t *testing.T) {
	f := newFixture(t)
	f.fill(f.api.uploads)
	response := f.ask("POST", "/v1/records/"+string(ledger.NewID())+"/content", strings.NewReader("x"),
		http.Header{"Content-Type": {"application/octet-stream"}})
	document := problemOf(t, response)
	if document.Code != fault.RateLimited || response.Header().Get("Retry-After") == "" {
		t.Errorf("%+v, Retry-After %q", document, response.Header().Get("Retry-After"))
	}
}

func TestVerificationsAreBounded(t *testing.T) {
	f := newFixture(t)
	f.fill(f.api.verifications)
	argument, err := json.Marshal(ledger.RegisterRecord{
		Record: ledger.NewID(), CID: "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq",
		SHA256: ledger.DigestOf(nil), Commitment: ledger.DigestOf(nil), Size: 1, Capsule: make([]byte, 98), Level: ledger.LevelPrivate,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithValue(t.Context(), holderKey{}, auth.Holder{Identity: ledger.Identity{User: f.user}})
	err = f.api.checkContent(ctx, fabric.Proposal{Transaction: ledger.TxRegisterRecord, Argument: argument})
	if fault.CodeOf(err) != fault.RateLimited {
		t.Error(err)
	}
}

// Who sent something that the document does not allow is told where, and what is allowed.
func TestErrorsPointAtTheField(t *testing.T) {
	for body, want := range map[string]struct{ pointer, said string }{
		`{"transaction": "GrantAcces", "arguments": {}, "certificate": "x"}`:                           {"/transaction", "GrantAccess"},
		`{"transaction": "GrantAccess", "arguments": {}}`:                                              {"/certificate", "missing"},
		`{"transaction": "GrantAccess", "arguments": 1, "certificate": "x"}`:                           {"/arguments", "object"},
		`{"transaction": "GrantAccess", "arguments": {}, "certificate": ""}`:                           {"/certificate", "minimum string length is 1"},
		`{"transaction": "GrantAccess", "arguments": {}, "certificate": "x", "transient": {"a/b": 1}}`: {"/transient/a~1b", "string"},
		`[]`: {"", "object"},
	} {
		told := problemOf(t, newFixture(t).ask("POST", "/v1/transactions", strings.NewReader(body), nil))
		if told.Code != fault.InvalidArgument || told.Pointer != want.pointer || !strings.Contains(told.Detail, want.said) {
			t.Errorf("%s: %+v, want %+v", body, told, want)
		}
	}
	told := problemOf(t, newFixture(t).ask("GET", "/v1/grants?limit=201", nil, nil))
	if told.Pointer != "" || !strings.Contains(told.Detail, "limit") || !strings.Contains(told.Detail, "at most 200") {
		t.Errorf("a parameter: %+v", told)
	}
}

func TestErrorsDoNotRepeatTheBody(t *testing.T) {
	const secret = "sq7-the-enrolment-secret"
	f := newFixture(t)
	for _, body := range []string{
		`{"pseudonym":"` + secret + `!","secret":"` + secret + `","csr":"x"}`,
		`{"pseudonym":"7f3k","secret":["` + secret + `"],"csr":"x"}`,
		`{"pseudonym":"7f3k","secret":"` + secret,
	} {
		response := f.ask("POST", "/v1/enrollments", strings.NewReader(body), nil)
		if response.Code != 400 || strings.Contains(response.Body.String(), secret) {
			t.Errorf("%d %s", response.Code, response.Body)
		}
	}
	if strings.Contains(f.log.String(), secret) || strings.Contains(f.log.String(), f.token) {
		t.Error("the log holds a secret")
	}
}

// The log says which operation was called, not for whom it was.
func TestLogHoldsNoQuery(t *testing.T) {
	f := newFixture(t)
	f.ask("GET", "/v1/records?class=medical-information&code=http://snomed.info/sct|38341003&limit=999", nil, nil)
	if log := f.log.String(); strings.Contains(log, "38341003") || !strings.Contains(log, `"route":"/v1/records"`) {
		t.Error(log)
	}
}

// From a request's line in the log one finds the transaction in those of peers and orderers.
func TestLogNamesTheTransaction(t *testing.T) {
	id := strings.Repeat("0a", 32)
	f := newFixture(t)
	answer := f.ask("POST", "/v1/transactions/"+id+"/endorsement", strings.NewReader("{}"), nil)
	for _, want := range []string{`"transactionID":"` + id + `"`, `"requestID":"` + answer.Header().Get("X-Request-ID") + `"`} {
		if !strings.Contains(f.log.String(), want) {
			t.Errorf("no %s in %s", want, f.log)
		}
	}
	f.ask("POST", "/v1/transactions/somebody/endorsement", strings.NewReader("{}"), nil)
	if strings.Contains(f.log.String(), "somebody") {
		t.Error("the log repeats what is not a transaction ID")
	}
}

func TestCallersAreLimited(t *testing.T) {
	f := newFixture(t)
	enrol := func() *httptest.ResponseRecorder {
		return f.ask("POST", "/v1/enrollments", strings.NewReader("{}"), nil)
	}
	response := enrol()
	for range 100 {
		if response.Code == http.StatusTooManyRequests {
			break
		}
		response = enrol()
	}
	document := problemOf(t, response)
	if document.Code != fault.RateLimited || !document.Retryable || response.Header().Get("Retry-After") != "1" {
		t.Fatalf("%+v, Retry-After %q", document, response.Header().Get("Retry-After"))
	}
	f.now = f.now.Add(time.Second)
	if got := enrol().Code; got == http.StatusTooManyRequests {
		t.Error("still refused after Retry-After")
	}
	other := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/enrollments", strings.NewReader("{}"))
	other.RemoteAddr = "192.0.2.1:2" // where the fixture's requests come from, by another connection
	other.Header.Set("Content-Type", "application/json")
	for status := 0; status != http.StatusTooManyRequests; {
		status = enrol().Code
	}
	if got := f.serve(other).Code; got != 400 {
		t.Errorf("another client behind the same address: %d", got)
	}
	if got := f.ask("GET", "/v1/grants?limit=0", nil, nil).Code; got != 400 {
		t.Errorf("other routes are refused too: %d", got)
	}
}

// askFrom asks as a client on a connection of its own.
func (f *fixture) askFrom(t *testing.T, connection, token string) int {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), "GET", "/v1/grants?limit=0", nil)
	request.RemoteAddr = connection
	request.Header.Set("Authorization", "Bearer "+token)
	return f.serve(request).Code
}

func (f *fixture) serve(request *http.Request) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	f.engine.ServeHTTP(recorder, request)
	return recorder
}

// All of a hospital may stand behind one address: what one client there sends that is bad,
// tokens or assertions, as many as it likes, takes nothing from another, and not even from
// who has a good one on the same connection.
func TestBadTokensLockNobodyOut(t *testing.T) {
	f := newFixture(t)
	const hostile, good = "192.0.2.1:1", "192.0.2.1:2"
	exchange := func(connection, assertion string) int {
		request := httptest.NewRequestWithContext(t.Context(), "POST", "/oauth2/token", strings.NewReader(assertionForm(assertion)))
		request.RemoteAddr, request.Header = connection, form.Clone()
		return f.serve(request).Code
	}
	for range 1000 {
		f.askFrom(t, hostile, "abc")
		exchange(hostile, "abc")
	}
	if got := exchange(hostile, "abc"); got != http.StatusTooManyRequests {
		t.Errorf("a thousand bad assertions on a connection, at once: %d", got)
	}
	for _, connection := range []string{good, hostile} {
		if got := f.askFrom(t, connection, f.token); got != 400 {
			t.Errorf("a good token: %d", got)
		}
	}
	assertion, err := f.hospital.Issue("7f3k", ledger.RolePatient, "").SignAssertion(f.user, gatewayURL, f.now)
	if err != nil {
		t.Fatal(err)
	}
	if got := exchange(good, assertion); got != 200 {
		t.Errorf("a good assertion: %d", got)
	}
}

// A limiter remembers so many and refuses nobody for that.
func TestLimiterIsBounded(t *testing.T) {
	l, err := newLimiter(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for i := range maxCallers + 1 {
		if l.take(strconv.Itoa(i), now) != 0 {
			t.Fatal("refused for the requests of others")
		}
	}
	if got := l.callers.Len(); got != maxCallers {
		t.Errorf("%d are remembered", got)
	}
	if l.take(strconv.Itoa(maxCallers), now) == 0 {
		t.Error("who asked last has been forgotten")
	}
}

func TestParseRange(t *testing.T) {
	for header, want := range map[string]struct {
		offset, length int64
		partial        bool
	}{
		"":                      {0, 100, false},
		"bytes=0-9":             {0, 10, true},
		"bytes=90-":             {90, 10, true},
		"bytes=-10":             {90, 10, true},
		"bytes=-1000":           {0, 100, true},
		"bytes=0-1000":          {0, 100, true},
		"bytes=99-99":           {99, 1, true},
		"bytes=9-0":             {0, 100, false},
		"bytes=-":               {0, 100, false},
		"bytes=0-1,5-6":         {0, 100, false},
		"items=0-1":             {0, 100, false},
		"bytes=0-9999999999999": {0, 100, true},
	} {
		part, partial, err := parseRange(header, 100)
		if err != nil || part.Offset != want.offset || part.Length != want.length || partial != want.partial {
			t.Errorf("%q: %+v %t %v, want %+v", header, part, partial, err, want)
		}
	}
	for _, header := range []string{"bytes=100-", "bytes=100-200", "bytes=-0"} {
		if _, _, err := parseRange(header, 100); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("%q: %v", header, err)
		}
	}
}

func FuzzParseRange(f *testing.F) {
	for _, seed := range []string{"bytes=0-9", "bytes=-5", "bytes=7-", "bytes=--", "bytes=999999999999999999-"} {
		f.Add(seed, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 1 {
			return
		}
		part, _, err := parseRange(header, size)
		if err == nil && (part.Offset < 0 || part.Length < 1 || part.Offset+part.Length > size) {
			t.Errorf("%q of %d: %+v", header, size, part)
		}
	})
}
