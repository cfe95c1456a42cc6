package chaos

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// lines connect the organisations: each has a network namespace with its nodes in it,
// and a line to the one of the tests, which routes between them. Whoever uses the
// system stands where the tests do and reaches everybody.
type lines struct {
	hub           *os.File // the namespace of the tests
	organizations map[string]*line
}

// line is one organisation's connection.
type line struct {
	device    string // its end in the tests' namespace
	addresses []netip.Addr
	namespace *os.File
}

// here is the tests' own address in the network, below the one that marks it as taken.
const here = 253

// connect is the [networktest.Wrap] that makes the lines.
func connect(subnet netip.Prefix, addresses map[string][]netip.Addr) (map[string][]string, error) {
	hub, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	links = &lines{hub: hub, organizations: map[string]*line{}}
	bytes := subnet.Addr().As4()
	bytes[3] = here
	own := netip.AddrFrom4(bytes)
	if err := prepareHub(own); err != nil {
		return nil, err
	}
	wrappers := map[string][]string{}
	for msp, nodes := range addresses {
		l := &line{device: fmt.Sprint("line", len(wrappers)), addresses: nodes}
		if err := l.lay(subnet, own); err != nil {
			return nil, fmt.Errorf("line of %s: %w", msp, err)
		}
		links.organizations[msp] = l
		wrappers[msp] = l.enter()
	}
	return wrappers, nil
}

// enter is a command that runs the one behind it inside the organisation's namespace.
func (l *line) enter() []string {
	return []string{"nsenter", "--net=" + path(l.namespace), "--"}
}

// path names an open file to other processes.
func path(file *os.File) string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), file.Fd()) }

// prepareHub makes the tests' namespace route between lines. The rule for local
// addresses, usually the very first, makes room for those that cut lines.
func prepareHub(own netip.Addr) error {
	return errors.Join(
		set("net/ipv4/ip_forward", "1"), set("net/ipv4/ip_nonlocal_bind", "1"), allowLoopback(),
		ip("link set lo up"), ip("addr add %s/32 dev lo", own),
		ip("rule add pref 100 lookup local"), ip("rule del pref 0"))
}

// allowLoopback lets addresses of 127.0.0.0/8 leave and enter by any device.
func allowLoopback() error {
	var all []error
	for _, devices := range []string{"all", "default"} {
		all = append(all, set("net/ipv4/conf/"+devices+"/route_localnet", "1"), set("net/ipv4/conf/"+devices+"/rp_filter", "0"))
	}
	return errors.Join(all...)
}

// lay makes the namespace and connects it.
func (l *line) lay(subnet netip.Prefix, own netip.Addr) error {
	done := make(chan error)
	go func() {
		// The thread stays locked, so that it ends with its namespace and does nothing else.
		runtime.LockOSThread()
		done <- l.furnish(subnet)
	}()
	if err := <-done; err != nil {
		return err
	}
	all := []error{ip("link set %s up", l.device), set("net/ipv4/conf/"+l.device+"/proxy_arp", "1")}
	for _, address := range l.addresses {
		all = append(all, ip("route add %s/32 dev %s src %s table local", address, l.device, own))
	}
	return errors.Join(all...)
}

// furnish runs on a thread that becomes the namespace's.
func (l *line) furnish(subnet netip.Prefix) (err error) {
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		return err
	}
	if l.namespace, err = os.Open("/proc/thread-self/ns/net"); err != nil {
		return err
	}
	all := []error{
		allowLoopback(), ip("link add eth0 type veth peer name %s netns %s", l.device, path(links.hub)),
		ip("link set lo up"), ip("link set eth0 up"),
		ip("addr add 192.0.2.1/32 dev eth0"), // a peer looks for an address that is not a loopback, and uses none
	}
	for _, address := range l.addresses {
		all = append(all, ip("addr add %s/32 dev lo", address))
	}
	return errors.Join(append(all, ip("route add %s dev eth0 src %s table local", subnet, l.addresses[0]))...)
}

// cut parts an organisation from the others. Users still reach everybody.
func (l *lines) cut(msp string) error { return l.between(msp, "add") }

// restore undoes cut.
func (l *lines) restore(msp string) error { return l.between(msp, "del") }

// between adds or deletes the rules that swallow what an organisation and another one
// send each other.
func (l *lines) between(msp, verb string) error {
	var all []error
	swallow := func(from *line, to []netip.Addr) {
		for _, address := range to {
			all = append(all, ip("rule %s pref 10 iif %s to %s/32 blackhole", verb, from.device, address))
		}
	}
	own := l.organizations[msp]
	for name, other := range l.organizations {
		if name != msp {
			swallow(own, other.addresses)
			swallow(other, own.addresses)
		}
	}
	return errors.Join(all...)
}

// slow limits an organisation's line, both ways, to about a quarter of a megabyte a
// second.
func (l *lines) slow(msp string) error {
	return l.organizations[msp].shape("add dev %s root tbf rate 2mbit burst 32kb latency 400ms")
}

// quicken undoes slow.
func (l *lines) quicken(msp string) error {
	return l.organizations[msp].shape("del dev %s root")
}

func (l *line) shape(format string) error {
	in := strings.Join(append(l.enter()[1:], "tc", "qdisc"), " ")
	return errors.Join(command("tc", "qdisc "+fmt.Sprintf(format, l.device)),
		command("nsenter", in+" "+fmt.Sprintf(format, "eth0")))
}

// listen opens a listener at an address of the organisation's own.
func (l *line) listen(address string) (net.Listener, error) {
	type opened struct {
		listener net.Listener
		err      error
	}
	done := make(chan opened)
	go func() {
		runtime.LockOSThread() // see lay
		if err := unix.Setns(int(l.namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- opened{nil, err}
			return
		}
		listener, err := net.Listen("tcp", address)
		done <- opened{listener, err}
	}()
	answer := <-done
	return answer.listener, answer.err
}

func ip(format string, arguments ...any) error {
	return command("ip", fmt.Sprintf(format, arguments...))
}

// command runs a program with arguments that hold no spaces.
func command(program, arguments string) error {
	output, err := exec.Command(program, strings.Fields(arguments)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, arguments, err, strings.TrimSpace(string(output)))
	}
	return nil
}

// set writes a kernel setting of the calling thread's network namespace.
func set(name, value string) error { return os.WriteFile("/proc/sys/"+name, []byte(value), 0o600) }
