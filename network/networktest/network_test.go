package networktest_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/pie-consortium/pie/network/networktest"
)

var network *networktest.Network

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if network, err = networktest.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer network.Close()
	return m.Run()
}

func TestEveryNodeRuns(t *testing.T) {
	for _, node := range network.Nodes() {
		t.Log(node.Name, node.State, node.PID)
		if node.State != "running" {
			t.Errorf("%s is %s: %s", node.Name, node.State, node.Exit)
		}
	}
}
