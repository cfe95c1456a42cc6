package manifest

import (
	"fmt"
	"net/netip"
)

// Addresses says where each host is reached.
type Addresses map[string]netip.Addr

// Loopback gives each host an address of its own inside subnet, so that every
// node keeps its standard ports on one machine.
func (c Consortium) Loopback(subnet netip.Prefix) (Addresses, error) {
	if !subnet.Addr().Is4() || !subnet.Addr().IsLoopback() || subnet.Bits() != 24 {
		return nil, fmt.Errorf("%s is no loopback network of the form 127.x.y.0/24", subnet)
	}
	addresses := Addresses{}
	next := subnet.Masked().Addr()
	for _, organization := range c.Organizations {
		for _, host := range organization.Hosts() {
			next = next.Next()
			addresses[host] = next
		}
	}
	return addresses, nil
}
