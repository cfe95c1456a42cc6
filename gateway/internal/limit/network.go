package limit

import "net/netip"

// ownNetwork is how much of an IPv6 address a network's owner does not choose (RFC 6177):
// they have all addresses below it.
const ownNetwork = 64

// Network names where an address with a port comes from: one of IPv4, 64 bits of one of
// IPv6. What is not an address stands for itself.
func Network(address string) string {
	parsed, err := netip.ParseAddrPort(address)
	if err != nil {
		return address
	}
	ip := parsed.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	network, err := ip.Prefix(ownNetwork)
	if err != nil {
		return address
	}
	return network.String()
}
