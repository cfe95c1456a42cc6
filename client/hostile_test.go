package client

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/client/internal/emr"
	"github.com/pie-consortium/pie/client/internal/home"
	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/network/networktest"
	"github.com/pie-consortium/pie/umbral"
	"github.com/pie-consortium/pie/umbral/agefile"
)

// tamper changes the answer of a gateway; it returns the body.
type tamper func(r *http.Response, body []byte) []byte

// betray puts a gateway that tampers in the place of a member's own, as one that the
// member's operator has changed: it has the address and the TLS certificate that the
// client expects, and the real gateway behind it for everything else.
func betray(t *testing.T, c *Client, msp string, change tamper) {
	t.Helper()
	honest, err := network.Organization(msp)
	if err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(honest.GatewayURL)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(relay(t, address, honest.TLSRoot, change))
	certificate, root := serverCertificate(t, address.Hostname())
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	t.Cleanup(server.Close)
	own := c.gateways[0].url
	bundle := *c.bundle
	bundle.Organizations = slices.Clone(bundle.Organizations)
	for i := range bundle.Organizations {
		if bundle.Organizations[i].MSP == msp {
			bundle.Organizations[i].TLSRoots = []string{root}
		}
	}
	c.bundle = &bundle
	err = c.connect(own, func(ctx context.Context, kind, to string) (net.Conn, error) {
		if to == address.Host {
			to = server.Listener.Addr().String()
		}
		return new(net.Dialer).DialContext(ctx, kind, to)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// relay passes requests on to the real gateway and its answers, changed, back.
func relay(t *testing.T, honest *url.URL, rootFile string, change tamper) http.Handler {
	t.Helper()
	roots := x509.NewCertPool()
	root, err := os.ReadFile(rootFile)
	if err != nil || !roots.AppendCertsFromPEM(root) {
		t.Fatal("no TLS root", err)
	}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(honest)
			r.Out.Header.Del("Accept-Encoding") // answers must be read to be changed
		},
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
		ModifyResponse: func(r *http.Response) error {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			if r.StatusCode == http.StatusOK {
				body = change(r, body)
			}
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
			return nil
		},
	}
}

func serverCertificate(t *testing.T, host string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, IPAddresses: []net.IP{net.ParseIP(host)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(root)
}

// rewrite changes answers of one type, on paths that match a pattern.
func rewrite[T any](t *testing.T, pattern string, change func(*T)) tamper {
	return func(r *http.Response, body []byte) []byte {
		route := r.Request.URL.Path
		if matches, err := path.Match(pattern, route); err != nil || !matches {
			return body
		}
		var value T
		if err := json.Unmarshal(body, &value); err != nil {
			t.Errorf("%s: %v", route, err)
		}
		change(&value)
		text, err := json.Marshal(value)
		if err != nil {
			t.Error(err)
		}
		return text
	}
}

// wantAltered wants the gateway of the member to be named.
func wantAltered(t *testing.T, err error, msp string) {
	t.Helper()
	var alteration *AlteredError
	if !errors.As(err, &alteration) || !strings.Contains(alteration.Who, "gateway of "+msp) {
		t.Errorf("got %v, want the gateway of %s to be named", err, msp)
	}
}

// wantAlteredBy wants success in spite of the hospital that altered something, which is named.
func wantAlteredBy(t *testing.T, opened Opened, err error, msp string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if len(opened.Altered) != 1 {
		t.Fatalf("blamed %v, want the gateway of %s alone", opened.Altered, msp)
	}
	wantAltered(t, opened.Altered[0], msp)
}

// state makes a statement with somebody's identity key.
func state(t *testing.T, by *Client, statement trust.KeyStatement) string {
	t.Helper()
	statement.Issued = time.Now().UTC()
	jws, err := by.creator.Signer.SignKeyStatement(statement)
	if err != nil {
		t.Fatal(err)
	}
	return jws
}

func TestSubstitutedRecordKeyIsDetected(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record, other := p.authorize(t, ledger.ClassMedicalInformation), p.authorize(t, ledger.ClassMedicalInformation)
	attacker := p.author.keys.record(record, firstVersion).PublicKey().Bytes()
	for name, substitute := range map[string]string{
		"somebody else's": state(t, p.author, trust.KeyStatement{Kind: ledger.KeyRecord, Key: attacker,
			User: p.author.identity.User, Record: record, Version: firstVersion}),
		"in the patient's name": state(t, p.author, trust.KeyStatement{Kind: ledger.KeyRecord, Key: attacker,
			User: p.patient.identity.User, Record: record, Version: firstVersion}),
		"of another record": state(t, p.patient, trust.KeyStatement{Kind: ledger.KeyRecord, Key: attacker,
			User: p.patient.identity.User, Record: other, Version: firstVersion}),
		"of another kind": state(t, p.patient, trust.KeyStatement{Kind: ledger.KeyVerifying, Key: attacker,
			User: p.patient.identity.User}),
	} {
		t.Run(name, func(t *testing.T) {
			betray(t, p.author, "HospitalA", rewrite(t, "/v1/records/*/slot", func(slot *ledger.Slot) {
				slot.RecordKey = substitute
			}))
			_, err := p.author.Upload(t.Context(), p.newRecord(t, record, []byte("emr")))
			wantAltered(t, err, "HospitalA")
		})
	}
}

func TestUploadForAnotherPatientIsRefused(t *testing.T) {
	t.Parallel()
	p, stranger := newTrio(t), enroll(t, patientOfA)
	record := p.authorize(t, ledger.ClassMedicalInformation)
	n := p.newRecord(t, record, []byte("emr"))
	n.Patient = stranger.identity.User
	if _, err := p.author.Upload(t.Context(), n); fault.CodeOf(err) != fault.PermissionDenied {
		t.Errorf("got %v, want %s", err, fault.PermissionDenied)
	}
}

func TestSubstitutedReceivingKeyIsDetected(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.upload(t, []byte("emr"))
	request := p.request(t, record)
	attacker := p.author
	betray(t, p.patient, "HospitalA", rewrite(t, "/v1/users/HospitalB/"+p.requester.identity.User.Pseudonym, func(user *ledger.UserView) {
		user.Keys[ledger.KeyReceiving] = state(t, attacker, trust.KeyStatement{Kind: ledger.KeyReceiving,
			Key: attacker.keys.receiving().PublicKey().Bytes(), User: p.requester.identity.User})
	}))
	_, err := p.patient.Grant(t.Context(), request.ID, time.Now().Add(time.Hour))
	wantAltered(t, err, "HospitalA")
}

func TestUserPassedOffAsAnotherIsDetected(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	request := p.request(t, p.upload(t, []byte("emr")))
	attacker, err := p.author.person(t.Context(), p.author.identity.User)
	if err != nil {
		t.Fatal(err)
	}
	betray(t, p.patient, "HospitalA", rewrite(t, "/v1/users/HospitalB/*", func(user *ledger.UserView) { *user = attacker.view }))
	_, err = p.patient.Grant(t.Context(), request.ID, time.Now().Add(time.Hour))
	wantAltered(t, err, "HospitalA")
}

func TestForgedCardIsDetected(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	request := p.request(t, p.upload(t, []byte("emr")))
	card, err := p.author.creator.Signer.SignCard(trust.Card{User: p.requester.identity.User, Role: ledger.RolePhysician, Name: "Dr. Nobody", Issued: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	betray(t, p.patient, "HospitalA", rewrite(t, "/v1/users/HospitalB/*", func(user *ledger.UserView) { user.Card = card }))
	_, err = p.patient.Grant(t.Context(), request.ID, time.Now().Add(time.Hour))
	wantBadCard(t, err, p.requester.identity.User)
}

// wantBadCard wants the user to be named, and no gateway to be blamed: a card is told
// by whoever registered it.
func wantBadCard(t *testing.T, err error, user ledger.UserID) {
	t.Helper()
	var bad *CardError
	var alteration *AlteredError
	if !errors.As(err, &bad) || bad.User != user || !strings.Contains(err.Error(), user.String()) || fault.CodeOf(err) != fault.Altered {
		t.Errorf("got %v, want the card of %s to be refused", err, user)
	}
	if errors.As(err, &alteration) {
		t.Errorf("%s is blamed", alteration.Who)
	}
}

// A statement that its owner made, at a time or of a key that will not do, is not a lie of
// the gateway's, whether or not the ledger should have refused it.
func TestUnfitStatementOfItsOwnerBlamesNoGateway(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.upload(t, []byte("emr"))
	request := p.request(t, record)
	user := p.requester.identity.User
	key := p.requester.keys.receiving().PublicKey().Bytes()
	for name, unfit := range map[string]trust.KeyStatement{
		"a time before its certificate": {Kind: ledger.KeyReceiving, Key: key, User: user, Issued: time.Now().Add(-24 * time.Hour)},
		"no point":                      {Kind: ledger.KeyReceiving, Key: make([]byte, 33), User: user, Issued: time.Now()},
	} {
		t.Run(name, func(t *testing.T) {
			jws, err := p.requester.creator.Signer.SignKeyStatement(unfit)
			if err != nil {
				t.Fatal(err)
			}
			betray(t, p.patient, "HospitalA", rewrite(t, "/v1/users/HospitalB/*", func(user *ledger.UserView) {
				user.Keys[ledger.KeyReceiving] = jws
			}))
			_, err = p.patient.Grant(t.Context(), request.ID, time.Now().Add(time.Hour))
			wantCode(t, err, fault.Altered)
			var alteration *AlteredError
			if errors.As(err, &alteration) || !strings.Contains(err.Error(), user.String()) {
				t.Errorf("got %v, want %s to be named and no gateway", err, user)
			}
		})
	}
}

// Absence cannot be proved, but another gateway can be asked.
func TestAnotherGatewayTellsWhatOneHides(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.upload(t, []byte("emr"))
	betray(t, p.requester, "HospitalB", rewrite(t, "/v1/records", func(records *ledger.List[ledger.RecordView]) { records.Rows = nil }))
	search := func() []ledger.RecordView {
		records, err := p.requester.Search(t.Context(), ledger.SearchRecords{Patient: p.patient.identity.User})
		if err != nil {
			t.Fatal(err)
		}
		return records
	}
	if len(search()) > 0 {
		t.Fatal("nothing was hidden")
	}
	if err := p.requester.Ask(p.patient.Gateway()); err != nil {
		t.Fatal(err)
	}
	if records := search(); len(records) != 1 || records[0].ID != record {
		t.Errorf("the other gateway tells of %v, want %s", records, record)
	}
	wantCode(t, p.requester.Ask("https://127.0.0.1:1"), fault.InvalidArgument)
}

// A grant that the requester's own hospital hides, or has not seen yet, opens.
func TestHiddenGrantIsFoundElsewhere(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.upload(t, []byte("emr"))
	p.grant(t, record)
	betray(t, p.requester, "HospitalB", rewrite(t, "/v1/grants", func(grants *ledger.List[ledger.Grant]) { grants.Rows = nil }))
	if grants, err := p.requester.Grants(t.Context()); err != nil || len(grants) > 0 {
		t.Fatalf("nothing was hidden: %v, %v", grants, err)
	}
	if _, err := p.requester.Open(t.Context(), record, 0, filepath.Join(t.TempDir(), "emr")); err != nil {
		t.Error(err)
	}
}

// So is a request that the patient's own hospital hides, or has not seen yet.
func TestHiddenRequestIsFoundElsewhere(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	request := p.request(t, p.upload(t, []byte("emr")))
	betray(t, p.patient, "HospitalA", rewrite(t, "/v1/access-requests", func(requests *ledger.List[ledger.AccessRequest]) { requests.Rows = nil }))
	if requests, err := p.patient.Requests(t.Context(), ""); err != nil || len(requests) > 0 {
		t.Fatalf("nothing was hidden: %v, %v", requests, err)
	}
	if _, err := p.patient.Grant(t.Context(), request.ID, time.Now().Add(time.Hour)); err != nil {
		t.Error(err)
	}
}

// A hospital that has not seen anything of late, as it is cut off from the others, stops
// nobody.
func TestHospitalThatIsBehindIsPassedOver(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.authorize(t, ledger.ClassMedicalInformation)
	for _, c := range []*Client{p.patient, p.author, p.requester} {
		betray(t, c, c.identity.User.MSP, func(r *http.Response, body []byte) []byte {
			if path := r.Request.URL.Path; path == "/oauth2/token" || path == "/v1/organizations" {
				return body
			}
			if r.Request.Method == http.MethodPost && strings.HasSuffix(r.Request.URL.Path, "/content") {
				t.Error("the content was sent to a hospital that does not know what it is for")
			}
			r.StatusCode, r.Status = http.StatusNotFound, "404 Not Found"
			return []byte(`{"code": "not_found", "detail": "there is nothing here"}`)
		})
	}
	if _, err := p.author.Upload(t.Context(), p.newRecord(t, record, []byte("emr"))); err != nil {
		t.Fatal(err)
	}
	if _, err := p.patient.Confirm(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	p.grant(t, record)
	openAs(t, p.requester, record, sha256.Sum256([]byte("emr")))
}

// A lying inbox is not believed either: the ledger knows what was requested.
// The ledger takes one request of an ID: who tells of two wants the other one answered.
func TestARequestThatStandsTwiceIsNotAnswered(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	asked := p.request(t, p.upload(t, []byte("emr")))
	betray(t, p.patient, "HospitalA", rewrite(t, "/v1/access-requests", func(list *ledger.List[ledger.AccessRequest]) {
		for _, request := range list.Rows {
			request.Record = ledger.NewID()
			list.Rows = append([]ledger.AccessRequest{request}, list.Rows...)
		}
	}))
	_, err := p.patient.Grant(t.Context(), asked.ID, time.Now().Add(time.Hour))
	wantCode(t, err, fault.Altered)
	_, err = p.patient.Deny(t.Context(), asked.ID, ledger.DenyDeclined)
	wantCode(t, err, fault.Altered)
}

func TestLyingInboxAchievesNothing(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	request := p.request(t, p.upload(t, []byte("emr")))
	for name, change := range map[string]func(*ledger.AccessRequest){
		"another requester": func(r *ledger.AccessRequest) { r.Requester = p.author.identity },
		"another purpose":   func(r *ledger.AccessRequest) { r.Purpose = ledger.PurposeResearch },
		"another record":    func(r *ledger.AccessRequest) { r.Record = ledger.NewID() },
	} {
		t.Run(name, func(t *testing.T) {
			betray(t, p.patient, "HospitalA", rewrite(t, "/v1/access-requests", func(requests *ledger.List[ledger.AccessRequest]) {
				change(&requests.Rows[0])
			}))
			if _, err := p.patient.Grant(t.Context(), request.ID, time.Now().Add(time.Hour)); err == nil {
				t.Error("the grant succeeded")
			}
		})
	}
	grants, err := p.author.Grants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(grants) != 1 { // the author's own
		t.Errorf("the ledger holds %d grants for the author, want one", len(grants))
	}
}

func TestSubstitutedVerifyingKeyIsDetected(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.share(t, []byte("emr"))
	betray(t, p.requester, "HospitalB", rewrite(t, "/v1/users/HospitalA/"+p.patient.identity.User.Pseudonym, func(user *ledger.UserView) {
		user.Keys[ledger.KeyVerifying] = state(t, p.author, trust.KeyStatement{Kind: ledger.KeyVerifying,
			Key: p.author.keys.signer().VerifyingKey().Bytes(), User: p.patient.identity.User})
	}))
	_, err := p.requester.Open(t.Context(), record, 0, filepath.Join(t.TempDir(), "out"))
	wantAltered(t, err, "HospitalB")
}

func TestSubstitutedProxyKeyIsDetected(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	recipient := trust.KeyStatement{Kind: ledger.KeyProxy, Key: []byte("age1pq1attacker"), User: ledger.UserID{MSP: "HospitalC", Pseudonym: "gateway"}}
	byGatewayOfB, err := gatewaySigner(t, "HospitalB").SignKeyStatement(recipient)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]tamper{
		"a user's statement": rewrite(t, "/v1/users/HospitalC/gateway", func(user *ledger.UserView) {
			user.Keys[ledger.KeyProxy] = state(t, p.author, recipient)
		}),
		"another gateway's statement": rewrite(t, "/v1/users/HospitalC/gateway", func(user *ledger.UserView) {
			user.Keys[ledger.KeyProxy] = byGatewayOfB
		}),
		"another hospital's proxy": rewrite(t, "/v1/organizations", func(list *ledger.List[ledger.Organization]) {
			for i := range list.Rows {
				list.Rows[i].Proxy = ledger.UserID{MSP: "HospitalA", Pseudonym: "gateway"}
			}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			betray(t, p.patient, "HospitalA", change)
			_, err := p.patient.Authorize(t.Context(), Authorization{
				Author: ledger.PersonSubject(p.author.identity.User), Policy: DefaultPolicy(ledger.ClassImaging), Expiry: time.Now().Add(time.Hour),
			})
			wantAltered(t, err, "HospitalA")
		})
	}
}

func TestHiddenProxyLowersNoThreshold(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	betray(t, p.patient, "HospitalA", rewrite(t, "/v1/organizations", func(list *ledger.List[ledger.Organization]) {
		list.Rows = list.Rows[:1]
	}))
	_, err := p.patient.Authorize(t.Context(), Authorization{
		Author: ledger.PersonSubject(p.author.identity.User), Policy: DefaultPolicy(ledger.ClassImaging), Expiry: time.Now().Add(time.Hour),
	})
	wantAltered(t, err, "HospitalA")
}

// gatewaySigner is the identity of a hospital's gateway, for one whose operator cheats.
func gatewaySigner(t *testing.T, msp string) *trust.Signer {
	t.Helper()
	organization, err := network.Organization(msp)
	if err != nil {
		t.Fatal(err)
	}
	return signerIn(t, organization.GatewayIdentity)
}

// signerIn reads an identity from its files.
func signerIn(t *testing.T, files networktest.Identity) *trust.Signer {
	t.Helper()
	text, err := os.ReadFile(files.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := trust.ParseCertificate(text)
	if err != nil {
		t.Fatal(err)
	}
	if text, err = os.ReadFile(files.Key); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := trust.NewSigner(certificate, key.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func TestLyingProxyIsNamedAndAnotherAsked(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	content := []byte("emr")
	record := p.share(t, content)
	signer := gatewaySigner(t, "HospitalB")
	foreign := foreignFragment(t)
	resigned := func(change func(*trust.Reencryption)) tamper {
		return rewrite(t, "/v1/reencryptions", func(answer *api.Reencryption) {
			told, err := p.requester.bundle.VerifyReencryption(answer.Reencryption, "HospitalB")
			if err != nil {
				t.Error(err)
			}
			change(&told)
			if answer.Reencryption, err = signer.SignReencryption(told); err != nil {
				t.Error(err)
			}
		})
	}
	for name, change := range map[string]tamper{
		"a fragment of another key":  resigned(func(r *trust.Reencryption) { r.CapsuleFrag = foreign }),
		"a damaged fragment":         resigned(func(r *trust.Reencryption) { r.CapsuleFrag[40] ^= 1 }),
		"no fragment":                resigned(func(r *trust.Reencryption) { r.CapsuleFrag = nil }),
		"another capsule":            resigned(func(r *trust.Reencryption) { r.Capsule[5] ^= 1 }),
		"another digest":             resigned(func(r *trust.Reencryption) { r.SHA256[0] ^= 1 }),
		"another commitment":         resigned(func(r *trust.Reencryption) { r.Commitment[0] ^= 1 }),
		"another access":             resigned(func(r *trust.Reencryption) { r.Open = strings.Repeat("0", 64) }),
		"another grant":              resigned(func(r *trust.Reencryption) { r.Grant = ledger.NewID() }),
		"another record":             resigned(func(r *trust.Reencryption) { r.Record = ledger.NewID() }),
		"an answer signed by nobody": rewrite(t, "/v1/reencryptions", func(r *api.Reencryption) { r.Reencryption = "e30.e30.e30" }),
	} {
		t.Run(name, func(t *testing.T) {
			betray(t, p.requester, "HospitalB", change)
			path := filepath.Join(t.TempDir(), "out")
			opened, err := p.requester.Open(t.Context(), record, 0, path)
			wantAlteredBy(t, opened, err, "HospitalB")
			if got, _ := os.ReadFile(path); !bytes.Equal(got, content) {
				t.Errorf("got %q, want %q", got, content)
			}
		})
	}
}

// foreignFragment is a genuine capsule fragment, of other keys.
func foreignFragment(t *testing.T) []byte {
	t.Helper()
	delegating, err := umbral.GenerateSecretKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	kfrags, err := umbral.GenerateKeyFrags(nil, umbral.KeyFragParams{
		DelegatingSK: delegating, ReceivingPK: delegating.PublicKey(), Signer: umbral.NewSigner(delegating),
		Threshold: 1, Shares: 1, SignDelegatingKey: true, SignReceivingKey: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	capsule, _, err := umbral.Encrypt(nil, delegating.PublicKey(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	cfrag, err := umbral.Reencrypt(nil, capsule, kfrags[0])
	if err != nil {
		t.Fatal(err)
	}
	return cfrag.Bytes()
}

func TestAlteredContentIsDetected(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	content := bytes.Repeat([]byte("emr"), 1000)
	record := p.share(t, content)
	for name, change := range map[string]func([]byte) []byte{
		"a bit in the payload": func(b []byte) []byte { b[len(b)-30] ^= 1; return b },
		"a bit in the header":  func(b []byte) []byte { b[100] ^= 1; return b },
		"cut":                  func(b []byte) []byte { return b[:len(b)-1] },
		"nothing":              func([]byte) []byte { return nil },
		"more":                 func(b []byte) []byte { return append(b, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "out")
			betray(t, p.requester, "HospitalB", func(r *http.Response, body []byte) []byte {
				if strings.HasSuffix(r.Request.URL.Path, "/content") {
					return change(bytes.Clone(body))
				}
				return body
			})
			opened, err := p.requester.Open(t.Context(), record, 0, path)
			wantAlteredBy(t, opened, err, "HospitalB")
			if got, _ := os.ReadFile(path); !bytes.Equal(got, content) {
				t.Error("other bytes came back")
			}
			if left, _ := os.ReadDir(filepath.Dir(path)); len(left) > 1 {
				t.Errorf("files are left behind: %v", left)
			}
		})
	}
}

// Content that no hospital has as registered is not written anywhere.
func TestContentThatAllAlterIsRefused(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.share(t, []byte("emr"))
	a, err := p.requester.agree(t.Context(), record, 0)
	if err != nil {
		t.Fatal(err)
	}
	a.SHA256[0] ^= 1 // as if every gateway delivered something else
	a.CID = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
	path := filepath.Join(t.TempDir(), "out")
	identity := agefile.NewIdentity(p.patient.keys.record(record, firstVersion))
	_, alterations, err := save(path, func(file *os.File) (int64, []*AlteredError, error) {
		return p.requester.fetchInto(t.Context(), locked{Record: a.Record, identity: identity}, file)
	})
	wantAltered(t, err, "HospitalB")
	if len(alterations) != len(p.requester.gateways) {
		t.Errorf("blamed %v, want every gateway", alterations)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) > 0 {
		t.Errorf("files are left behind: %v", left)
	}
}

func TestLieAboutARecordIsDetected(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.share(t, []byte("emr"))
	other, err := p.requester.Record(t.Context(), record, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*ledger.RecordView){
		"capsule":    func(r *ledger.RecordView) { r.Capsule[7] ^= 1 },
		"digest":     func(r *ledger.RecordView) { r.SHA256[0] ^= 1 },
		"commitment": func(r *ledger.RecordView) { r.Commitment[0] ^= 1 },
		"patient":    func(r *ledger.RecordView) { r.Patient = p.author.identity.User },
		"author":     func(r *ledger.RecordView) { r.Author = p.patient.identity.User },
		"key":        func(r *ledger.RecordView) { r.RecordKey = "e30.e30.e30" },
		"size":       func(r *ledger.RecordView) { r.Size-- },
		"record":     func(r *ledger.RecordView) { *r = other; r.ID = ledger.NewID() },
	} {
		t.Run(name, func(t *testing.T) {
			lie := rewrite(t, "/v1/records/"+string(record), change)
			betray(t, p.requester, "HospitalB", lie)
			_, err := p.requester.Open(t.Context(), record, 0, filepath.Join(t.TempDir(), "out"))
			wantAltered(t, err, "HospitalB")
		})
	}
	t.Run("told by another hospital", func(t *testing.T) {
		bystander := enroll(t, physicianOfB)
		q := trio{p.patient, p.author, bystander}
		q.grant(t, record)
		betray(t, bystander, "HospitalC", rewrite(t, "/v1/records/"+string(record), func(r *ledger.RecordView) { r.Commitment[0] ^= 1 }))
		opened, err := bystander.Open(t.Context(), record, 0, filepath.Join(t.TempDir(), "out"))
		wantAlteredBy(t, opened, err, "HospitalC")
	})
}

// A gateway could show a patient a record of its own making: pk_r is public.
func TestPatientIsNotShownAnotherRecord(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.upload(t, []byte("emr"))
	var forged bytes.Buffer
	s, err := emr.Seal(&forged, strings.NewReader("forged"), p.patient.keys.record(record, firstVersion).PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	view := rewrite(t, "/v1/records/"+string(record), func(r *ledger.RecordView) {
		r.CID, r.SHA256, r.Size, r.Capsule, r.Commitment = s.CID, s.SHA256, s.Size, s.Capsule, s.Commitment
	})
	betray(t, p.patient, "HospitalA", func(r *http.Response, body []byte) []byte {
		if strings.HasSuffix(r.Request.URL.Path, "/content") {
			return forged.Bytes()
		}
		return view(r, body)
	})
	_, err = p.patient.Confirm(t.Context(), record)
	wantAltered(t, err, "HospitalA")
}

func TestForgedEnvelopeIsNotSigned(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	var first []byte
	change := rewrite(t, "/v1/transactions/*/endorsement", func(answer *api.EndorsedTransaction) {
		if first == nil {
			first = answer.Transaction
		}
		answer.Transaction = first
	})
	betray(t, p.patient, "HospitalA", func(r *http.Response, body []byte) []byte {
		if strings.HasSuffix(r.Request.URL.Path, "/endorsement") {
			return change(r, body)
		}
		return body
	})
	p.authorize(t, ledger.ClassImaging)
	_, err := p.patient.Authorize(t.Context(), Authorization{
		Author: ledger.PersonSubject(p.author.identity.User), Policy: DefaultPolicy(ledger.ClassImaging), Expiry: time.Now().Add(time.Hour),
	})
	wantAltered(t, err, "HospitalA")
}

func TestPreparedProposalIsChecked(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.upload(t, []byte("emr"))
	invocation, err := p.requester.invocation(change{name: ledger.TxRequestAccess, arguments: ledger.RequestAccess{
		RecordVersion: ledger.RecordVersion{Record: record, Version: firstVersion}, Request: ledger.NewID(), Purpose: ledger.PurposeTreatment,
	}})
	if err != nil {
		t.Fatal(err)
	}
	prepare := func() []byte {
		answer, _, err := ask[api.PreparedTransaction](t.Context(), p.requester, readTimeout, func(ctx context.Context, g *gateway) (*http.Response, error) {
			certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.requester.creator.Signer.Certificate.Raw})
			return g.api.PrepareTransaction(ctx, api.TransactionRequest{
				Transaction: invocation.Transaction, Arguments: invocation.Arguments, Certificate: string(certificate),
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		return answer.Proposal
	}
	if _, err := proposal.Check(prepare(), p.requester.creator, invocation, time.Now()); err != nil {
		t.Errorf("what an honest gateway prepared: %v", err)
	}
	other, err := proposal.New(p.requester.creator, proposal.Invocation{Channel: "pie", Transaction: ledger.TxRegisterUser, Arguments: []byte("{}")}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	betray(t, p.requester, "HospitalB", rewrite(t, "/v1/transactions", func(answer *api.PreparedTransaction) { answer.Proposal = other.Bytes }))
	if _, err := proposal.Check(prepare(), p.requester.creator, invocation, time.Now()); !errors.Is(err, proposal.ErrForged) {
		t.Errorf("got %v, want %v", err, proposal.ErrForged)
	}
}

func TestContentStoredOtherwiseIsDetected(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	for name, change := range map[string]func(*api.Content){
		"cid":    func(c *api.Content) { c.Cid = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku" },
		"digest": func(c *api.Content) { c.Sha256[0] ^= 1 },
		"size":   func(c *api.Content) { c.Size++ },
	} {
		t.Run(name, func(t *testing.T) {
			record := p.authorize(t, ledger.ClassMedicalInformation)
			betray(t, p.author, "HospitalA", rewrite(t, "/v1/records/*/content", change))
			_, err := p.author.Upload(t.Context(), p.newRecord(t, record, []byte("emr")))
			wantAltered(t, err, "HospitalA")
		})
	}
}

func TestAuthorWhoLiesIsNamedAndTheRecordDisputed(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.authorize(t, ledger.ClassMedicalInformation)
	n := p.newRecord(t, record, []byte("emr"))
	file, err := os.Open(n.File)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	n.Metadata.Salt = ledger.NewSalt()
	entry, err := p.author.beginAuthorized(t.Context(), n, file)
	if err != nil {
		t.Fatal(err)
	}
	entry.Blind = []byte("other than what was encrypted")
	if entry.Arguments.Commitment, err = emr.Commit(entry.Blind, strings.NewReader("emr")); err != nil {
		t.Fatal(err)
	}
	if err := p.author.home.WriteJSON(journalName(record), entry); err != nil {
		t.Fatal(err)
	}
	if _, err := p.author.Upload(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	disputed, err := p.patient.Confirm(t.Context(), record)
	var alteration *AlteredError
	if !errors.As(err, &alteration) || !strings.Contains(alteration.Who, p.author.identity.User.String()) || fault.CodeOf(err) != fault.Altered {
		t.Errorf("got %v, want the author to be named", err)
	}
	if disputed.State != ledger.RecordDisputed {
		t.Errorf("the record is %s, want disputed", disputed.State)
	}
}

// Content that is what its CID names was delivered honestly: the registration is wrong.
func TestAuthorWhoRegistersAnotherDigestIsNamed(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	a, err := p.patient.ownRecord(t.Context(), p.upload(t, []byte("emr")))
	if err != nil {
		t.Fatal(err)
	}
	identity, err := p.patient.ownIdentity(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	a.SHA256[0] ^= 1
	path := filepath.Join(t.TempDir(), "out")
	_, alterations, err := save(path, func(file *os.File) (int64, []*AlteredError, error) {
		return p.patient.fetchInto(t.Context(), locked{Record: a.Record, identity: identity}, file)
	})
	if !errors.Is(err, emr.ErrNotRegistered) || len(alterations) > 0 {
		t.Errorf("got %v, blamed %v, want %v and no gateway blamed", err, alterations, emr.ErrNotRegistered)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) > 0 {
		t.Errorf("files are left behind: %v", left)
	}
}

func TestPatientWithAnotherSeedBlamesNobody(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.upload(t, []byte("emr"))
	p.patient.keys = newTestKeyring(t)
	_, err := p.patient.Open(t.Context(), record, 0, filepath.Join(t.TempDir(), "out"))
	wantCode(t, err, fault.FragmentInvalid)
	var alteration *AlteredError
	if errors.As(err, &alteration) {
		t.Errorf("got %v, want nobody to be blamed", err)
	}
}

func TestForgedCertificateIsRefused(t *testing.T) {
	t.Parallel()
	stranger := enroll(t, physicianOfA)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: stranger.creator.Signer.Certificate.Raw})
	certificate, _ := serverCertificate(t, "127.0.0.1")
	unknown := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	invitation := invite(t, physicianOfA)
	keys, err := home.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	for name, forged := range map[string][]byte{"another key": text, "another authority": unknown, "none": []byte("x")} {
		if err := checkCertificate(string(forged), keys, invitation); err == nil {
			t.Errorf("the certificate with %s was accepted", name)
		}
	}
	own := *invitation
	own.Pseudonym = "another"
	theirs := home.Keys{Identity: stranger.creator.Signer.Key}
	if err := checkCertificate(string(text), theirs, &own); err == nil {
		t.Error("a certificate for another pseudonym was accepted")
	}
}

// A member's TLS authority vouches for its own gateway and for no other's.
func TestMembersCannotStandInForEachOther(t *testing.T) {
	t.Parallel()
	c := enroll(t, physicianOfA)
	bundle := *c.bundle
	bundle.Organizations = slices.Clone(bundle.Organizations)
	for i, organization := range bundle.Organizations {
		if organization.MSP == "HospitalA" {
			other, _ := c.bundle.Organization("HospitalB")
			bundle.Organizations[i].TLSRoots = other.TLSRoots
		}
	}
	c.bundle = &bundle
	if err := c.connect(c.gateways[0].url, c.traffic.dial); err != nil {
		t.Fatal(err)
	}
	_, err := askOne[ledger.List[ledger.Organization]](t.Context(), c.gateways[0], readTimeout, func(ctx context.Context, g *gateway) (*http.Response, error) {
		return g.api.ListOrganizations(ctx)
	})
	var silence *silenceError
	if !errors.As(err, &silence) {
		t.Errorf("got %v, want no connection", err)
	}
}
