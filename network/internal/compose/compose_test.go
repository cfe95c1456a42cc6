package compose_test

import (
	"encoding/json"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/pie-consortium/pie/network/internal/compose"
	"github.com/pie-consortium/pie/network/internal/consortium"
	"github.com/pie-consortium/pie/network/internal/manifest"
	"github.com/pie-consortium/pie/network/internal/settings"
)

// top is the folder that the compose file lies in.
var top = filepath.Join("..", "..", "..")

func description(t *testing.T, subnet string) consortium.Description {
	t.Helper()
	members, err := manifest.Load(filepath.Join(top, "network", "paper.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return consortium.Description{Subnet: netip.MustParsePrefix(subnet), Consortium: members}
}

func table(t *testing.T, subnet, root string) *settings.Table {
	t.Helper()
	planned, err := description(t, subnet).Plan(root)
	if err != nil {
		t.Fatal(err)
	}
	return planned
}

func containers(t *testing.T) *settings.Table { return table(t, "10.77.0.0/16", compose.Root) }

// load reads the committed file as a container engine does.
func load(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(top, "docker-compose.yaml")}, cli.WithConsistency(true))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestTheCommittedFileIsTheRenderedOne(t *testing.T) {
	described := description(t, "10.77.0.0/16")
	text, err := compose.Plan{
		Consortium: described.Consortium, Table: containers(t), Subnet: described.Subnet, Topology: "network/paper.yaml",
	}.Render()
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile(filepath.Join(top, "docker-compose.yaml"))
	if err != nil || string(committed) != string(text) {
		t.Errorf("docker-compose.yaml is not what `pie-network compose` writes (%v): run `go run ./network compose > docker-compose.yaml`", err)
	}
}

func TestEachNodeIsAService(t *testing.T) {
	project, nodes := load(t), containers(t).Nodes
	if len(project.Services) != len(nodes)+2 {
		t.Errorf("%d services for %d nodes and two steps", len(project.Services), len(nodes))
	}
	for _, node := range nodes {
		service := project.Services[node.Name]
		if !slices.Equal(service.Entrypoint, node.Command) || len(service.Command) != 0 {
			t.Errorf("%s runs %v %v, not %v", node.Name, service.Entrypoint, service.Command, node.Command)
		}
		if len(service.Environment) != len(node.Environment) {
			t.Errorf("%s: %d variables, not %d", node.Name, len(service.Environment), len(node.Environment))
		}
		for key, want := range node.Environment {
			if got := service.Environment[key]; got == nil || *got != want {
				t.Errorf("%s: %s is not %q", node.Name, key, want)
			}
		}
		if service.WorkingDir != node.Dir || service.Hostname != node.Name {
			t.Errorf("%s runs in %s of host %s", node.Name, service.WorkingDir, service.Hostname)
		}
	}
}

// databaseSettings are all that a peer is told beside what it is told natively.
var databaseSettings = []string{
	"CORE_LEDGER_STATE_STATEDATABASE", "CORE_LEDGER_STATE_COUCHDBCONFIG_COUCHDBADDRESS",
	"CORE_LEDGER_STATE_COUCHDBCONFIG_USERNAME", "ledger.state.couchDBConfig.password",
}

// What a node is told is what it is told natively, once each of its addresses is
// replaced by its name and each folder is named from the same root.
func TestSettingsAreThoseOfTheNativeNetwork(t *testing.T) {
	native, contained := table(t, "127.77.0.0/24", "/native"), containers(t)
	for _, want := range native.Nodes {
		got, err := contained.Node(want.Name)
		if err != nil {
			t.Error(err)
			continue
		}
		if got.Kind == settings.Peer {
			for _, key := range databaseSettings {
				_, inEnvironment := got.Environment[key]
				_, inCore := got.Core[key]
				if !inEnvironment && !inCore {
					t.Errorf("%s is not told %s", got.Name, key)
				}
				delete(got.Environment, key)
				delete(got.Core, key)
			}
		}
		if inWords, wanted := told(t, got, contained), told(t, want, native); inWords != wanted {
			t.Errorf("%s is told\n%s\nand natively\n%s", want.Name, inWords, wanted)
		}
	}
}

// told is all that a node is told, in words that do not depend on where it is.
func told(t *testing.T, node settings.Node, in *settings.Table) string {
	t.Helper()
	all := []any{node.Command, node.Environment, node.Configuration, node.Core, node.Health, node.Ports, node.Reads}
	if node.Kind == settings.IPFS {
		all = append(all, node.IPFSConfiguration())
	}
	text, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	words := []string{in.Root() + "/", "<root>/", "/dns4/", "/ip4/", "0.0.0.0", "<" + node.Name + ">"}
	for _, other := range sorted(in.Nodes) {
		words = append(words, other.Place.Private.String(), "<"+other.Name+">", other.Name, "<"+other.Name+">")
	}
	return strings.NewReplacer(words...).Replace(string(text))
}

// sorted puts nodes in an order in which no address comes before one that it is the
// beginning of.
func sorted(nodes []settings.Node) []settings.Node {
	return slices.SortedFunc(slices.Values(nodes), func(a, b settings.Node) int {
		return len(b.Place.Private.String()) - len(a.Place.Private.String())
	})
}

func TestContainersAreHardened(t *testing.T) {
	for name, service := range load(t).Services {
		if service.User != "10001:10001" || !service.ReadOnly || service.Privileged || !slices.Equal(service.CapDrop, []string{"ALL"}) || len(service.CapAdd) != 0 {
			t.Errorf("%s: user %q, read-only %v, drops %v, adds %v", name, service.User, service.ReadOnly, service.CapDrop, service.CapAdd)
		}
		if !slices.Contains(service.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s: security options %v", name, service.SecurityOpt)
		}
		limits := service.Deploy.Resources.Limits
		if limits == nil || limits.NanoCPUs == 0 || limits.MemoryBytes == 0 || limits.Pids == 0 {
			t.Errorf("%s: limits %+v", name, limits)
		}
		step := name == "prepare" || name == "setup"
		if want := map[bool]string{true: "no", false: "unless-stopped"}[step]; service.Restart != want {
			t.Errorf("%s: restart %q, not %q", name, service.Restart, want)
		}
		if !step && (service.HealthCheck == nil || len(service.HealthCheck.Test) < 4) {
			t.Errorf("%s: nobody looks after its health", name)
		}
	}
}

func TestOnlyGatewaysArePublished(t *testing.T) {
	project := load(t)
	published := map[string]string{}
	for name, service := range project.Services {
		for _, port := range service.Ports {
			if port.Target != 8443 || !netip.MustParseAddr(port.HostIP).IsLoopback() {
				t.Errorf("%s publishes %+v", name, port)
			}
			published[port.HostIP+":"+port.Published] = name
		}
	}
	if len(published) != 3 {
		t.Errorf("published: %v", published)
	}
	for _, node := range containers(t).Nodes {
		gateway := node.Kind == settings.Gateway
		if gateway != slices.Contains(slices.Collect(maps.Values(published)), node.Name) {
			t.Errorf("%s: published is %v", node.Name, !gateway)
		}
	}
}

// Two organisations meet in the consortium's network, with the nodes that have to.
func TestNetworksPartTheOrganisations(t *testing.T) {
	project := load(t)
	for name, network := range project.Networks {
		if leadsOut := strings.HasPrefix(name, "clients-"); network.Internal == leadsOut {
			t.Errorf("network %s: internal is %v", name, network.Internal)
		}
	}
	for _, node := range containers(t).Nodes {
		networks := project.Services[node.Name].Networks
		if private := networks["private-"+node.MSP]; private == nil || private.Ipv4Address != node.Place.Private.String() {
			t.Errorf("%s is not at its address in the network of %s", node.Name, node.MSP)
		}
		_, meets := networks["consortium"]
		if want := slices.Contains([]settings.Kind{settings.Orderer, settings.Peer, settings.IPFS}, node.Kind); meets != want {
			t.Errorf("%s is in the consortium's network: %v", node.Name, meets)
		}
		for name := range networks {
			own := name == "private-"+node.MSP || name == "clients-"+node.MSP && node.Kind == settings.Gateway
			if name != "consortium" && !own {
				t.Errorf("%s is in network %s", node.Name, name)
			}
		}
	}
}

// What answers without a key answers its own organisation only.
func TestNothingUnlockedListensToEverybody(t *testing.T) {
	for _, node := range containers(t).Nodes {
		private := node.Place.Private.String()
		words := told(t, settings.Node{Kind: node.Kind, Name: "-", Environment: node.Environment, Configuration: node.Configuration}, containers(t))
		for _, port := range []string{":9443", ":5001", ":5984", ":9999"} {
			if strings.Contains(words, "<->"+port) {
				t.Errorf("%s opens %s to everybody", node.Name, port)
			}
		}
		if node.Kind == settings.IPFS {
			addresses := node.IPFSConfiguration()["Addresses"].(map[string]any)
			if addresses["API"] != "/ip4/"+private+"/tcp/5001" {
				t.Errorf("%s opens its API at %v", node.Name, addresses["API"])
			}
		}
		if node.Kind == settings.Database && !strings.Contains(words, `"bind_address": "<`+node.Name) {
			t.Errorf("%s listens elsewhere", node.Name)
		}
	}
}

func TestStartsInOrder(t *testing.T) {
	project := load(t)
	for _, node := range containers(t).Nodes {
		needed := project.Services[node.Name].DependsOn
		if needed["prepare"].Condition != types.ServiceConditionCompletedSuccessfully {
			t.Errorf("%s does not wait for its keys", node.Name)
		}
		if node.Kind == settings.Gateway && needed["setup"].Condition != types.ServiceConditionCompletedSuccessfully {
			t.Errorf("%s does not wait for the channel", node.Name)
		}
		for _, other := range node.Needs {
			if needed[other].Condition != types.ServiceConditionHealthy {
				t.Errorf("%s does not wait for %s", node.Name, other)
			}
		}
		if slices.Contains([]settings.Kind{settings.Orderer, settings.CA, settings.Peer, settings.Chaincode}, node.Kind) &&
			project.Services["setup"].DependsOn[node.Name].Condition != types.ServiceConditionHealthy {
			t.Errorf("setup does not wait for %s", node.Name)
		}
	}
}

func TestSetupReachesEveryOrganisation(t *testing.T) {
	project := load(t)
	networks := project.Services["setup"].Networks
	for _, node := range containers(t).Nodes {
		if _, there := networks["private-"+node.MSP]; !there {
			t.Errorf("setup does not reach %s", node.MSP)
		}
	}
	if prepare := project.Services["prepare"]; prepare.NetworkMode != "none" || len(prepare.Networks) != 0 {
		t.Error("the step that makes the keys is on a network")
	}
}

func TestImages(t *testing.T) {
	pins, err := os.ReadFile(filepath.Join(top, "network", "tools", "kubo", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for name, service := range load(t).Services {
		if service.Build == nil {
			if image, tag, tagged := strings.Cut(service.Image, ":"); !tagged || tag == "latest" {
				t.Errorf("%s: image %s", name, service.Image)
			} else if image == "ipfs/kubo" && !strings.Contains(string(pins), "github.com/ipfs/kubo "+tag+" ") {
				t.Errorf("%s is of version %s, not the pinned one", name, tag)
			}
			continue
		}
		text, err := os.ReadFile(filepath.Join(service.Build.Context, service.Build.Dockerfile))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range []string{"FROM golang:", "\nFROM scratch\n", "\nUSER " + service.User + "\n", "\nENTRYPOINT [\"" + service.Image + "\"]"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s has no %q", service.Build.Dockerfile, want)
			}
		}
	}
}

var (
	composeCommand = regexp.MustCompile("docker compose (run|logs|exec|restart) ([^`\n>]*)")
	mountedVolume  = regexp.MustCompile(`--volume ([a-z_]+):`)
)

// What the page tells people to type names services and volumes that are there.
func TestThePageNamesWhatTheFileHas(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(top, "docs", "deploy-containers.md"))
	if err != nil {
		t.Fatal(err)
	}
	project := load(t)
	commands := composeCommand.FindAllStringSubmatch(string(page), -1)
	volumes := mountedVolume.FindAllStringSubmatch(string(page), -1)
	if len(commands) == 0 || len(volumes) == 0 {
		t.Fatalf("the page has the commands %v and the volumes %v", commands, volumes)
	}
	for _, command := range commands {
		names := slices.DeleteFunc(strings.Fields(command[2]), func(word string) bool { return strings.HasPrefix(word, "-") })
		if command[1] != "logs" && command[1] != "restart" {
			names = names[:1] // what follows is for the service
		}
		for _, name := range names {
			if _, err := project.GetService(name); err != nil {
				t.Errorf("%s: %v", command[0], err)
			}
		}
	}
	for _, volume := range volumes {
		named := func(v types.VolumeConfig) bool { return v.Name == volume[1] }
		if !slices.ContainsFunc(slices.Collect(maps.Values(project.Volumes)), named) {
			t.Errorf("no volume is %s", volume[1])
		}
	}
}
