package compose_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/goccy/go-yaml"

	"github.com/pie-consortium/pie/network/internal/compose"
	"github.com/pie-consortium/pie/network/internal/consortium"
	"github.com/pie-consortium/pie/network/internal/identity"
	"github.com/pie-consortium/pie/network/internal/settings"
	"github.com/pie-consortium/pie/network/internal/toolchain"
)

// prepared is a network for containers with all that is made before they start, as the
// preparing service makes it, in a folder that stands for the volume.
func prepared(t *testing.T) (*consortium.Network, string) {
	t.Helper()
	data := t.TempDir()
	if err := consortium.Create(data, description(t, "10.77.0.0/16")); err != nil {
		t.Fatal(err)
	}
	network, err := consortium.Open(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	source, err := toolchain.Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	progress := func(line string) { t.Log(line) }
	tools, err := toolchain.Tools(t.Context(), source, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	if err := network.Prepare(t.Context(), tools, progress); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(network.Table.Nodes[0].Dir, "tls", "key.pem")
	first := read(t, key)
	if err := network.Prepare(t.Context(), tools, progress); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, key), first) {
		t.Error("preparing again made keys anew")
	}
	return network, data
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestWhatIsPrepared(t *testing.T) {
	network, data := prepared(t)
	project := load(t)
	t.Run("certificates", func(t *testing.T) { certificatesNameTheServices(t, network) })
	t.Run("first block", func(t *testing.T) { firstBlockNamesTheServices(t, network, data) })
	t.Run("keys", func(t *testing.T) { keysAreSeenByTheirOwners(t, network, data, project) })
	t.Run("paths", func(t *testing.T) { pathsAreMounted(t, data, project) })
	t.Run("database", func(t *testing.T) { peersKnowTheirDatabases(t, network) })
}

// Others reach a node by the name of its service, and by no other.
func certificatesNameTheServices(t *testing.T, network *consortium.Network) {
	for _, node := range network.Table.Nodes {
		certificate, err := identity.ReadCertificate(filepath.Join(node.Dir, "tls", "cert.pem"))
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(read(t, network.TLSRoot(node.MSP)))
		if _, err := certificate.Verify(x509.VerifyOptions{DNSName: node.Name, Roots: roots}); err != nil {
			t.Errorf("%s: %v", node.Name, err)
		}
		if !slices.Equal(certificate.DNSNames, []string{node.Name}) || len(certificate.IPAddresses) != 0 {
			t.Errorf("%s passes for %v %v", node.Name, certificate.DNSNames, certificate.IPAddresses)
		}
	}
}

func firstBlockNamesTheServices(t *testing.T, network *consortium.Network, data string) {
	block := read(t, filepath.Join(data, "channel", "genesis.block"))
	for _, node := range network.Table.Of(settings.Orderer, "") {
		if !bytes.Contains(block, []byte(node.Name+":7050")) {
			t.Errorf("%s is not in the first block", node.Name)
		}
	}
	if !bytes.Contains(block, []byte("peer0.hospital-b")) || bytes.Contains(block, []byte("10.77.")) {
		t.Error("the first block names no anchor peer, or an address of containers")
	}
}

// secretFile tells a file that only its owner may know.
func secretFile(path string, text []byte) bool {
	return bytes.HasPrefix(text, []byte("-----BEGIN PRIVATE KEY-----")) || filepath.Ext(path) == ".secret" || filepath.Base(path) == "swarm.key"
}

func keysAreSeenByTheirOwners(t *testing.T, network *consortium.Network, data string, project *types.Project) {
	rendered := read(t, filepath.Join(top, "docker-compose.yaml"))
	for _, node := range network.Table.Nodes {
		secrets := 0
		for _, volume := range project.Services[node.Name].Volumes {
			folder := filepath.Join(data, volume.Volume.Subpath)
			authority := filepath.Join(network.Table.Organization(node.MSP), "ca")
			own := strings.HasPrefix(folder+"/", node.Dir+"/") || node.Kind == settings.CA && folder == authority
			err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
				if err != nil || entry.IsDir() {
					return err
				}
				text := read(t, path)
				if !secretFile(path, text) {
					return nil
				}
				secrets++
				info, err := entry.Info()
				if err == nil && info.Mode().Perm() != 0o600 {
					t.Errorf("%s has mode %v", path, info.Mode())
				}
				if !own {
					t.Errorf("%s sees %s", node.Name, path)
				}
				if bytes.Contains(rendered, bytes.TrimSpace(text)) {
					t.Errorf("the compose file holds the content of %s", path)
				}
				return err
			})
			if err != nil {
				t.Errorf("%s: what %s is to see is not there: %v", volume.Volume.Subpath, node.Name, err)
			}
		}
		if secrets == 0 {
			t.Errorf("%s has no key", node.Name)
		}
	}
}

// pathForm finds paths of the volume in what a node is told.
var pathForm = regexp.MustCompile(regexp.QuoteMeta(compose.Root) + `/[^\s"\]]+`)

// Each file that a node is told of is where it can see it, and where the node is told
// to write, it can.
func pathsAreMounted(t *testing.T, data string, project *types.Project) {
	for _, node := range containers(t).Nodes {
		service := project.Services[node.Name]
		text, err := json.Marshal([]any{node.Command, node.Environment, node.Configuration, node.Core, service.HealthCheck.Test})
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range pathForm.FindAllString(string(text), -1) {
			if strings.HasSuffix(path, ".secret") { // filled in as the configuration is written
				continue
			}
			seen := slices.ContainsFunc(service.Volumes, func(v types.ServiceVolumeConfig) bool {
				return path == v.Target || strings.HasPrefix(path, v.Target+"/")
			})
			if !seen {
				t.Errorf("%s is told of %s, which is not mounted", node.Name, path)
			}
			inState := strings.HasPrefix(path, node.State())
			if _, err := os.Stat(filepath.Join(data, strings.TrimPrefix(path, compose.Root))); err != nil && !inState {
				t.Errorf("%s: %v", node.Name, err)
			}
		}
		for _, volume := range service.Volumes {
			if writes := volume.Target == node.State(); volume.ReadOnly == writes {
				t.Errorf("%s: %s is read-only: %v", node.Name, volume.Target, volume.ReadOnly)
			}
		}
	}
}

func peersKnowTheirDatabases(t *testing.T, network *consortium.Network) {
	passwords := map[string]string{}
	for _, peer := range network.Table.Of(settings.Peer, "") {
		var core struct {
			Ledger struct {
				State struct {
					CouchDB struct{ Password string } `yaml:"couchDBConfig"`
				}
			}
		}
		if err := yaml.Unmarshal(read(t, filepath.Join(peer.Dir, "core.yaml")), &core); err != nil {
			t.Fatal(err)
		}
		database, err := network.Table.Node(peer.Needs[0])
		if err != nil {
			t.Fatal(err)
		}
		password := core.Ledger.State.CouchDB.Password
		if len(password) != 64 || passwords[password] != "" {
			t.Errorf("%s has a password of %d characters, or that of %q", peer.Name, len(password), passwords[password])
		}
		passwords[password] = peer.Name
		if ini := read(t, filepath.Join(database.State(), "couchdb.ini")); !bytes.Contains(ini, []byte("[admins]\npeer = "+password+"\n")) {
			t.Errorf("%s does not know the password of %s", database.Name, peer.Name)
		}
	}
}
