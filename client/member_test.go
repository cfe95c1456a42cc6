package client

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/network/networktest"
)

// adminOf acts as the administrator of a hospital.
func adminOf(t *testing.T, c *Client, hospital networktest.Organization) *Client {
	t.Helper()
	admin := *c
	admin.creator = proposal.Creator{MSP: hospital.MSP, Signer: signerIn(t, hospital.Admin)}
	var err error
	if admin.identity, err = c.bundle.Identify(admin.creator.Signer.Certificate, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := admin.connect(hospital.GatewayURL, c.traffic.dial); err != nil {
		t.Fatal(err)
	}
	return &admin
}

// A member changes its name as fast as blocks come, while others grant: none of their
// transactions meets one of its.
func TestAMembersNewNamesStopNoGrant(t *testing.T) {
	t.Parallel()
	const grants = 8
	p := newTrio(t)
	var asked []ledger.AccessRequest
	for range grants {
		asked = append(asked, p.request(t, p.upload(t, []byte("emr"))))
	}
	hospital, err := network.Organization("HospitalC")
	if err != nil {
		t.Fatal(err)
	}
	admin := adminOf(t, p.author, hospital)
	all, _, err := list[ledger.Organization](t.Context(), admin, func(ctx context.Context, g *gateway, _ ledger.Page) (*http.Response, error) {
		return g.api.ListOrganizations(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	is := all[slices.IndexFunc(all, func(o ledger.Organization) bool { return o.MSP == hospital.MSP })]
	describe := func(name string) error {
		arguments := ledger.RegisterOrganization{Name: name, Gateways: is.Gateways, Proxy: is.Proxy.Pseudonym}
		_, _, err := submit[ledger.Organization](t.Context(), admin, change{name: ledger.TxRegisterOrganization, arguments: arguments})
		return err
	}
	var rejected atomic.Int32
	betray(t, p.patient, "HospitalA", rewrite(t, "/v1/transactions/*/submission", func(c *api.CommittedTransaction) {
		if c.Code != valid {
			rejected.Add(1)
		}
	}))
	var both errgroup.Group
	both.Go(func() error {
		for i := range ledger.ChangeQuota / 2 {
			if err := describe(fmt.Sprint("Hospital C, number ", i)); err != nil {
				return err
			}
		}
		return describe(is.Name)
	})
	for _, request := range asked {
		both.Go(func() error {
			_, err := p.patient.Grant(t.Context(), request.ID, time.Now().Add(time.Hour))
			return err
		})
	}
	if err := both.Wait(); err != nil {
		t.Error(err)
	}
	if rejected.Load() > 0 {
		t.Errorf("%d grants were rejected", rejected.Load())
	}
}
