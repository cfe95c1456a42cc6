package client

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/pie-consortium/pie/ledger"
)

// hospitals are members in the order of some record.
func hospitals(n int) []string {
	var members []string
	for i := range n {
		members = append(members, fmt.Sprintf("Hospital%03d", i))
	}
	return members
}

func stated(msp string) (string, error) { return "key of " + msp, nil }

func TestAllMembersAreProxiesUpToFive(t *testing.T) {
	for n, want := range map[int]int{1: 1, 3: 3, 5: 5, 6: 5, 100: 5} {
		chosen, err := chooseProxies(hospitals(n), stated)
		if err != nil || len(chosen) != want {
			t.Errorf("%d members: %d proxies, %v", n, len(chosen), err)
		}
		for i, p := range chosen {
			if p.msp != hospitals(n)[i] || p.recipient != "key of "+p.msp {
				t.Errorf("%d members: proxy %d is %v", n, i, p)
			}
		}
	}
}

func TestMembersWithoutAKeyAreNoProxies(t *testing.T) {
	chosen, err := chooseProxies(hospitals(8), func(msp string) (string, error) {
		if msp == "Hospital001" || msp == "Hospital004" {
			return "", nil
		}
		return stated(msp)
	})
	var names []string
	for _, p := range chosen {
		names = append(names, p.msp)
	}
	if err != nil || !slices.Equal(names, []string{"Hospital000", "Hospital002", "Hospital003", "Hospital005", "Hospital006"}) {
		t.Errorf("chosen %v, %v", names, err)
	}
	lie := errors.New("a key that is not theirs")
	if _, err := chooseProxies(hospitals(ledger.MaxProxies), func(string) (string, error) { return "", lie }); !errors.Is(err, lie) {
		t.Errorf("a lie became %v", err)
	}
}
