package canary

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/internal/direct"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/network/networktest"
)

// document is a file that becomes a record.
type document struct {
	file    string
	class   ledger.Class
	words   []string // in its content
	content []byte
	codes   []string
	// ageBand and mediaType are free texts to the network.
	ageBand, mediaType string
	record             ledger.ID
}

// cast is who takes part.
type cast struct {
	patient, physician, colleague, researcher, neighbour *person
	// They are there for emergencies.
	responder, desk, officer *person
	// She is there when keys are lost.
	recoverer *person
}

func (s *scene) enrollAll(t *testing.T) cast {
	t.Helper()
	guest := func(msp string, role ledger.Role, clearance ledger.Level) networktest.Guest {
		return networktest.Guest{MSP: msp, Role: role, Clearance: clearance}
	}
	c := cast{
		patient:    &person{name: "patient", guest: guest("HospitalA", ledger.RolePatient, "")},
		physician:  &person{name: "physician", guest: guest("HospitalA", ledger.RolePhysician, ledger.LevelPrivate)},
		colleague:  &person{name: "colleague", guest: guest("HospitalB", ledger.RolePhysician, ledger.LevelPrivate)},
		researcher: &person{name: "researcher", guest: guest("HospitalC", ledger.RoleResearcher, ledger.LevelLow), passphrase: "correct horse"},
		neighbour:  &person{name: "neighbour", guest: guest("HospitalB", ledger.RolePatient, "")},
		responder:  &person{name: "responder", guest: guest("HospitalC", ledger.RoleEmergency, ledger.LevelPrivate)},
		desk:       &person{name: "desk", guest: guest("HospitalB", ledger.RoleEmergencyDesk, ledger.LevelPrivate)},
		officer:    &person{name: "officer", guest: guest("HospitalA", ledger.RolePrivacyOfficer, ledger.LevelPrivate)},
		recoverer:  &person{name: "recovery officer", guest: guest("HospitalC", ledger.RoleRecoveryOfficer, ledger.LevelLow)},
	}
	for _, p := range []*person{c.patient, c.physician, c.colleague, c.researcher, c.neighbour, c.responder, c.desk, c.officer, c.recoverer} {
		s.enroll(t, p)
	}
	for _, p := range []*person{c.patient, c.physician, c.colleague, c.officer} {
		s.follow(t, p)
	}
	return c
}

// document makes a file of the class with known words all over it.
func (s *scene) document(t *testing.T, author *person, name string, class ledger.Class, repeat int) *document {
	t.Helper()
	d := &document{
		file: name, class: class, ageBand: s.word("age band of "+name, Metadata),
		mediaType: "application/" + s.word("media type of "+name, Metadata),
		codes:     []string{"http://snomed.info/sct|" + s.word("code of "+name, Metadata), "http://loinc.org|" + s.word("second code of "+name, Metadata)},
	}
	var content bytes.Buffer
	for _, what := range []string{"patient's name", "record number", "diagnosis"} {
		d.words = append(d.words, s.word(what+" in "+name, Plaintext))
	}
	for i := range repeat {
		_, _ = fmt.Fprintf(&content, "{\"resourceType\": \"Patient\", \"name\": %q, \"identifier\": %q, \"text\": %q, \"index\": %d}\n",
			d.words[0], d.words[1], d.words[2], i)
	}
	d.content = content.Bytes()
	write(t, filepath.Join(author.dir, name), d.content)
	s.digests("content of "+name, string(d.content))
	for i, word := range d.words {
		s.digests(fmt.Sprintf("word %d of %s", i, name), word)
	}
	return d
}

