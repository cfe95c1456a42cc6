package config_test

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pie-consortium/pie/gateway/internal/config"
	"github.com/pie-consortium/pie/gateway/internal/testpki"
	"github.com/pie-consortium/pie/ledger"
)

// write makes a configuration and the files that it names.
func write(t *testing.T, change func(text string) string) string {
	t.Helper()
	folder := t.TempDir()
	signer := testpki.New(t, "HospitalA").Issue("gateway", ledger.RoleGateway, "")
	key, err := x509.MarshalPKCS8PrivateKey(signer.Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"cert.pem": testpki.PEM(signer.Certificate), "trust.json": []byte("{}"),
		"key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := fmt.Sprintf(`msp: HospitalA
url: https://127.77.0.15:8443
listen: 127.77.0.15:8443
operations: 127.77.0.15:9443
channel: pie
chaincode: pie
data: %[1]s/state
trust: %[1]s/trust.json
tls: {certificate: %[1]s/cert.pem, key: %[1]s/key.pem}
identity: {certificate: %[1]s/cert.pem, key: %[1]s/key.pem}
peer: {address: "127.77.0.11:7051", tlsRoot: %[1]s/cert.pem, client: {certificate: %[1]s/cert.pem, key: %[1]s/key.pem}}
ca: {url: "https://127.77.0.10:7054", tlsRoot: %[1]s/cert.pem}
ipfs: {api: "http://127.77.0.13:5001"}
`, folder)
	path := filepath.Join(folder, "gateway.yaml")
	if err := os.WriteFile(path, []byte(change(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func unchanged(text string) string { return text }

func TestLoad(t *testing.T) {
	c, err := config.Load(write(t, unchanged))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := c.Identity.Signer()
	if err != nil {
		t.Fatal(err)
	}
	if c.MSP != "HospitalA" || c.Peer.Address != "127.77.0.11:7051" || signer.Certificate.Subject.CommonName != "gateway" {
		t.Errorf("%+v", c)
	}
}

func TestLoadReportsEverythingAtOnce(t *testing.T) {
	path := write(t, func(text string) string {
		return strings.NewReplacer("msp: HospitalA", "msp: ''", "url: https://127.77.0.15:8443", "url: http://127.77.0.15:8443/path",
			"listen: 127.77.0.15:8443", "listen: 8443", "http://127.77.0.13:5001", "ftp://127.77.0.13",
			"chaincode: pie\n", "chaincode: pie\norigins: [app.example]\n", "trust.json", "missing.json",
			"client: {certificate: ", "client: {certificate: /missing").Replace(text)
	})
	_, err := config.Load(path)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, field := range []string{"msp", "url", "listen", "origins[0]", "ipfs.api", "trust", "peer.client.certificate"} {
		if !strings.Contains(err.Error(), "\n"+field) {
			t.Errorf("%s is not reported in %v", field, err)
		}
	}
}

func TestLoadRefusesUnknownFields(t *testing.T) {
	_, err := config.Load(write(t, func(text string) string { return text + "debug: true\n" }))
	if err == nil || !strings.Contains(err.Error(), "debug") {
		t.Errorf("got %v", err)
	}
}

func TestLoadRefusesKeysThatOthersRead(t *testing.T) {
	path := write(t, unchanged)
	if err := os.Chmod(filepath.Join(filepath.Dir(path), "key.pem"), 0o640); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(path)
	for _, want := range []string{"\ntls.key", "\nidentity.key", "\npeer.client.key", "chmod 600"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestSignerRefusesAKeyOfAnotherCertificate(t *testing.T) {
	path, other := write(t, unchanged), write(t, unchanged)
	pair := config.KeyPair{
		Certificate: filepath.Join(filepath.Dir(path), "cert.pem"), Key: filepath.Join(filepath.Dir(other), "key.pem"),
	}
	if _, err := pair.Signer(); err == nil {
		t.Error("accepted")
	}
}

func TestLoadChecksWebhooks(t *testing.T) {
	with := func(hooks string) func(string) string {
		return func(text string) string { return text + "webhooks:\n" + hooks }
	}
	path := write(t, unchanged)
	key := filepath.Join(filepath.Dir(path), "key.pem") // any secret file
	good := fmt.Sprintf("- {name: privacy, url: 'https://127.0.0.1:1/hook', secret: %s, audience: privacy-officers}\n", key)
	c, err := config.Load(write(t, with(good)))
	if err != nil || len(c.Webhooks) != 1 || c.Webhooks[0].Audience != config.Officers {
		t.Fatalf("%v, %+v", err, c)
	}
	bad := good + "- {name: privacy, url: 'http://127.0.0.1:1/hook', secret: /none, tlsRoot: /none, audience: everybody}\n"
	_, err = config.Load(write(t, with(bad)))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, field := range []string{"name", "url", "secret", "tlsRoot", "audience"} {
		if !strings.Contains(err.Error(), "webhooks[1]."+field) {
			t.Errorf("%s is not reported in %v", field, err)
		}
	}
}

// Origins are those that browsers and apps on phones send; each that is not is named with
// the reason, and with what to write.
func TestOriginsAreThoseOfApps(t *testing.T) {
	with := func(origins string) error {
		_, err := config.Load(write(t, func(text string) string {
			return strings.Replace(text, "chaincode: pie\n", "chaincode: pie\norigins: "+origins+"\n", 1)
		}))
		return err
	}
	if err := with(`["https://app.example", "https://app.example:8443", "http://localhost:5173", "http://localhost", "capacitor://localhost", "ionic://localhost", "tauri://localhost", "app.example.clinic://host", "https://[::1]:8443"]`); err != nil {
		t.Error(err)
	}
	bad := map[string]string{
		"https://app.example/": "write https://app.example", "https://app.example/app": "write https://app.example", "*": "stands for more",
		"https://*.example": "stands for more", "null": "sandbox", "app.example": "scheme://host", "https://app.example:443": "leave out",
		"http://localhost:80": "leave out", "https://App.example": "write https://app.example", "HTTPS://app.example": "write https://app.example",
		"https://me@app.example": "write https://app.example", "https://app.example?x": "write https://app.example", "file://": "scheme://host",
		"": "scheme://host", "https://病院.example": "xn--", "/https://app.*/": "stands for more", "/(.+)/": "scheme://host",
	}
	var list []string
	for origin := range bad {
		list = append(list, strconv.Quote(origin))
	}
	err := with("[" + strings.Join(list, ", ") + "]")
	if err == nil {
		t.Fatal("accepted")
	}
	for i, origin := range list {
		value, _ := strconv.Unquote(origin)
		if line := lineOf(err.Error(), "origins["+strconv.Itoa(i)+"]: "+origin); !strings.Contains(line, bad[value]) {
			t.Errorf("%s is refused as %q", origin, line)
		}
	}
}

// lineOf is the line that begins so.
func lineOf(text, begin string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, begin) {
			return line
		}
	}
	return ""
}
