package emergency

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/pie-consortium/pie/network/networktest"
)

// deadline bounds whatever is waited for.
const deadline = 5 * time.Minute

var (
	network *networktest.Network
	the     *fixture
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if network, err = networktest.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	code := 1
	dir, err := os.MkdirTemp("", "pie-emergency-")
	if err == nil {
		defer os.RemoveAll(dir)
		the, err = admit(ctx, dir)
	}
	if err == nil {
		code = m.Run()
	}
	for _, err := range []error{err, network.Close()} {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came about that %s", what)
		}
	}
}
