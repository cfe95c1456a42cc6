package compose_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/pie-consortium/pie/network/internal/settings"
	"github.com/pie-consortium/pie/network/internal/toolchain"
)

// deadline bounds every wait of these tests.
const deadline = 2 * time.Minute

// consortiumNetwork is the network in which all members meet.
const consortiumNetwork = "consortium"

// host stands for a container engine: it runs the services of the compose file as the
// file says, in namespaces of their own, with the programs of the native network for
// images. CouchDB is not among those, so peers keep their state themselves.
type host struct {
	t       *testing.T
	project *types.Project
	// volume is the folder that stands for the volume, programs and tools are what the
	// images hold.
	volume, programs, tools string
	// addresses are those of a service, by network.
	addresses map[string]map[string]string
}

// The whole file, from empty volume to gateways that are ready.
func TestTheFileRuns(t *testing.T) {
	for _, program := range []string{"ip", "unshare", "setpriv", "chroot"} {
		if _, err := exec.LookPath(program); err != nil || os.Getuid() != 0 {
			t.Skipf("making namespaces takes root and %s", program)
		}
	}
	h := newHost(t)
	h.connect()
	h.step("prepare")
	h.start(func(kind settings.Kind) bool { return kind != settings.Gateway && kind != settings.Database })
	h.step("setup")
	h.start(func(kind settings.Kind) bool { return kind == settings.Gateway })

	h.step("setup") // again, as `up` does
	invitation := h.run("setup", "pie-network", "invite", "--data", "/pie", "--org", "HospitalA", "--role", "patient")
	if !strings.Contains(invitation, `"gateway":"https://gateway.hospital-a:8443"`) {
		t.Errorf("invited with %.300s", invitation)
	}
	h.refuses()
}

// refuses looks from another hospital at what answers without a key.
func (h *host) refuses() {
	h.t.Helper()
	const outsider = "orderer.hospital-b"
	for name, port := range map[string]int{"ipfs.hospital-a": 5001, "peer0.hospital-a": 9443, "orderer.hospital-a": 9443} {
		address := h.addresses[name][consortiumNetwork]
		if out, err := h.inside(outsider, "pie-network", "probe", fmt.Sprintf("tcp://%s:%d", address, port)).CombinedOutput(); err == nil || !strings.Contains(string(out), "refused") {
			h.t.Errorf("%s answers hospital B at port %d: %s", name, port, out)
		}
	}
	h.run(outsider, "pie-network", "probe", "tcp://"+h.addresses["ipfs.hospital-a"][consortiumNetwork]+":4001")
	if out, err := h.inside(outsider, "pie-network", "probe", "tcp://chaincode.hospital-a:9999").CombinedOutput(); err == nil {
		h.t.Errorf("hospital B reaches the chaincode of hospital A: %s", out)
	}
}

