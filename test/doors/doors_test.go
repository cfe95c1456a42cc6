package doors

import (
	"context"
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"

	"github.com/pie-consortium/pie/internal/direct"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/network/networktest"
)

// node is a peer or an ordering node, and its doors.
type node struct {
	name, address string
	of            networktest.Organization
	doors         []door
}

func (w *world) nodes() []node {
	var nodes []node
	for _, o := range w.network.Organizations {
		nodes = append(nodes, node{o.Peers[0], o.PeerAddress, o, w.peerDoors(o.MSP)}, node{o.Orderer, o.OrdererAddress, o, w.ordererDoors()})
	}
	return nodes
}

// another is the hospital after this one.
func (w *world) another(msp string) networktest.Organization {
	i := slices.IndexFunc(w.network.Organizations, func(o networktest.Organization) bool { return o.MSP == msp })
	return w.network.Organizations[(i+1)%len(w.network.Organizations)]
}

// refused is what nodes say to whom a policy does not name.
var refused = regexp.MustCompile(`access denied|failed ACL check|FORBIDDEN|PermissionDenied|satisf|expected MSP ID|not a peer`)

// A door is tried as users whom a gateway's TLS certificate of another hospital brought as
// far as that, so that nothing but the channel's policies is in their way, and as its
// keyholder, so that the question is a good one.
func TestUsersBehindAGatewaysCertificateOnlyPropose(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	for _, n := range the.nodes() {
		foreign := the.another(n.of.MSP)
		settings, err := n.of.TLS(foreign.GatewayTLS)
		if err != nil {
			t.Fatal(err)
		}
		connection, shown, err := connect(n.address, settings)
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		own, err := the.staff(n.of)
		if err != nil {
			t.Fatal(err)
		}
		others, err := the.staff(foreign)
		if err != nil {
			t.Fatal(err)
		}
		keys := map[holder]caller{admin: own[admin], gateway: own[gateway], peer0: others[peer0]}
		for _, d := range n.doors {
			for _, by := range the.users {
				by.shown = shown
				if err := d.try(ctx, by, connection); err == nil || d.opens != nobody && !refused.MatchString(err.Error()) {
					t.Errorf("%s, %s: %s of %s was not refused: %v", n.name, d.name, by.name, by.MSP, err)
				}
			}
			if key, has := keys[d.opens]; has {
				key.shown = shown
				if err := d.try(ctx, key, connection); err != nil && refused.MatchString(err.Error()) {
					t.Errorf("%s, %s: the %s of %s was refused: %v", n.name, d.name, d.opens, key.MSP, err)
				}
			}
		}
	}
}

// Whom every policy lets in comes to no door without a TLS client certificate of a
// member's TLS root, so that nothing else is in the way.
func TestNobodyGetsInWithoutAClientCertificate(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	own, err := the.network.Organization("HospitalA")
	if err != nil {
		t.Fatal(err)
	}
	staff, err := the.staff(own)
	if err != nil {
		t.Fatal(err)
	}
	for _, by := range append([]caller{staff[admin], staff[gateway], staff[peer0]}, the.users...) {
		shown := tls.Certificate{Certificate: [][]byte{by.Signer.Certificate.Raw}, PrivateKey: by.Signer.Key}
		for what, certificate := range map[string]*tls.Certificate{"no certificate": {}, "the certificate of an identity": &shown} {
			for _, n := range the.nodes() {
				settings, err := n.of.TLS(n.of.AdminTLS)
				if err != nil {
					t.Fatal(err)
				}
				settings.Certificates = nil
				// Also one that the node did not ask for.
				settings.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
				connection, _, err := connect(n.address, settings)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range append(n.doors, the.proposing(n.of.MSP)...) {
					if err := d.try(ctx, by, connection); err == nil || !strings.Contains(err.Error(), "code = Unavailable") {
						t.Errorf("%s, %s: %s of %s with %s came as far as: %v", n.name, d.name, by.name, by.MSP, what, err)
					}
				}
				if state := connection.GetState(); state == connectivity.Ready {
					t.Errorf("%s: %s of %s with %s is connected", n.name, by.name, by.MSP, what)
				}
				connection.Close()
			}
		}
	}
}

