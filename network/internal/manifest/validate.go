package manifest

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/pie-consortium/pie/ledger"
)

// minOrderers is the smallest number of SmartBFT nodes that survives a Byzantine one.
const minOrderers = 4

// maxHosts is how many nodes fit into the loopback network of a native launch.
const maxHosts = 250

var (
	channelName   = regexp.MustCompile(`^[a-z][a-z0-9.-]{0,248}$`)
	chaincodeName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)
	mspName       = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,63}$`)
	hostName      = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
)

// Validate reports every rule that the topology breaks.
func (c Consortium) Validate() error {
	var violations []error
	violate := func(format string, values ...any) {
		violations = append(violations, fmt.Errorf(format, values...))
	}
	if !channelName.MatchString(c.Channel) {
		violate("channel: %q is not a channel name (lower-case letters, digits, dots, dashes)", c.Channel)
	}
	if !chaincodeName.MatchString(c.Chaincode) {
		violate("chaincode: %q is not a chaincode name (lower-case letters, digits, dashes, underscores)", c.Chaincode)
	}
	if n := len(c.Orderers()); n < minOrderers {
		violate("organizations: %d ordering nodes; %d are needed for one to be faulty", n, minOrderers)
	}
	if len(c.Hospitals()) == 0 {
		violate("organizations: nobody has a peer")
	}
	violations = append(violations, c.duplicates()...)
	for i, organization := range c.Organizations {
		for _, violation := range organization.validate() {
			violate("organizations[%d] (%s): %w", i, organization.MSP, violation)
		}
	}
	return errors.Join(violations...)
}

// duplicates finds names that two nodes or organisations share.
func (c Consortium) duplicates() []error {
	var violations []error
	msps, hosts := map[string]bool{}, map[string]bool{}
	for _, organization := range c.Organizations {
		if msps[organization.MSP] {
			violations = append(violations, fmt.Errorf("organizations: the MSP %q appears twice", organization.MSP))
		}
		msps[organization.MSP] = true
		for _, host := range organization.Hosts() {
			if hosts[host] {
				violations = append(violations, fmt.Errorf("organizations: the host %q appears twice", host))
			}
			hosts[host] = true
		}
	}
	if len(hosts) > maxHosts {
		violations = append(violations, fmt.Errorf("organizations: %d hosts; at most %d", len(hosts), maxHosts))
	}
	return violations
}

// validate checks one organisation by itself.
func (o Organization) validate() []error {
	var violations []error
	violate := func(format string, values ...any) {
		violations = append(violations, fmt.Errorf(format, values...))
	}
	if !mspName.MatchString(o.MSP) {
		violate("msp: %q is not an MSP name (letters and digits)", o.MSP)
	}
	if o.Name == "" {
		violate("name: missing")
	} else if err := ledger.ValidateName("name", o.Name, ledger.MaxName); err != nil {
		violations = append(violations, err)
	}
	for _, host := range o.Hosts() {
		if !hostName.MatchString(host) {
			violate("%q is not a host name", host)
		}
	}
	if len(o.Hosts()) == 0 {
		violate("has no node")
	}
	hospital := len(o.Peers) > 0
	if hospital && (o.CA == "" || o.Chaincode == "") {
		violate("peers need a ca and a chaincode beside them")
	}
	if !hospital && (o.CA != "" || o.Chaincode != "" || o.IPFS != "" || o.Gateway != "") {
		violate("a ca, chaincode, ipfs or gateway needs peers beside it")
	}
	if o.Gateway != "" && o.IPFS == "" {
		violate("a gateway needs an ipfs beside it")
	}
	return violations
}
