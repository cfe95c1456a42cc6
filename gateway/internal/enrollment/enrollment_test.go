package enrollment

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/gateway/internal/config"
	"github.com/pie-consortium/pie/ledger/fault"
)

func requestOf(t *testing.T, name string) api.EnrollmentRequest {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return api.EnrollmentRequest{Pseudonym: name, Secret: "a secret", Csr: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: raw}))}
}

// standIn is a CA that does as the handler says.
func standIn(t *testing.T, handler http.HandlerFunc) *CA {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	root := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	ca, err := New(config.CA{URL: server.URL, TLSRoot: root}, t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// Anybody may ask to be enrolled: the CA hears of nobody who is not a user in form.
func TestOnlyPseudonymsReachTheCA(t *testing.T) {
	var asked atomic.Int64
	ca := standIn(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	for _, name := range []string{"registrar@1a2b3c4d", "Registrar", "", "a_b", "-a", "a/b", "a:b", "a b", strings.Repeat("a", 65), "a\n"} {
		if _, err := ca.Enroll(t.Context(), requestOf(t, name)); !errors.Is(err, fault.New(fault.InvalidArgument, "")) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if asked.Load() != 0 {
		t.Errorf("the CA was asked %d times", asked.Load())
	}
	if _, err := ca.Enroll(t.Context(), requestOf(t, "7f3k2a")); err == nil || asked.Load() != 1 {
		t.Errorf("a pseudonym: asked %d times, %v", asked.Load(), err)
	}
}

func TestSecretsGoNowhereElse(t *testing.T) {
	var reached atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer inside.Close()
	ca := standIn(t, http.RedirectHandler(inside.URL, http.StatusTemporaryRedirect).ServeHTTP)
	if _, err := ca.Enroll(t.Context(), requestOf(t, "7f3k2a")); err == nil || !strings.Contains(err.Error(), "redirect") || reached.Load() != 0 {
		t.Errorf("the secret was carried on %d times: %v", reached.Load(), err)
	}
}
