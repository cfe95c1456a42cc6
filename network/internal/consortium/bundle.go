package consortium

import (
	"encoding/json"
	"os"

	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/network/internal/channel"
	"github.com/pie-consortium/pie/network/internal/settings"
)

// Bundle is what devices believe without asking: channel, roots and gateways of the
// hospitals, identities of the ordering nodes. It is made from the public folders.
func (n *Network) Bundle() (trust.Bundle, error) {
	bundle := trust.Bundle{Channel: n.Consortium.Channel}
	for _, organization := range n.Consortium.Hospitals() {
		root, err := os.ReadFile(n.Root(organization.MSP))
		if err != nil {
			return trust.Bundle{}, err
		}
		tlsRoot, err := os.ReadFile(n.TLSRoot(organization.MSP))
		if err != nil {
			return trust.Bundle{}, err
		}
		member := trust.Organization{
			MSP: organization.MSP, Name: organization.Name,
			Roots: []string{string(root)}, TLSRoots: []string{string(tlsRoot)},
			Gateways: n.gateways(organization.MSP),
		}
		bundle.Organizations = append(bundle.Organizations, member)
	}
	for _, consenter := range channel.Consenters(n.Consortium, n.Table) {
		certificate, err := os.ReadFile(consenter.Identity)
		if err != nil {
			return trust.Bundle{}, err
		}
		bundle.Orderers = append(bundle.Orderers, trust.Orderer{
			ID: consenter.ID, MSP: consenter.MSP, Certificate: string(certificate),
		})
	}
	return bundle, nil
}

// writeBundle writes the bundle for people, and each gateway's copy.
func (n *Network) writeBundle() error {
	bundle, err := n.Bundle()
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(bundle, "", "  ")
	if err != nil {
		return err
	}
	for _, gateway := range n.Table.Of(settings.Gateway, "") {
		if err := os.WriteFile(gateway.Trust(), text, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(n.Table.Bundle(), text, 0o644)
}

// gateways are the base URLs of an organisation's gateways.
func (n *Network) gateways(msp string) []string {
	var urls []string
	for _, gateway := range n.Table.Of(settings.Gateway, msp) {
		urls = append(urls, gateway.GatewayURL())
	}
	return urls
}
