package manifest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pie-consortium/pie/network/internal/manifest"
)

func read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestShippedTopologies(t *testing.T) {
	for name, peers := range map[string]int{"consortium.yaml": 1, "paper.yaml": 2} {
		consortium, err := manifest.Parse([]byte(read(t, name)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(consortium.Orderers()) != 4 || len(consortium.Hospitals()) != 3 {
			t.Errorf("%s: %d orderers, %d hospitals", name, len(consortium.Orderers()), len(consortium.Hospitals()))
		}
		for _, hospital := range consortium.Hospitals() {
			if len(hospital.Peers) != peers {
				t.Errorf("%s: %s has %d peers", name, hospital.MSP, len(hospital.Peers))
			}
		}
	}
}

func TestViolations(t *testing.T) {
	cases := map[string]struct{ from, to, want string }{
		"unknown field":          {"channel: pie", "channel: pie\nflavour: apple", "flavour"},
		"repeated field":         {"channel: pie", "channel: pie\nchannel: cake", "channel"},
		"second document":        {"channel: pie", "channel: pie\n---\nchannel: cake", "document"},
		"wrong type":             {"peers: [peer0.hospital-a]", "peers: {a: b}", "peers"},
		"no channel":             {"channel: pie", "", "channel"},
		"channel name":           {"channel: pie", "channel: PIE!", "PIE!"},
		"chaincode name":         {"chaincode: pie\n", "chaincode: ../pie\n", "../pie"},
		"msp name":               {"msp: HospitalB", "msp: ../HospitalB", "../HospitalB"},
		"msp twice":              {"msp: HospitalB", "msp: HospitalA", "appears twice"},
		"no name":                {"name: Hospital A", "name: ''", "name: missing"},
		"host twice":             {"orderer.hospital-b", "orderer.hospital-a", "appears twice"},
		"host name":              {"orderer.hospital-b", "orderer/../b", "not a host name"},
		"three orderers":         {"    orderer: orderer.operator\n", "    ca: ca.operator\n", "3 ordering nodes"},
		"no node":                {"    orderer: orderer.operator\n", "", "has no node"},
		"ca without peers":       {"    orderer: orderer.operator\n", "    ca: ca.operator\n", "needs peers"},
		"peers without ca":       {"    ca: ca.hospital-a\n", "", "need a ca"},
		"peers without rules":    {"    chaincode: chaincode.hospital-a\n", "", "need a ca and a chaincode"},
		"gateway without ipfs":   {"    ipfs: ipfs.hospital-a\n", "", "needs an ipfs"},
		"nobody has a peer":      {"peers:", "orderers:", "orderers"},
		"empty":                  {"", "", "empty"},
		"not the expected shape": {"organizations:", "organizations: 1\nrest:", "organizations"},
	}
	good := read(t, "consortium.yaml")
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(good, c.from, c.to, 1)
			if name == "empty" {
				text = ""
			}
			if text == good {
				t.Fatal("the case changes nothing")
			}
			_, err := manifest.Parse([]byte(text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error that names %q", err, c.want)
			}
		})
	}
}

func TestAllViolationsAtOnce(t *testing.T) {
	text := strings.NewReplacer("channel: pie", "channel: PIE", "msp: HospitalB", "msp: B/", "name: Hospital C", "name: ''").Replace(read(t, "consortium.yaml"))
	_, err := manifest.Parse([]byte(text))
	for _, want := range []string{"PIE", "B/", "name: missing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

func TestTooManyHosts(t *testing.T) {
	consortium, err := manifest.Parse([]byte(read(t, "consortium.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 250 {
		consortium.Organizations[0].Peers = append(consortium.Organizations[0].Peers, "peer"+strings.Repeat("x", i+1))
	}
	if err := consortium.Validate(); err == nil || !strings.Contains(err.Error(), "at most 250") {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(read(f, "consortium.yaml")))
	f.Add([]byte("channel: pie\norganizations: [{msp: A, peers: [p]}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		consortium, err := manifest.Parse(text)
		if err != nil {
			return
		}
		if err := consortium.Validate(); err != nil {
			t.Errorf("accepted, but %v", err)
		}
	})
}