// proposing is what stays open to users at peers: what the ledger's rules decide.
func (w *world) proposing(msp string) []door {
	question := invocation{w.network.Channel, w.network.Chaincode, [][]byte{[]byte(ledger.TxReadOrganizations), []byte("{}")}}
	return []door{
		{"propose", "/protos.Endorser/ProcessProposal", nobody, func(ctx context.Context, by caller, node *grpc.ClientConn) error {
			_, err := propose(ctx, by, node, question)
			return err
		}},
		{"evaluate", "/gateway.Gateway/Evaluate", nobody, func(ctx context.Context, by caller, node *grpc.ClientConn) error {
			err := evaluate(ctx, by, node, question, msp)
			return err
		}},
		{"endorse and submit", "/gateway.Gateway/Submit", nobody, func(ctx context.Context, by caller, node *grpc.ClientConn) error {
			return submit(ctx, by, node, question)
		}},
	}
}

// What is left to users is to propose, and the ledger decides: also about what is private.
func TestProposingIsLeft(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	by := the.users[0]
	own, err := the.network.Organization(by.MSP)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := own.TLS(the.another(own.MSP).GatewayTLS)
	if err != nil {
		t.Fatal(err)
	}
	connection, shown, err := connect(own.PeerAddress, settings)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	by.shown = shown
	for _, d := range the.proposing(own.MSP) {
		if err := d.try(ctx, by, connection); err != nil {
			t.Errorf("%s: %v", d.name, err)
		}
	}
	release, err := json.Marshal(ledger.ReadRelease{Open: the.private.transaction, Record: ledger.NewID()})
	if err != nil {
		t.Fatal(err)
	}
	private := invocation{the.network.Channel, the.network.Chaincode, [][]byte{[]byte(ledger.TxReadRelease), release}}
	if got, err := propose(ctx, by, connection, private); err == nil || !strings.Contains(err.Error(), string(fault.PermissionDenied)) {
		t.Errorf("a patient reads a sealed fragment: %s, %v", got, err)
	}
}

// An ordering node's administration answers its administrator's certificate, not others of
// the same root: who comes in there can take the node out of the channel.
func TestAdministrationIsTheAdministrators(t *testing.T) {
	for _, o := range the.network.Organizations {
		dir, err := the.network.Dir(o.Peers[0])
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			shown networktest.Identity
			in    bool
		}{
			"administrator": {o.AdminTLS, true}, "gateway": {o.GatewayTLS, false}, "another hospital's administrator": {the.another(o.MSP).AdminTLS, false},
			"peer": {networktest.Identity{Certificate: dir + "/tls/cert.pem", Key: dir + "/tls/key.pem"}, false},
		} {
			settings, err := o.TLS(c.shown)
			if err != nil {
				t.Fatal(err)
			}
			shown := settings.Certificates[0]
			settings.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &shown, nil }
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, o.OrdererAdminURL+"/participation/v1/channels", nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := direct.Client(&http.Transport{TLSClientConfig: settings, DisableKeepAlives: true}).Do(request)
			if err == nil {
				err = response.Body.Close()
				if response.StatusCode != http.StatusOK {
					err = errors.Join(err, errors.New(response.Status))
				}
			}
			if (err == nil) != c.in {
				t.Errorf("%s of %s: %v", name, o.MSP, err)
			}
		}
	}
}

// A policy knows a gateway by the unit in its certificate, so nobody may talk a CA into it.
func TestTheCAMakesNobodyAGateway(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	for i, units := range [][]string{nil, {"gateway"}, {"client", "gateway"}, {"peer"}, {"admin"}, {"orderer"}} {
		name := "asks" + string(rune('a'+i))
		got, err := the.certify(ctx, "HospitalA", name, pkix.Name{CommonName: name, OrganizationalUnit: units})
		if err != nil {
			continue // a refusal is fine
		}
		if unit := got.Signer.Certificate.Subject.OrganizationalUnit; !slices.Equal(unit, []string{"client"}) {
			t.Errorf("who asked for %v is %v", units, unit)
		}
	}
}
