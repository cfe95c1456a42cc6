package javascript

import (
	"context"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// clients lets libraries of other people call the gateway, as they come from npm: by its
// own address, and behind nginx with the settings of docs/proxies.md.
func (p *practice) clients(t *testing.T) {
	install(t, "clients")
	record := p.authorize(t, p.author)
	p.upload(t, record)
	about := "RECORD=" + string(record)
	p.runClients(t, "clients", []string{"tokens.test.mjs", "uploads.test.mjs", "events.test.mjs"}, about)
	t.Run("behind nginx", func(t *testing.T) {
		p.runClients(t, "clients", []string{"uploads.test.mjs", "events.test.mjs"}, about, "DOOR="+p.proxy(t))
	})
	t.Run("in a browser", func(t *testing.T) {
		p.runClients(t, "clients", []string{"browser.test.mjs"}, about, "ORIGIN="+p.origin, "CHROMIUM="+program(t, "chromium"))
	})
	t.Run("generated", func(t *testing.T) {
		generate(t)
		p.runClients(t, "generated", []string{"compiled/generated.test.js"}, about)
	})
}

// generate makes clients of the document, and compiles them with what calls by them.
func generate(t *testing.T) {
	t.Helper()
	install(t, "generated")
	for _, program := range []string{"openapi-ts", "orval", "tsc"} {
		run(t, "generated", "npx", program)
	}
}

// runClients runs tests of node's, with the app's memory and this environment.
func (p *practice) runClients(t *testing.T, folder string, files []string, environment ...string) {
	t.Helper()
	node := exec.CommandContext(t.Context(), "node", append([]string{"--test"}, files...)...)
	node.Dir, node.Env = folder, slices.Concat(p.env, []string{"KEPT=" + p.kept}, environment)
	if output, err := node.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
}

// proxy starts nginx before the patient's gateway, at its address and another port, and
// returns where.
func (p *practice) proxy(t *testing.T) string {
	t.Helper()
	organization, err := p.network.Organization("HospitalA")
	if err != nil {
		t.Fatal(err)
	}
	gateway, err := url.Parse(organization.GatewayURL)
	if err != nil {
		t.Fatal(err)
	}
	listen, dir := freeAddress(t, gateway.Hostname()), t.TempDir()
	certificate, key := served(t, organization.GatewayConfig)
	settings := strings.NewReplacer(
		"gateway.example:443", listen, "/etc/pie/public.pem", certificate, "/etc/pie/public.key", key,
		"10.0.0.5:8443", gateway.Host, "gateway.hospital.internal", organization.Gateway, "/etc/pie/tls-root.pem", organization.TLSRoot,
	).Replace(published(t))
	frame := "daemon off; user root; pid " + dir + "/pid; error_log stderr; events {}\nhttp {\naccess_log off; client_body_temp_path " +
		dir + "/body; proxy_temp_path " + dir + "/proxied;\n" + settings + "}\n"
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(frame), 0o600); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	// Its workers would outlive it if the test's context killed it.
	nginx := exec.CommandContext(context.WithoutCancel(t.Context()), program(t, "nginx"), "-p", dir, "-c", file)
	nginx.Stderr = &said
	if err := nginx.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = nginx.Process.Signal(os.Interrupt)
		_ = nginx.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	untilOpen(t, listen)
	return "https://" + listen
}

// program is where the system has it.
func program(t *testing.T, name string) string {
	t.Helper()
	file, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v: `scripts/test-tools` installs it", err)
	}
	return file
}

// published is the server that docs/proxies.md shows.
func published(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/proxies.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(text), "```nginx\n")
	block, _, found := strings.Cut(block, "```")
	if !found {
		t.Fatal("the page shows no settings of nginx")
	}
	return block
}

// served are the files of the certificate that a gateway shows.
func served(t *testing.T, config string) (certificate, key string) {
	t.Helper()
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	var settings struct {
		TLS struct{ Certificate, Key string }
	}
	if err := yaml.Unmarshal(text, &settings); err != nil {
		t.Fatal(err)
	}
	return settings.TLS.Certificate, settings.TLS.Key
}

func freeAddress(t *testing.T, host string) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func untilOpen(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		if err == nil {
			_ = connection.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
