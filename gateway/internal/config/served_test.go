package config_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pie-consortium/pie/gateway/internal/config"
	"github.com/pie-consortium/pie/gateway/internal/testpki"
	"github.com/pie-consortium/pie/ledger"
)

// renewal is the files of a TLS certificate that changes.
type renewal struct {
	t        *testing.T
	pair     config.KeyPair
	hospital *testpki.Hospital
	at       time.Time
}

func (r *renewal) write(name string) {
	r.t.Helper()
	signer := r.hospital.Issue(name, ledger.RoleGateway, "")
	key, err := x509.MarshalPKCS8PrivateKey(signer.Key)
	if err != nil {
		r.t.Fatal(err)
	}
	r.put(r.pair.Certificate, testpki.PEM(signer.Certificate))
	r.put(r.pair.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
}

// put writes a file later than the one before, whatever the file system's resolution.
func (r *renewal) put(path string, text []byte) {
	r.t.Helper()
	r.at = r.at.Add(time.Second)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Chtimes(path, r.at, r.at); err != nil {
		r.t.Fatal(err)
	}
}

func TestRenewedCertificateIsServedWithoutRestart(t *testing.T) {
	folder := t.TempDir()
	r := &renewal{t: t, hospital: testpki.New(t, "HospitalA"), at: time.Now().Add(-time.Hour),
		pair: config.KeyPair{Certificate: filepath.Join(folder, "cert.pem"), Key: filepath.Join(folder, "key.pem")}}
	r.write("first")
	served, err := r.pair.Serve(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	dial := serveTLS(t, served.TLS())
	shows := func(want string) {
		t.Helper()
		state, err := dial(&tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := state.PeerCertificates[0].Subject.CommonName; got != want || served.Leaf().Subject.CommonName != want {
			t.Errorf("the certificate of %s is served, that of %s is known; want %s", got, served.Leaf().Subject.CommonName, want)
		}
		if state.CurveID != tls.X25519MLKEM768 {
			t.Errorf("keys are exchanged by %s", state.CurveID)
		}
	}
	shows("first")
	r.write("second")
	shows("second")
	r.put(r.pair.Key, []byte("half of a key"))
	shows("second")
	r.write("third")
	shows("third")
	if err := os.Remove(r.pair.Certificate); err != nil {
		t.Fatal(err)
	}
	shows("third")
	if _, err := dial(&tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}); err == nil {
		t.Error("TLS 1.2 was accepted")
	}
}

// serveTLS greets everybody; what it returns connects.
func serveTLS(t *testing.T, settings *tls.Config) func(*tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = connection.Write([]byte("x"))
			connection.Close()
		}
	}()
	return func(settings *tls.Config) (tls.ConnectionState, error) {
		connection, err := tls.Dial("tcp", listener.Addr().String(), settings)
		if err != nil {
			return tls.ConnectionState{}, err
		}
		defer connection.Close()
		_, err = io.ReadAll(connection)
		return connection.ConnectionState(), err
	}
}
