package canary

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/util"

	"github.com/pie-consortium/pie/internal/direct"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/network/networktest"
)

// chaincodePort is where chaincodes listen. Were it another, their connections would
// count as any other wire, and the test fail.
const chaincodePort = 9999

// deadline bounds whatever is waited for.
const deadline = 5 * time.Minute

// TestNothingLeaks lets people do all that can be done, then looks everywhere. What was
// planted must be found, and nothing else: a search that sees nothing proves nothing.
func TestNothingLeaks(t *testing.T) {
	s := newScene(t)
	packets := filepath.Join(t.TempDir(), "packets")
	recording := s.record(t, packets)
	s.flows(t)
	leaks := s.leaks()
	leaks.before(t, s)
	if recording != nil {
		if err := recording.Close(); err != nil {
			t.Fatal(err)
		}
	}
	search, err := NewSearch(s.canaries)
	if err != nil {
		t.Fatal(err)
	}
	s.searchMemory(t, search, s.network.Nodes())
	s.crash(t)
	leaks.after(t, s)
	s.searchDisk(t, search)
	if recording != nil {
		if err := search.Packets(packets, chaincodePort); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range s.outlets {
		o.search(search)
	}
	s.wantForgotten(t)
	wantNothingElse(t, append(s.glanced, search.Forbidden()...))
	leaks.wantFound(t, search, recording != nil)
	wantSeen(t, search, recording != nil)
}

// record captures what goes over loopback, if that is allowed.
func (s *scene) record(t *testing.T, path string) *Recording {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Log("NOT SEARCHED: the wire; capturing on loopback needs root")
		return nil
	}
	gateway, err := url.Parse(s.hospital(t, "HospitalA").GatewayURL)
	if err != nil {
		t.Fatal(err)
	}
	subnet, err := netip.MustParseAddr(gateway.Hostname()).Prefix(24)
	if err != nil {
		t.Fatal(err)
	}
	recording, err := Record(subnet, path)
	if err != nil {
		t.Fatal(err)
	}
	return recording
}

// flows is everything that people do.
func (s *scene) flows(t *testing.T) {
	t.Helper()
	c := s.enrollAll(t)
	s.glance(t)
	bundle := s.document(t, c.physician, "bundle.json", ledger.ClassMedicalInformation, 1)
	image := s.document(t, c.physician, "image.dcm", ledger.ClassImaging, 20_000)
	trial := s.document(t, c.physician, "observation.json", ledger.ClassClinicalObservation, 500)
	letter := s.document(t, c.physician, "letter.json", ledger.ClassPrescription, 1)
	s.register(t, c, letter)
	s.pie(t, c.patient, "record", "dispute", string(letter.record), "--reason", "incorrect")
	s.erase(t, c, letter)
	s.upload(t, c, bundle)
	s.emergencies(t, c, bundle)
	s.pieces(t, c, bundle)
	s.store(t, c, bundle) // again
	s.upload(t, c, trial)
	s.glance(t)
	s.search(t, c.colleague, c, bundle)
	s.search(t, c.researcher, c, trial)
	s.share(t, c, c.colleague, bundle, ledger.PurposeTreatment)
	s.share(t, c, c.researcher, trial, ledger.PurposeResearch)
	s.open(t, c.patient, bundle)
	s.open(t, c.physician, bundle)
	s.glance(t)
	s.refusals(t, c, bundle, trial)
	s.rotate(t, c, c.researcher, trial)
	s.unattended(t, c, s.document(t, c.physician, "admission.json", ledger.ClassAdmission, 1))
	s.stream(t, c)
	s.glance(t)
	s.absence(t, c)
	s.receipts(t, c, bundle)
	s.loss(t, c)
	s.glance(t)
	s.outages(t, c, image)
	s.knock(t)
	for _, p := range []*person{c.patient, c.physician} {
		s.pie(t, p, "record", "list")
		s.pie(t, p, "audit", string(bundle.record))
	}
	last := s.id(t, c.colleague, "access", "request", string(image.record), "--purpose", "ETREAT")
	for _, name := range []string{"events of the patient", "events of the colleague", "webhooks"} {
		s.outlet(t, name).await(t, last)
	}
}

