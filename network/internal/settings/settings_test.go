package settings_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/network/internal/manifest"
	"github.com/pie-consortium/pie/network/internal/settings"
)

func table(t *testing.T, topology string) *settings.Table {
	t.Helper()
	return placed(t, topology, "127.77.0.0/24")
}

// placed is the table of a topology inside a network.
func placed(t *testing.T, topology, subnet string) *settings.Table {
	t.Helper()
	consortium, err := manifest.Load(filepath.Join("..", "..", topology))
	if err != nil {
		t.Fatal(err)
	}
	placement, err := settings.NewPlacement(consortium, netip.MustParsePrefix(subnet), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return settings.New(consortium, placement, "pie:0123")
}

func TestEveryNodeIsInTheTable(t *testing.T) {
	for topology, want := range map[string]int{"consortium.yaml": 19, "paper.yaml": 22} {
		if nodes := table(t, topology).Nodes; len(nodes) != want {
			t.Errorf("%s: %d nodes, want %d", topology, len(nodes), want)
		}
	}
}

func TestOnlyLoopback(t *testing.T) {
	for _, node := range table(t, "paper.yaml").Nodes {
		if !node.Place.Listen.IsLoopback() || !node.Place.Private.IsLoopback() {
			t.Errorf("%s listens at %+v", node.Name, node.Place)
		}
		for key, value := range node.Environment {
			if strings.Contains(value, "0.0.0.0") {
				t.Errorf("%s: %s=%s", node.Name, key, value)
			}
		}
	}
}

func TestNoSecretInEnvironmentOrCommand(t *testing.T) {
	for _, node := range table(t, "consortium.yaml").Nodes {
		for _, argument := range node.Command {
			if strings.Contains(argument, "secret") {
				t.Errorf("%s: argument %s", node.Name, argument)
			}
		}
		for key, value := range node.Environment {
			if strings.Contains(strings.ToLower(key), "pass") || strings.Contains(value, "PRIVATE") {
				t.Errorf("%s: %s", node.Name, key)
			}
		}
	}
}

func TestPeersOfAHospitalShareItsChaincodeAndFindEachOther(t *testing.T) {
	peers := table(t, "paper.yaml").Of(settings.Peer, "HospitalB")
	first, second := peers[0].Environment, peers[1].Environment
	const service, bootstrap = "CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG", "CORE_PEER_GOSSIP_BOOTSTRAP"
	if first[service] != second[service] || first[service] == "" {
		t.Errorf("chaincode at %s and %s", first[service], second[service])
	}
	if first[bootstrap] != peers[1].Endpoint() || second[bootstrap] != peers[0].Endpoint() {
		t.Errorf("they look for each other at %s and %s", first[bootstrap], second[bootstrap])
	}
}

func TestSecretIsFilledInFromItsFile(t *testing.T) {
	table := table(t, "consortium.yaml")
	ca, secret := table.Of(settings.CA, "HospitalA")[0], table.RegistrarSecret("HospitalA")
	if err := os.MkdirAll(filepath.Dir(secret), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(secret, []byte("s3cret"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := ca.Write(); err == nil || !strings.Contains(err.Error(), "readable by others") {
		t.Errorf("an open secret file: %v", err)
	}
	if err := os.Chmod(secret, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ca.Write(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(ca.State(), "fabric-ca-server-config.yaml")
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "pass: s3cret") || !strings.Contains(string(text), settings.RegistrarName([]byte("s3cret"))) {
		t.Errorf("%v in:\n%s", err, text)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// No gateway passes on what is not a pseudonym, and a CA knows an account by its name for
// good.
func TestRegistrarsAreNotPseudonymsAndEachHasItsOwnName(t *testing.T) {
	name := settings.RegistrarName([]byte("s3cret"))
	if ledger.ValidatePseudonym(name) == nil || !settings.IsRegistrar(name) {
		t.Errorf("%s passes for a user", name)
	}
	if settings.RegistrarName([]byte("another")) == name {
		t.Errorf("another secret's account is %s too", name)
	}
}

func TestCoreIsFabricsOwnWithTheNodesChanges(t *testing.T) {
	peer := table(t, "consortium.yaml").Of(settings.Peer, "HospitalA")[0]
	if err := os.MkdirAll(peer.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	const clients = "peer: {tls: {clientRootCAs: {files: [tls/ca.crt]}}}\n"
	own := clients + "vm: {endpoint: unix:///engine.sock}\nchaincode: {externalBuilders: [], mode: net}\n"
	if err := peer.WriteCore([]byte(own)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(peer.Dir, "core.yaml"))
	if err != nil || strings.Contains(string(text), "engine.sock") || !strings.Contains(string(text), "mode: net") || !strings.Contains(string(text), peer.Builder()) ||
		strings.Contains(string(text), "ca.crt") {
		t.Errorf("%v in:\n%s", err, text)
	}
	// A setting that Fabric has renamed would be ignored by it.
	for _, other := range []string{
		clients + "vm: {}\nchaincode: {externalBuilders: []}", clients + "chaincode: {externalBuilders: []}", clients + "vm: [a list]",
		"vm: {endpoint: ''}\nchaincode: {externalBuilders: []}",
	} {
		if err := peer.WriteCore([]byte(other)); err == nil {
			t.Errorf("took %q for Fabric's core.yaml", other)
		}
	}
}

// The gateway refuses fields it does not know, so the names are a contract.
func TestGatewayConfiguration(t *testing.T) {
	gateway := table(t, "consortium.yaml").Of(settings.Gateway, "HospitalA")[0]
	if err := gateway.Write(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(gateway.Dir, settings.GatewayConfigurationName))
	if err != nil {
		t.Fatal(err)
	}
	var configuration struct {
		MSP, URL, Listen, Operations, Channel, Chaincode, Data, Trust string
		TLS, Identity                                                 struct{ Certificate, Key string }
		Peer                                                          struct {
			Address string
			TLSRoot string `yaml:"tlsRoot"`
			Client  struct{ Certificate, Key string }
		}
		CA struct {
			URL     string
			TLSRoot string `yaml:"tlsRoot"`
		}
		IPFS    struct{ API string }
		Origins []string

		Webhooks []manifest.Webhook
	}
	if err := yaml.UnmarshalWithOptions(text, &configuration, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{
		"HospitalA": configuration.MSP, gateway.GatewayURL(): configuration.URL, "127.77.0.6:8443": configuration.Listen,
		"127.77.0.6:9443": configuration.Operations, "127.77.0.3:7051": configuration.Peer.Address,
		"https://127.77.0.2:7054": configuration.CA.URL, "http://127.77.0.5:5001": configuration.IPFS.API,
	} {
		if got != name {
			t.Errorf("got %q, want %q", got, name)
		}
	}
	for _, path := range []string{configuration.Data, configuration.Trust, configuration.TLS.Certificate, configuration.TLS.Key, configuration.Identity.Certificate, configuration.Identity.Key, configuration.Peer.TLSRoot, configuration.Peer.Client.Certificate, configuration.Peer.Client.Key, configuration.CA.TLSRoot} {
		if !filepath.IsAbs(path) {
			t.Errorf("%q is not an absolute path", path)
		}
	}
}
