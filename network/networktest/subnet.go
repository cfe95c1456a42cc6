package networktest

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
)

// lockPort is the port, at the last address of a loopback network, whose listener
// marks the network as taken.
const lockPort = 4242

// attempts is how many loopback networks are tried before giving up.
const attempts = 200

// Subnet is a loopback network that no other test has while the listener is open;
// the kernel closes it with the process.
type Subnet struct {
	Prefix netip.Prefix
	lock   net.Listener
}

// Reserve finds a free network 127.x.y.0/24.
func Reserve(ctx context.Context) (*Subnet, error) {
	for range attempts {
		x, y := byte(100+rand.IntN(150)), byte(rand.IntN(256))
		lock, err := new(net.ListenConfig).Listen(ctx, "tcp", netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, x, y, 254}), lockPort).String())
		if err == nil {
			return &Subnet{netip.PrefixFrom(netip.AddrFrom4([4]byte{127, x, y, 0}), 24), lock}, nil
		}
	}
	return nil, errors.New("no loopback network 127.x.y.0/24 is free")
}

// Close frees the network.
func (s *Subnet) Close() error { return s.lock.Close() }
