package chaos

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"github.com/pie-consortium/pie/network/networktest"
)

// corruptAddress is the environment variable that makes this program a corrupt chaincode.
const corruptAddress = "PIE_CHAOS_CORRUPT"

// corruptRules are rules of a hospital's own: whatever is asked for is granted and written
// somewhere, and whoever reads is told nothing.
type corruptRules struct{}

// Init is never called: the chaincode's definition does not ask for it.
func (corruptRules) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

// Invoke grants.
func (corruptRules) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	if err := stub.PutState(stub.GetTxID(), []byte("granted")); err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success([]byte("{}"))
}

// serveLies is the main function of the lying chaincode.
func serveLies() int {
	server := &shim.ChaincodeServer{
		CCID: os.Getenv("CHAINCODE_ID"), Address: os.Getenv(corruptAddress), CC: corruptRules{},
		TLSProps: shim.TLSProperties{Disabled: true},
	}
	fmt.Fprintln(os.Stderr, server.Start())
	return 1
}

// corrupt puts corrupt rules in the place of a hospital's chaincode until the test ends.
func corrupt(t *testing.T, o networktest.Organization) {
	t.Helper()
	settings, err := environment(o.Chaincode)
	if err != nil {
		t.Fatal(err)
	}
	if err := network.Stop(o.Chaincode); err != nil {
		t.Fatal(err)
	}
	enter := append(links.organizations[o.MSP].enter(), os.Args[0])
	process := exec.Command(enter[0], enter[1:]...)
	process.Env = slices.Concat(settings, []string{corruptAddress + "=" + value(settings, "CHAINCODE_SERVER_ADDRESS")})
	process.Stderr = os.Stderr
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := process.Process.Signal(syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		var killed *exec.ExitError
		if err := process.Wait(); !errors.As(err, &killed) {
			t.Error(err)
		}
		if err := network.Start(o.Chaincode); err != nil {
			t.Error(err)
		}
	})
}

// environment is what a running node was started with.
func environment(node string) ([]string, error) {
	pid, err := pidOf(node)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return strings.Split(strings.TrimRight(string(text), "\x00"), "\x00"), err
}

func value(settings []string, name string) string {
	for _, setting := range settings {
		if found, ok := strings.CutPrefix(setting, name+"="); ok {
			return found
		}
	}
	return ""
}
