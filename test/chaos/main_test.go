package chaos

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/pie-consortium/pie/network/networktest"
)

var (
	long = flag.Bool("long", false, "run every fault and every step, not a selection")
	seed = flag.Uint64("seed", 1, "decides faults and load, 0 takes another one each time; a failure prints it")
)

// inside marks the process that runs in namespaces of its own.
const inside = "PIE_CHAOS_INSIDE"

// network is the consortium that all tests share, links what its members are connected by.
var (
	network *networktest.Network
	links   *lines
)

func TestMain(m *testing.M) {
	if os.Getenv(corruptAddress) != "" {
		os.Exit(serveLies())
	}
	flag.Parse()
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Getenv(inside) == "" {
		return enter()
	}
	if err := runInside(m); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// enter runs the tests again in a network and a mount namespace of their own, which
// vanish with that process and all that was set up in them.
func enter() int {
	if os.Getuid() != 0 {
		fmt.Println("skipped: faults between hospitals need network namespaces, and these need root")
		return 0
	}
	if err := networktest.Build(context.Background()); err != nil { // the namespace reaches no network
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	self := exec.Command(os.Args[0], os.Args[1:]...)
	self.Stdin, self.Stdout, self.Stderr = os.Stdin, os.Stdout, os.Stderr
	self.Env = append(os.Environ(), inside+"=1")
	self.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, os.Interrupt) // the child gets it too, and stops its nodes
	err := self.Run()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return max(failed.ExitCode(), 1)
	}
	if err != nil {
		fmt.Println("skipped: no namespaces of our own:", err)
	}
	return 0
}

// errFailed says that tests failed, which they have told themselves.
var errFailed = errors.New("to repeat this run: go test ./test/chaos -seed ")

func runInside(m *testing.M) (err error) {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	if network, err = networktest.Start(networktest.Wrapped(connect)); err != nil {
		return err
	}
	code := m.Run()
	if err := network.Close(); err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("%w%d", errFailed, *seed)
	}
	return nil
}
