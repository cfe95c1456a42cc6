package chaos

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/network/networktest"
)

// interposition lets a request through to the real gateway, or does otherwise.
type interposition func(w http.ResponseWriter, r *http.Request, gateway http.Handler)

// hidden is the port at which a real gateway listens behind a door.
const hidden = "8444"

// openDoor puts an interposer in front of a hospital's gateway until the test ends: at
// its address, with its certificate, as its operator could.
func openDoor(t *testing.T, o networktest.Organization, keeper interposition) {
	t.Helper()
	address, err := url.Parse(o.GatewayURL)
	if err != nil {
		t.Fatal(err)
	}
	behind := address.Hostname() + ":" + hidden
	move(t, o, address.Host, behind)
	relay, err := relayTo(behind, o.TLSRoot)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := network.Dir(o.Gateway)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := links.organizations[o.MSP].listen(address.Host)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { keeper(w, r, relay) }),
		ReadHeaderTimeout: time.Minute,
	}
	ended := make(chan error)
	go func() {
		ended <- server.ServeTLS(listener, filepath.Join(dir, "tls", "cert.pem"), filepath.Join(dir, "tls", "key.pem"))
	}()
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), <-ended); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		move(t, o, behind, address.Host)
	})
}

// move has a gateway listen elsewhere.
func move(t *testing.T, o networktest.Organization, from, to string) {
	t.Helper()
	text, err := os.ReadFile(o.GatewayConfig)
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.Replace(string(text), "listen: "+from, "listen: "+to, 1)
	if moved == string(text) {
		t.Fatalf("%s does not say that the gateway listens at %s", o.GatewayConfig, from)
	}
	if err := errors.Join(network.Stop(o.Gateway), os.WriteFile(o.GatewayConfig, []byte(moved), 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := network.Start(o.Gateway); err != nil {
		t.Fatal(err)
	}
}

func relayTo(address, rootFile string) (http.Handler, error) {
	root, err := os.ReadFile(rootFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(root) {
		return nil, fmt.Errorf("%s holds no certificate", rootFile)
	}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "https", Host: address})
			r.Out.Header.Del("Accept-Encoding") // answers must be read to be changed
		},
		Transport:    &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}, nil
}

// through has the gateway answer, and keeps the answer back.
func through(r *http.Request, gateway http.Handler) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	gateway.ServeHTTP(answer, r)
	return answer
}

// deliver sends an answer that was kept back, with another body perhaps.
func deliver(w http.ResponseWriter, answer *httptest.ResponseRecorder, body []byte) {
	for name, values := range answer.Header() {
		if name != "Content-Length" {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(body) // who went away meanwhile misses it
}