// guesses forbids everything by which somebody could confirm a guess at metadata: its
// values by themselves, as the ledger's types write them, and as keys of private rows.
func (s *scene) guesses(t *testing.T, d *document, view ledger.RecordView) {
	t.Helper()
	s.digests("age band", d.ageBand)
	s.digests("media type", d.mediaType)
	s.digests("class", string(d.class))
	s.digests("sex", "female")
	at := view.Registered.UTC().Format("2006-01-02T15:04:05.000000000Z")
	version := string(d.record) + "/1"
	keys := map[string]string{"metadata": "metadata/" + version, "class": "class/" + string(d.class) + "/" + at + "/" + version}
	for i, code := range d.codes {
		_, value, _ := strings.Cut(code, "|")
		s.digests("code", code)
		s.digests("code's value", value)
		keys[fmt.Sprintf("code %d", i)] = "code/" + url.PathEscape(code) + "/" + at + "/" + version
	}
	for name, key := range keys {
		s.digests("key of "+name, key)
		s.digests("key of "+name+", before the salt", key+"/")
	}
	metadata := *view.Metadata
	for _, salt := range []ledger.Salt{nil, {}, make(ledger.Salt, 16)} {
		metadata.Salt = salt
		text, err := json.Marshal(metadata)
		if err != nil {
			t.Fatal(err)
		}
		s.digests("metadata without salt", string(text))
		s.digests("metadata without the salt's field", strings.Replace(string(text), `"salt":null,`, "", 1))
	}
	for _, part := range []string{fmt.Sprintf("%q:%q", "class", d.class), fmt.Sprintf("%q:%q", "sex", "female"), "class/" + string(d.class)} {
		s.canaries = append(s.canaries, Canary{Name: "metadata's " + part, Kind: Metadata, Value: []byte(part)})
	}
}

// upload takes a document from authorisation to confirmation.
func (s *scene) upload(t *testing.T, c cast, d *document) {
	t.Helper()
	s.register(t, c, d)
	s.pie(t, c.patient, "record", "confirm", string(d.record))
}

// register takes a document to the ledger, and makes canaries of what derives from it.
func (s *scene) register(t *testing.T, c cast, d *document) {
	t.Helper()
	d.record = ledger.ID(s.id(t, c.patient, "record", "authorize", "--physician", c.physician.user.String(), "--class", string(d.class)))
	s.store(t, c, d)
	view := s.view(t, c.patient, d.record)
	s.derived(t, c.patient, fmt.Sprintf("record/%s/1", d.record), view.RecordKey)
	s.guesses(t, d, view)
}

func (s *scene) store(t *testing.T, c cast, d *document) {
	t.Helper()
	s.pie(t, c.physician, d.uploading(c.patient.user)...)
}

func (d *document) uploading(patient ledger.UserID) []string {
	return []string{"record", "upload", "--patient", patient.String(), "--record", string(d.record), "--class", string(d.class),
		"--media-type", d.mediaType, "--sex", "female", "--age-band", d.ageBand, "--code", strings.Join(d.codes, ","), d.file}
}

func (s *scene) id(t *testing.T, p *person, arguments ...string) string {
	t.Helper()
	return strings.TrimSpace(string(s.pie(t, p, append([]string{"--quiet"}, arguments...)...)))
}

func (s *scene) view(t *testing.T, p *person, record ledger.ID) ledger.RecordView {
	t.Helper()
	var view ledger.RecordView
	if err := json.Unmarshal(s.pie(t, p, "--json", "record", "show", string(record)), &view); err != nil {
		t.Fatal(err)
	}
	if view.Metadata == nil || view.Registered.IsZero() {
		t.Fatalf("record %s has no metadata or time", record)
	}
	return view
}

// search finds a record in every way there is.
func (s *scene) search(t *testing.T, p *person, c cast, d *document) {
	t.Helper()
	yesterday := time.Now().Add(-24 * time.Hour).Format(time.RFC3339)
	for _, by := range [][]string{
		{"--patient", c.patient.user.String()}, {"--class", string(d.class)}, {"--code", d.codes[1]},
		{"--class", string(d.class), "--sex", "female", "--age-band", d.ageBand},
		{"--hospital", "HospitalA", "--from", yesterday},
	} {
		found := s.pie(t, p, append([]string{"record", "search"}, by...)...)
		if !bytes.Contains(found, []byte(d.record)) {
			t.Errorf("a search by %s did not find %s", by[0], d.file)
		}
	}
}

// share brings a record from a request to opened bytes, twice.
func (s *scene) share(t *testing.T, c cast, with *person, d *document, purpose ledger.Purpose) {
	t.Helper()
	request := s.id(t, with, "access", "request", string(d.record), "--purpose", string(purpose))
	s.pie(t, c.patient, "access", "list")
	s.pie(t, c.patient, "access", "grant", request)
	s.open(t, with, d)
	s.open(t, with, d)
}

func (s *scene) open(t *testing.T, p *person, d *document) {
	t.Helper()
	s.pie(t, p, "record", "open", string(d.record), "--out", "opened-"+d.file)
	content, err := os.ReadFile(filepath.Join(p.dir, "opened-"+d.file))
	if err != nil || !bytes.Equal(content, d.content) {
		t.Fatalf("the %s did not open %s: %v", p.name, d.file, err)
	}
}