func newHost(t *testing.T) *host {
	t.Helper()
	source, err := toolchain.Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tools, err := toolchain.Tools(t.Context(), source, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	h := &host{
		t: t, project: load(t), volume: t.TempDir(), programs: t.TempDir(), tools: tools,
		addresses: map[string]map[string]string{},
	}
	if err := toolchain.Products(t.Context(), source, h.programs, t.Output(), "pie-chaincode", "pie-gateway"); err != nil {
		t.Fatal(err)
	}
	h.must("go", "build", "-C", source, "-o", filepath.Join(h.programs, "pie-network"), "./network")
	h.must("chown", "10001:10001", h.volume)
	for _, folder := range []string{h.volume, h.programs} { // which others may enter
		if err := errors.Join(os.Chmod(folder, 0o755), os.Chmod(filepath.Dir(folder), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func (h *host) must(name string, arguments ...string) {
	h.t.Helper()
	if out, err := exec.CommandContext(h.t.Context(), name, arguments...).CombinedOutput(); err != nil {
		h.t.Fatalf("%s %v: %v\n%s", name, arguments, err, out)
	}
}

// remove takes back what connect made, when the test is over.
func (h *host) remove(arguments ...string) {
	if out, err := exec.CommandContext(context.WithoutCancel(h.t.Context()), "ip", arguments...).CombinedOutput(); err != nil {
		h.t.Errorf("ip %v: %v\n%s", arguments, err, out)
	}
}

// space is the network namespace of a service.
func (h *host) space(service string) string {
	return fmt.Sprintf("pie%d-%d", os.Getpid(), slices.Index(h.project.ServiceNames(), service))
}

// connect makes the networks, and a namespace in them for each service.
func (h *host) connect() {
	networks := h.project.NetworkNames()
	bridge := func(i int) string { return fmt.Sprintf("pb%d-%d", os.Getpid(), i) }
	for i := range networks {
		h.must("ip", "link", "add", bridge(i), "type", "bridge")
		h.t.Cleanup(func() { h.remove("link", "delete", bridge(i)) })
		h.must("ip", "link", "set", bridge(i), "up")
	}
	for i, name := range h.project.ServiceNames() {
		space := h.space(name)
		h.must("ip", "netns", "add", space)
		h.t.Cleanup(func() { h.remove("netns", "delete", space) })
		h.must("ip", "-n", space, "link", "set", "lo", "up")
		h.addresses[name] = map[string]string{}
		for network, attachment := range h.project.Services[name].Networks {
			j := slices.Index(networks, network)
			address := fmt.Sprintf("10.200.%d.%d", j, i+1)
			if pool := h.project.Networks[network].Ipam.Config; len(pool) > 0 {
				address = strings.TrimSuffix(pool[0].Subnet, "0/24") + strconv.Itoa(200+i%50)
			}
			if attachment != nil && attachment.Ipv4Address != "" {
				address = attachment.Ipv4Address
			}
			h.addresses[name][network] = address
			outer, inner := fmt.Sprintf("v%d-%d-%d", os.Getpid()%10000, i, j), fmt.Sprintf("eth%d", j)
			h.must("ip", "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", space)
			h.must("ip", "link", "set", outer, "master", bridge(j), "up")
			h.must("ip", "-n", space, "address", "add", address+"/24", "dev", inner)
			h.must("ip", "-n", space, "link", "set", inner, "up")
		}
	}
}

// names is what a service resolves: itself, and whoever is in one of its networks.
func (h *host) names(service string) string {
	lines := "127.0.0.1 localhost\n"
	for other, addresses := range h.addresses {
		for _, network := range h.project.NetworkNames() { // the consortium's comes before private ones
			if _, shared := h.addresses[service][network]; shared && addresses[network] != "" {
				lines += addresses[network] + " " + other + "\n"
				break
			}
		}
	}
	return lines
}

// inside is a command in a service's container: its namespaces, user, folders, and a
// root that it can not write to.
func (h *host) inside(name string, command ...string) *exec.Cmd {
	service := h.project.Services[name]
	script := []string{
		"set -e", "mount --make-rprivate /", "R=/mnt", "mount -t tmpfs -o mode=755 none $R",
		"mkdir -p $R/usr/bin $R/usr/lib $R/usr/lib64 $R/usr/local/bin $R/usr/local/lib/pie $R/etc/pie $R/proc $R/dev $R/tmp",
		"ln -s usr/bin $R/bin; ln -s usr/lib $R/lib; ln -s usr/lib64 $R/lib64",
		"for d in usr/bin usr/lib usr/lib64; do mount --bind -o ro /$d $R/$d; done",
		"mount --rbind /proc $R/proc; mount --rbind /dev $R/dev",
		"mount --bind -o ro " + h.programs + " $R/usr/local/bin; mount --bind -o ro " + h.tools + " $R/usr/local/lib/pie",
		"cat > $R/etc/hosts",
	}
	for _, config := range service.Configs {
		script = append(script, "cp "+h.project.Configs[config.Source].File+" $R"+config.Target, "chmod 644 $R"+config.Target)
	}
	for _, volume := range service.Volumes {
		below := ""
		if volume.Volume != nil {
			below = volume.Volume.Subpath
		}
		script = append(script, "mkdir -p $R"+volume.Target, "mount --bind "+filepath.Join(h.volume, below)+" $R"+volume.Target)
		if volume.ReadOnly {
			script = append(script, "mount -o remount,bind,ro $R"+volume.Target)
		}
	}
	script = append(script, "mount -o remount,ro $R", "mount -t tmpfs -o mode=1777 none $R/tmp", `chroot=$(command -v chroot); PATH=/usr/sbin:/usr/bin:/sbin:/bin exec "$chroot" $R setpriv "$@"`)
	user, group, _ := strings.Cut(service.User, ":")
	arguments := []string{"netns", "exec", h.space(name), "unshare", "--mount", "sh", "-c", strings.Join(script, "\n"), "sh",
		"--reuid", user, "--regid", group, "--clear-groups", "--bounding-set", "-all", "--no-new-privs", "--pdeathsig", "KILL",
		"env", "-i", "-C", "/" + strings.TrimPrefix(service.WorkingDir, "/"), "PATH=/usr/local/bin:/usr/local/lib/pie:/usr/bin:/bin", "HOME=/"}
	for key, value := range service.Environment {
		if !strings.HasPrefix(key, "CORE_LEDGER_STATE_") { // there is no CouchDB
			arguments = append(arguments, key+"="+*value)
		}
	}
	run := exec.CommandContext(h.t.Context(), "ip", append(arguments, command...)...)
	run.Stdin = strings.NewReader(h.names(name))
	return run
}

func (h *host) run(name string, command ...string) string {
	h.t.Helper()
	run := h.inside(name, command...)
	out, err := run.CombinedOutput()
	if err != nil {
		h.t.Fatalf("%s: %v: %v\n%s", name, command, err, out)
	}
	return string(out)
}

// step runs a service that ends.
func (h *host) step(name string) {
	h.t.Helper()
	h.t.Logf("%s:\n%s", name, h.run(name, append([]string{"pie-network"}, h.project.Services[name].Command...)...))
}

// end kills a node that still runs.
func (h *host) end(process *exec.Cmd) {
	if err := process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		h.t.Error(err)
	}
	var killed *exec.ExitError
	if err := process.Wait(); err != nil && !errors.As(err, &killed) && !errors.Is(err, context.Canceled) {
		h.t.Error(err)
	}
}

// start starts all nodes of the wanted kinds and waits until each is healthy.
func (h *host) start(wanted func(settings.Kind) bool) {
	h.t.Helper()
	logs := h.t.TempDir()
	ctx, cancel := context.WithTimeout(h.t.Context(), deadline)
	defer cancel()
	nodes := slices.DeleteFunc(containers(h.t).Nodes, func(n settings.Node) bool { return !wanted(n.Kind) })
	for _, node := range nodes {
		log, err := os.Create(filepath.Join(logs, node.Name))
		if err != nil {
			h.t.Fatal(err)
		}
		process := h.inside(node.Name, h.project.Services[node.Name].Entrypoint...)
		process.Stdout, process.Stderr = log, log
		if err := errors.Join(process.Start(), log.Close()); err != nil {
			h.t.Fatal(err)
		}
		h.t.Cleanup(func() { h.end(process) })
	}
	for _, node := range nodes {
		for {
			test := h.project.Services[node.Name].HealthCheck.Test[1:]
			out, err := h.inside(node.Name, test...).CombinedOutput()
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				h.t.Fatalf("%s is not healthy: %s\n%s", node.Name, out, read(h.t, filepath.Join(logs, node.Name)))
			}
		}
	}
}
