// Package compose renders the table of settings for a container engine: one service a
// node, in networks that let through what the nodes need of each other and nothing else.
package compose

import (
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/pie-consortium/pie/network/internal/manifest"
	"github.com/pie-consortium/pie/network/internal/settings"
)

// Root is the folder of the network's data, as containers see it.
const Root = "/pie"

// heading is what the file says to its reader.
const heading = "# The consortium as containers, rendered by `pie-network compose` from the table of\n" +
	"# settings that the native network runs on. Do not edit: change the topology and\n" +
	"# render it again. docs/deploy-containers.md says how to run, back up and upgrade it.\n"

// Plan is what to render.
type Plan struct {
	Consortium manifest.Consortium
	// Table has [Root] as its root.
	Table *settings.Table
	// Subnet is the private network, a.b.0.0/16, that the table's addresses are in.
	Subnet netip.Prefix
	// Topology is the file that the consortium was read from, a path relative to the
	// compose file.
	Topology string
}

// Render writes the compose file.
func (p Plan) Render() ([]byte, error) {
	hardened := newHardened()
	services := yaml.MapSlice{{Key: prepareService, Value: p.prepare(hardened)}}
	for _, node := range p.Table.Nodes {
		services = append(services, yaml.MapItem{Key: node.Name, Value: p.node(node, hardened)})
	}
	services = append(services, yaml.MapItem{Key: setupService, Value: p.setup(hardened)})
	text, err := yaml.MarshalWithOptions(project{
		Name: "pie", Hardened: hardened, Services: services, Networks: p.networks(),
		Volumes: map[string]any{volumeName: map[string]any{}},
		Configs: map[string]config{topologyConfig: {File: "./" + filepath.ToSlash(p.Topology)}},
	}, yaml.IndentSequence(true))
	if err != nil {
		return nil, err
	}
	return append([]byte(heading), text...), nil
}

// node is the service of one node: what the table says, in a container.
func (p Plan) node(node settings.Node, hardened *Hardened) service {
	kind := kinds[node.Kind]
	rendered := service{
		Hardened: hardened, Image: kind.image, Build: buildWith(kind.dockerfile), Hostname: node.Name,
		Entrypoint: node.Command, Environment: escaped(node.Environment), WorkingDir: node.Dir,
		DependsOn: dependencies(node), Healthcheck: p.healthcheck(node),
		Networks: p.attachments(node), Volumes: p.volumes(node), Deploy: kind.limits,
	}
	if kind.published {
		rendered.Ports = []string{p.published(node)}
	}
	return rendered
}

// escaped keeps the engine from filling variables of its own into what the table says.
func escaped(environment map[string]string) map[string]string {
	escaped := map[string]string{}
	for key, value := range environment {
		escaped[key] = strings.ReplaceAll(value, "$", "$$")
	}
	return escaped
}

// dependencies are what has to be there before the node is started.
func dependencies(node settings.Node) map[string]condition {
	needed := map[string]condition{prepareService: completed}
	for _, other := range node.Needs {
		needed[other] = healthy
	}
	if node.Kind == settings.Gateway {
		needed[setupService] = completed
	}
	return needed
}

// healthcheck looks where the table says, with a program of ours, as many an image has
// none to look with.
func (p Plan) healthcheck(node settings.Node) *healthcheck {
	test := append([]string{"CMD", filepath.Join(p.Table.Programs(), settings.Probe), "probe"}, node.Health...)
	return &healthcheck{Test: test, Interval: "10s", Timeout: "10s", Retries: 6, StartPeriod: "2m", StartInterval: "1s"}
}

// volumes are the node's own folder, what it reads beside that, and the program that
// looks after its health. It writes to its state alone.
func (p Plan) volumes(node settings.Node) []volume {
	volumes := []volume{p.folder(node.Dir, true), p.folder(node.State(), false)}
	for _, dir := range append(node.Reads, p.Table.Programs()) {
		volumes = append(volumes, p.folder(dir, true))
	}
	return volumes
}

// folder mounts one folder of the volume where the table has it.
func (p Plan) folder(path string, readOnly bool) volume {
	below := strings.TrimPrefix(path, p.Table.Root()+"/")
	return volume{
		Type: "volume", Source: volumeName, Target: path, ReadOnly: readOnly,
		Volume: &volumeOptions{NoCopy: true, Subpath: below},
	}
}
