package limit_test

import (
	"testing"

	"github.com/pie-consortium/pie/gateway/internal/limit"
)

// Whoever has a network of IPv6 has all its addresses, and counts as one.
func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1:1":                  "192.0.2.1",
		"[::ffff:192.0.2.1]:2":         "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:1":     "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff::1]:65535": "2001:db8:1:2::/64",
		"[2001:db8:1:3::1]:1":          "2001:db8:1:3::/64",
		"[fe80::1%eth0]:1":             "fe80::/64",
		"pipe":                         "pipe",
	} {
		if got := limit.Network(address); got != want {
			t.Errorf("%s is of %s, want %s", address, got, want)
		}
	}
}
