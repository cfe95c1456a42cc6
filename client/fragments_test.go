package client

import (
	"fmt"
	"slices"
	"testing"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
)

func consortiumOf(n int) *Client {
	bundle := &trust.Bundle{Organizations: []trust.Organization{{MSP: "Operator"}}} // has no gateway
	for i := range n {
		bundle.Organizations = append(bundle.Organizations, trust.Organization{
			MSP: fmt.Sprintf("Hospital%03d", i), Gateways: []string{"https://gateway.example"},
		})
	}
	return &Client{bundle: bundle}
}

func TestAllMembersAreProxiesUpToFive(t *testing.T) {
	for _, n := range []int{1, 3, 5} {
		proxies := consortiumOf(n).proxies(ledger.NewID())
		if len(proxies) != n || slices.Contains(proxies, "Operator") {
			t.Errorf("%d members: got %v", n, proxies)
		}
	}
}

func TestBeyondFiveEachRecordHasItsOwnProxies(t *testing.T) {
	c, record := consortiumOf(100), ledger.ID("aaaaaaaaaaaaaaaaaaaaaaaaaa")
	first := c.proxies(record)
	if len(first) != ledger.MaxProxies || !slices.Equal(first, c.proxies(record)) {
		t.Errorf("got %v, then %v", first, c.proxies(record))
	}
	if slices.Equal(first, c.proxies("bbbbbbbbbbbbbbbbbbbbbbbbbb")) {
		t.Error("two records have the same proxies")
	}
	kept := 0
	for _, proxy := range consortiumOf(101).proxies(record) {
		if slices.Contains(first, proxy) {
			kept++
		}
	}
	if kept < ledger.MaxProxies-1 {
		t.Errorf("one member more moved %d proxies", ledger.MaxProxies-kept)
	}
}
