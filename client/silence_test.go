package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// others are words of Go's about connections.
var others = regexp.MustCompile(`x509|tls:|dial |tcp|http:|no such host|refused|i/o|EOF|context |Get "|Post "`)

// Why a gateway does not answer is said in words, whatever stands at its address.
func TestSilenceIsExplained(t *testing.T) {
	pki := newPKI(t)
	redirecting := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://elsewhere.invalid/", http.StatusFound)
	})
	for name, test := range map[string]struct{ url, want string }{
		"nothing listens":     {"https://" + closedPort(t), "nothing listens at its address"},
		"no such name":        {"https://gateway.invalid:8443", "no machine of the name gateway.invalid is known"},
		"another certificate": {serving(t, httptest.NewTLSServer(nil)), "is not of the CA that your invitation names"},
		"no TLS":              {strings.Replace(serving(t, httptest.NewServer(http.NotFoundHandler())), "http:", "https:", 1), "does not speak TLS"},
		"hangs up":            {"https://" + listening(t, func(conn net.Conn) { conn.Close() }), "it broke the connection off"},
		"says nothing":        {"https://" + listening(t, func(net.Conn) {}), "it said nothing in time"},
		"something else":      {"https://" + listening(t, func(conn net.Conn) { _, _ = conn.Write([]byte("220 mail ready\r\n")) }), "does not speak TLS"},
		"its name is another": {pki.serve(t, http.NotFoundHandler(), func(c *x509.Certificate) { c.IPAddresses = nil }), "its certificate is not for 127.0.0.1"},
		"it is over":          {pki.serve(t, http.NotFoundHandler(), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) }), "this device's clock says"},
		"it redirects":        {pki.serve(t, redirecting, func(*x509.Certificate) {}), "redirects are not followed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, err := newGateway(trust.Organization{MSP: "HospitalA", TLSRoots: []string{pki.roots}}, test.url, new(net.Dialer).DialContext)
			if err != nil {
				t.Fatal(err)
			}
			_, err = askOne[struct{}](t.Context(), g, time.Second, func(ctx context.Context, g *gateway) (*http.Response, error) { return g.open.ReadDocument(ctx) })
			if fault.CodeOf(err) != fault.OrderingUnavailable || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if found := others.FindString(err.Error()); found != "" {
				t.Errorf("%v has %q", err, found)
			}
		})
	}
}

func serving(t *testing.T, server *httptest.Server) string {
	t.Helper()
	t.Cleanup(server.Close)
	return server.URL
}

func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// listening does the same with every connection, and closes them when the test ends.
func listening(t *testing.T, do func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			do(conn)
		}
	}()
	return listener.Addr().String()
}

// pki is a CA as a trust bundle names one.
type pki struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	roots       string
}

func newPKI(t *testing.T) pki {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return pki{certificate, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

// serve starts a server with a certificate of the CA's, and returns its URL.
func (p pki) serve(t *testing.T, handler http.Handler, change func(*x509.Certificate)) string {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"elsewhere.invalid"},
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, p.certificate, p.key.Public(), p.key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: p.key}}, MinVersion: tls.VersionTLS13}
	server.StartTLS()
	return serving(t, server)
}