// refusals is what does not work, and must not leak either.
func (s *scene) refusals(t *testing.T, c cast, private, trial *document) {
	t.Helper()
	const usage, refused, failed = 2, 3, 1
	s.fails(t, c.researcher, refused, "access", "request", string(private.record), "--purpose", "HRESCH")
	s.fails(t, c.researcher, refused, "record", "open", string(private.record), "--out", "stolen")
	s.fails(t, c.researcher, refused, "access", "request", string(trial.record), "--purpose", "TREAT")
	s.fails(t, c.researcher, refused, "record", "show", string(private.record))
	s.fails(t, c.colleague, refused, "audit", string(private.record))
	s.fails(t, c.neighbour, refused, "record", "confirm", string(private.record))
	s.fails(t, c.neighbour, refused, "record", "open", string(private.record), "--out", "stolen")
	for _, p := range []*person{c.researcher, c.neighbour} {
		if _, err := os.Stat(filepath.Join(p.dir, "stolen")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the %s was refused and has a file: %v", p.name, err)
		}
	}
	s.fails(t, c.physician, usage, "record", "search", "--class", private.words[0])
	s.fails(t, c.physician, usage, "record", "search", "--code", strings.Repeat(private.codes[0], 20))
	other := *private
	other.file = trial.file
	s.fails(t, c.physician, failed, other.uploading(c.patient.user)...)
	request := s.id(t, c.colleague, "access", "request", string(private.record), "--purpose", "ETREAT")
	s.pie(t, c.patient, "access", "deny", request, "--reason", "purpose-unclear")
	s.fails(t, c.patient, failed, "access", "grant", request)
}

// outages is what happens while nodes are away: errors are where programs talk most.
func (s *scene) outages(t *testing.T, c cast, d *document) {
	t.Helper()
	hospital := s.hospital(t, "HospitalA")
	s.without(t, hospital.IPFS, func() { s.upload(t, c, d) })
	s.without(t, hospital.Chaincode, func() {
		// Other hospitals may do for both; this one's logs tell why it could not.
		s.run(t, c.physician, "record", "search", "--code", d.codes[0], "--age-band", d.ageBand)
		s.run(t, c.physician, d.uploading(c.patient.user)...)
	})
	s.without(t, s.hospital(t, "HospitalC").Gateway, func() { s.share(t, c, c.colleague, d, ledger.PurposeTreatment) })
}

// knock sends what no client of ours would: values in a path, a query, headers, a body
// that is not JSON, an enrolment that is none. Only the gateway's memory may have them.
func (s *scene) knock(t *testing.T) {
	t.Helper()
	hospital, word := s.hospital(t, "HospitalB"), func(where string) string { return s.word("sent to a gateway in "+where, Secret) }
	client := direct.Client(&http.Transport{TLSClientConfig: tlsOf(t, hospital), DisableKeepAlives: true})
	for _, request := range []struct{ method, path, kind string }{
		{http.MethodGet, "/v1/records?code=" + word("a query"), ""},
		{http.MethodGet, "/v1/" + word("a path"), ""},
		{http.MethodPost, "/v1/enrollments", "application/json"},
		{http.MethodPost, "/v1/transactions", "application/json"},
		{http.MethodPost, "/v1/content?name=" + word("a name"), "application/" + word("a media type")},
		{http.MethodPost, "/oauth2/token", "application/x-www-form-urlencoded"},
		{strings.ToUpper(word("a method")), "/v1/records", ""},
	} {
		body := fmt.Sprintf(`{"csr": %q, "pseudonym": {"class": %q}, "secret": [`, word("a body"), word("a body"))
		sent, err := http.NewRequestWithContext(t.Context(), request.method, hospital.GatewayURL+request.path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		sent.Header.Set("Content-Type", request.kind)
		sent.Header.Set("User-Agent", word("a header"))
		sent.Header.Set("Authorization", "Bearer "+word("a token"))
		answer, err := client.Do(sent)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode < http.StatusBadRequest {
			t.Errorf("%s %s was answered with %s", request.method, request.path, answer.Status)
		}
	}
}

func tlsOf(t *testing.T, hospital networktest.Organization) *tls.Config {
	t.Helper()
	root, err := os.ReadFile(hospital.TLSRoot)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(root) {
		t.Fatalf("%s holds no certificate", hospital.TLSRoot)
	}
	return &tls.Config{RootCAs: roots}
}