// wantNothingElse wants no leak but those on purpose. It names each canary once.
func wantNothingElse(t *testing.T, forbidden []Finding) {
	t.Helper()
	first, places := map[string]Finding{}, map[string]int{}
	for _, finding := range forbidden {
		name := finding.Canary.Name
		if strings.HasPrefix(name, planted) {
			continue
		}
		if places[name]++; places[name] == 1 {
			first[name] = finding
		}
	}
	for name, finding := range first {
		t.Errorf("%s, and %d times elsewhere", finding, places[name]-1)
	}
}

// glance looks into the memory of gateways and chaincodes for what is known so far:
// later it may be overwritten, or the process gone.
func (s *scene) glance(t *testing.T) {
	t.Helper()
	search, err := NewSearch(s.canaries)
	if err != nil {
		t.Fatal(err)
	}
	s.searchMemory(t, search, slices.DeleteFunc(s.network.Nodes(), func(n networktest.Node) bool {
		return !strings.HasPrefix(n.Name, "gateway.") && !strings.HasPrefix(n.Name, "chaincode.")
	}))
	s.glanced = append(s.glanced, search.Forbidden()...)
}

// searchMemory looks at processes, one at a time.
func (s *scene) searchMemory(t *testing.T, search *Search, nodes []networktest.Node) {
	t.Helper()
	for _, node := range nodes {
		dir, err := s.network.Dir(node.Name)
		if err != nil {
			t.Fatal(err)
		}
		place := Place{Kind: memoryOf(node.Name), Name: node.Name, Owner: ownerOf(strings.TrimPrefix(dir, s.data+"/"))}
		if err := search.Process(node.PID, place, s.data); err != nil {
			t.Fatal(err)
		}
	}
}

func memoryOf(node string) PlaceKind {
	kind, _, _ := strings.Cut(node, ".")
	switch {
	case strings.HasPrefix(kind, "peer"), kind == "chaincode":
		return MemberMemory
	case kind == "gateway":
		return GatewayMemory
	case kind == "ca":
		return AuthorityMemory
	}
	return Anywhere
}

// crash ends every process so that it tells as much as it ever does: those in Go write
// all their stacks to the log. Peers start once more before, which makes tables of
// their journals.
func (s *scene) crash(t *testing.T) {
	t.Helper()
	peer := s.hospital(t, "HospitalA").Peers[0]
	if err := s.network.Kill(peer); err != nil {
		t.Fatal(err)
	}
	if err := s.network.Start(peer); err != nil {
		t.Fatal(err)
	}
	for _, node := range s.network.Nodes() {
		if err := syscall.Kill(node.PID, syscall.SIGQUIT); err != nil {
			t.Fatal(err)
		}
	}
	end := time.After(deadline)
	for slices.ContainsFunc(s.network.Nodes(), func(n networktest.Node) bool { return n.PID != 0 }) {
		select {
		case <-end:
			t.Fatalf("still running after %s: %v", deadline, s.network.Nodes())
		case <-time.Tick(10 * time.Millisecond):
		}
	}
}

// searchDisk looks at the network's files, at the devices and their screens.
func (s *scene) searchDisk(t *testing.T, search *Search) {
	t.Helper()
	if err := search.Tree(s.data, "bin"); err != nil { // the programs know what classes there are
		t.Fatal(err)
	}
	for _, p := range s.people {
		files, err := filepath.Glob(filepath.Join(p.home(), "*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("the %s has no files: %v", p.name, err)
		}
		journals, err := filepath.Glob(filepath.Join(p.home(), "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range append(files, journals...) {
			if info, err := os.Stat(file); err == nil && info.IsDir() {
				continue
			}
			if err := search.File(file, p.device()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for file, kind := range s.handed {
		if err := search.File(file, Place{Kind: kind, Name: "handed on: " + filepath.Base(file)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, shown := range s.shown {
		_, _ = search.At(Place{Kind: Screen, Name: shown.name}).Write(shown.stdout)
		_, _ = search.At(Place{Kind: Anywhere, Name: "errors of " + shown.name}).Write(shown.stderr)
	}
}

// leak is something that must not be, done on purpose.
type leak struct {
	name string
	kind Kind
	// places are parts of the names of where it has to be found.
	places []string
	do     func(t *testing.T, s *scene, value Canary)
	value  Canary
}

// leaks are those of a running network, and those of files at rest.
type leaks struct{ running, resting []*leak }

func (s *scene) leaks() leaks {
	all := leaks{
		running: []*leak{
			{name: "content in clear in IPFS", kind: Plaintext, places: []string{"the wire", "ipfs.hospital-a/state/blocks"}, do: addToKubo},
			{name: "content in a webhook", kind: Plaintext, places: []string{"webhooks"}, do: sent("webhooks", "")},
			{name: "code in a header of a webhook", kind: Metadata, places: []string{"webhooks"}, do: sent("webhooks", "Webhook-Signature")},
			{name: "code in a span", kind: Metadata, places: []string{"traces"}, do: sent("traces", "")},
			{name: "code in an event", kind: Metadata, places: []string{"events of the patient"}, do: streamed("events of the patient")},
			{name: "content sent to a gateway", kind: Plaintext, places: []string{"memory of gateway.hospital-b"}, do: sendToGateway},
		},
		resting: []*leak{
			{name: "key in a log", kind: PrivateKey, places: []string{"logs/gateway.hospital-a.log"}, do: asPEM("logs/gateway.hospital-a.log")},
			{name: "code in a peer's block", kind: Metadata, places: []string{"blockfile_000000"},
				do: appendTo("organizations/HospitalB/nodes/peer0.hospital-b/state/ledgersData/chains/chains/*/blockfile_000000", `{"code":"%s"}`)},
			{name: "hash in an orderer's block", kind: Digest, places: []string{"orderer.hospital-c/state/ledger/chains/"},
				do: appendTo("organizations/HospitalC/nodes/orderer.hospital-c/state/ledger/chains/*/blockfile_000000", "%s")},
			{name: "code in an orderer's log of writes", kind: Metadata, places: []string{"orderer.hospital-a/state/wal/"},
				do: appendTo("organizations/HospitalA/nodes/orderer.hospital-a/state/wal/*/*.wal", "%s")},
			{name: "code in a public row", kind: Metadata, places: []string{"stateLeveldb/", "(rows)"}, do: asRow("pie\x00dpie\x00leak")},
			{name: "content in a private row", kind: Plaintext, places: []string{"stateLeveldb/", "(private rows)"}, do: asRow("pie\x00dpie$$pmetadata\x00leak")},
			{name: "content in a CA's database", kind: Plaintext, places: []string{"ca.hospital-b/state/ca.db"},
				do: appendTo("organizations/HospitalB/nodes/ca.hospital-b/state/ca.db", "\x00%s\x00")},
			{name: "key in a core file", kind: PrivateKey, places: []string{"chaincode.hospital-a/core.1"}, do: asCore},
			{name: "content in a block of IPFS", kind: Plaintext, places: []string{"ipfs.hospital-c/state/blocks/"},
				do: appendTo("organizations/HospitalC/nodes/ipfs.hospital-c/state/blocks/*/*.data", "%s")},
			{name: "enrolment secret in a gateway's files", kind: Secret, places: []string{"gateway.hospital-a/state/"},
				do: appendTo("organizations/HospitalA/nodes/gateway.hospital-a/state/events.checkpoint", "%s")},
			{name: "content in an upload that is not finished", kind: Plaintext, places: []string{"gateway.hospital-a/state/partial/"},
				do: appendTo("organizations/HospitalA/nodes/gateway.hospital-a/state/partial/*."+strings.Repeat("?", len(ledger.NewID())), "%s")},
			{name: "service key with another hospital", kind: ServiceKey, places: []string{"HospitalA/nodes/gateway.hospital-a/gateway.yaml"},
				do: appendTo("organizations/HospitalA/nodes/gateway.hospital-a/gateway.yaml", "%s")},
			{name: "key on another's device", kind: PrivateKey, places: []string{"the home of the colleague"}, do: onDevice("colleague")},
			{name: "own key in clear beside a passphrase", kind: PrivateKey, places: []string{"the home of the researcher"}, do: onDevice("researcher")},
			{name: "key in a guardian's share", kind: PrivateKey, places: []string{"handed on: share-1.age"}, do: handOn(Anywhere)},
			{name: "code in a receipt", kind: Metadata, places: []string{".receipt.json"}, do: handOn(Receipt)},
			{name: "content in an error", kind: Plaintext, places: []string{"errors of "},
				do: func(_ *testing.T, s *scene, value Canary) {
					s.shown = append(s.shown, output{name: "pie", stderr: value.Value})
				}},
		},
	}
	for _, leak := range slices.Concat(all.running, all.resting) {
		leak.value = s.plant(leak.name, leak.kind)
	}
	return all
}

func (l leaks) before(t *testing.T, s *scene) {
	t.Helper()
	for _, leak := range l.running {
		leak.do(t, s, leak.value)
	}
}

func (l leaks) after(t *testing.T, s *scene) {
	t.Helper()
	for _, leak := range l.resting {
		leak.do(t, s, leak.value)
	}
}

func (l leaks) wantFound(t *testing.T, search *Search, wire bool) {
	t.Helper()
	forbidden := search.Forbidden()
	for _, leak := range slices.Concat(l.running, l.resting) {
		for _, place := range leak.places {
			if place == "the wire" && !wire {
				continue
			}
			if !slices.ContainsFunc(forbidden, func(f Finding) bool {
				return f.Canary.Name == leak.value.Name && strings.Contains(f.Place.Name, place)
			}) {
				t.Errorf("%s was not found in %s", leak.value.Name, place)
			}
		}
	}
}

// wantSeen wants what is not a leak where it has to be: the search reads real places.
func wantSeen(t *testing.T, search *Search, wire bool) {
	t.Helper()
	found := search.Findings()
	for _, want := range []struct{ canary, place string }{
		{"department of the physician", "peer0.hospital-c/state/ledgersData/chains/chains/"},
		{"department of the physician", "peer0.hospital-a/state/ledgersData/stateLeveldb/"},
		{"department of the physician", "orderer.operator/state/ledger/chains/"},
		{"department of the physician", "ca.hospital-a/state/ca.db"},
		{"department of the colleague", "memory of gateway.hospital-b"},
		{"department of the colleague", "memory of peer0.hospital-b"},
		{"department of the colleague", "memory of chaincode.hospital-b"},
		{"pseudonym of the physician", "logs/gateway.hospital-a.log"},
		{"code of bundle.json", "peer0.hospital-a/state/ledgersData/stateLeveldb/"},
		{"code of bundle.json", "peer0.hospital-b/state/ledgersData/pvtdataStore/"},
		{"code of bundle.json", "peer0.hospital-c/state/ledgersData/pvtdataStore/"},
		{"identity key of the patient", "the home of the patient"},
		{"organizations/HospitalB/nodes/gateway.hospital-b/state/proxy.key", "organizations/HospitalB/nodes/gateway.hospital-b/state/"},
		{"organizations/HospitalC/nodes/peer0.hospital-c/msp/keystore/key.pem", "memory of peer0.hospital-c"},
		{"code of bundle.json", "the wire"},
		{"pseudonym of the colleague", "handed on: "},
		{"pseudonym of the physician", "events of the patient"},
		{"pseudonym of the responder", "events of the officer"},
		{"pseudonym of the responder", "webhooks"},
		{"secret of the webhooks of HospitalB", "memory of gateway.hospital-b"},
		{"name of a route", "traces"},
	} {
		if want.place == "the wire" && !wire {
			continue
		}
		if !slices.ContainsFunc(found, func(f Finding) bool {
			return f.Canary.Name == want.canary && strings.Contains(f.Place.Name, want.place)
		}) {
			t.Errorf("the %s was not seen in %s: the search is blind there", want.canary, want.place)
		}
	}
}

func addToKubo(t *testing.T, s *scene, value Canary) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "emr")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(value.Value) // to memory
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	add, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.hospital(t, "HospitalA").IPFSAPI+"/api/v0/add?raw-leaves=true", &body)
	if err != nil {
		t.Fatal(err)
	}
	add.Header.Set("Content-Type", form.FormDataContentType())
	answer, err := direct.Client(http.DefaultTransport).Do(add)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("Kubo answered %s", answer.Status)
	}
}

// sendToGateway leaves a request in the buffer of a connection that stays open.
func sendToGateway(t *testing.T, s *scene, value Canary) {
	t.Helper()
	hospital := s.hospital(t, "HospitalB")
	dialer := tls.Dialer{Config: tlsOf(t, hospital)}
	conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(hospital.GatewayURL, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := fmt.Fprintf(conn, "GET /%s HTTP/1.1\r\nHost: gateway\r\n\r\n", value.Value); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, len("HTTP/1.1 404"))); err != nil {
		t.Fatal(err)
	}
}

// asPEM writes a key into a log as programs do: PEM, its lines escaped.
func asPEM(path string) func(*testing.T, *scene, Canary) {
	return func(t *testing.T, s *scene, value Canary) {
		t.Helper()
		block := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: append(make([]byte, 36), value.Value...)})
		add(t, filepath.Join(s.data, path), fmt.Appendf(nil, "{\"level\":\"INFO\",\"key\":%q}\n", block))
	}
}

// appendTo writes a value, in the format, at the end of the first file of the pattern.
func appendTo(pattern, format string) func(*testing.T, *scene, Canary) {
	return func(t *testing.T, s *scene, value Canary) {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(s.data, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no file is called %s: %v", pattern, err)
		}
		add(t, files[0], fmt.Appendf(nil, format, value.Value))
	}
}

func asRow(key string) func(*testing.T, *scene, Canary) {
	return func(t *testing.T, s *scene, value Canary) {
		t.Helper()
		db, err := leveldb.OpenFile(filepath.Join(s.data, "organizations/HospitalC/nodes/peer0.hospital-c/state/ledgersData/stateLeveldb"), nil)
		if err != nil {
			t.Fatal(err)
		}
		row := `{"row":"` + base64.StdEncoding.EncodeToString(value.Value) + `"}`
		if err := errors.Join(db.Put([]byte(key), []byte(row), nil), db.CompactRange(util.Range{}), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func asCore(t *testing.T, s *scene, value Canary) {
	t.Helper()
	core := append([]byte("\x7fELF"), make([]byte, 1<<20)...)
	write(t, filepath.Join(s.data, "organizations/HospitalA/nodes/chaincode.hospital-a/core.1"), append(core, value.Value...))
}

func onDevice(name string) func(*testing.T, *scene, Canary) {
	return func(t *testing.T, s *scene, value Canary) {
		t.Helper()
		i := slices.IndexFunc(s.people, func(p *person) bool { return p.name == name })
		write(t, filepath.Join(s.people[i].home(), "copy"), value.Value)
	}
}

// handOn adds to a file of the kind that people hand on.
func handOn(kind PlaceKind) func(*testing.T, *scene, Canary) {
	return func(t *testing.T, s *scene, value Canary) {
		t.Helper()
		for file, of := range s.handed {
			if of == kind {
				add(t, file, value.Value)
				return
			}
		}
		t.Fatalf("nobody handed on a file of the kind %s", kind)
	}
}

func add(t *testing.T, path string, text []byte) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Write(text); err != nil {
		t.Fatal(err)
	}
}
