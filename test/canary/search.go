package canary

import (
	"fmt"
	"slices"
	"sync"
)

// PlaceKind says what a place may hold.
type PlaceKind string

// The kinds of place.
const (
	// Anywhere holds nothing but what everybody may know: blocks, public state, logs,
	// content stores, ordering nodes, the wire.
	Anywhere PlaceKind = "anywhere"
	// PrivateRows are the private data collections of a member's peer.
	PrivateRows PlaceKind = "private rows"
	// MemberMemory is the memory of a member's peer or chaincode.
	MemberMemory PlaceKind = "memory of a member"
	// GatewayMemory is that of a gateway: users enrol through it.
	GatewayMemory PlaceKind = "memory of a gateway"
	// AuthorityMemory is that of a certificate authority.
	AuthorityMemory PlaceKind = "memory of a CA"
	// ChaincodeWire is what a peer and its own chaincode say to each other.
	ChaincodeWire PlaceKind = "wire to the chaincode"
	// Device is a user's own.
	Device PlaceKind = "device"
	// Screen is what a device shows to its user.
	Screen PlaceKind = "screen"
	// Receipt is a file that proves an access, to be handed on.
	Receipt PlaceKind = "receipt"
)

// admits lists what each kind of place may hold beside public values.
var admits = map[PlaceKind][]Kind{
	PrivateRows:     {Metadata, Name},
	MemberMemory:    {Metadata, Name},
	GatewayMemory:   {Metadata, Name, Secret},
	AuthorityMemory: {Secret},
	ChaincodeWire:   {Metadata, Name},
	Device:          {Metadata, Name, Digest},
	Screen:          {Metadata, Name},
	Receipt:         {Name},
}

// Place is somewhere that was looked at.
type Place struct {
	Kind PlaceKind
	Name string
	// Owner is whose keys stand here in clear, a user's or a hospital's; empty for none.
	Owner string
}

func (p Place) admits(c *Canary) bool {
	own := p.Owner != "" && p.Owner == c.Owner
	switch c.Kind {
	case PrivateKey:
		return own && p.Kind == Device
	case ServiceKey:
		return own && p.Kind != Device
	}
	return c.Kind == Public || slices.Contains(admits[p.Kind], c.Kind)
}

// Finding is a canary in a place.
type Finding struct {
	Place  Place
	Canary *Canary
	Form   string
	// Offset is where, in bytes: an address in memory, a place in a file or a stream.
	Offset int64
}

// String says what was found without repeating it.
func (f Finding) String() string {
	return fmt.Sprintf("%s (%s, as %s) in %s (%s) at %#x", f.Canary.Name, f.Canary.Kind, f.Form, f.Place.Name, f.Place.Kind, f.Offset)
}

// Search looks for a set of canaries and remembers what it found. Its methods may be
// called at the same time.
type Search struct {
	needles *needles

	mu       sync.Mutex
	findings []Finding
}

// NewSearch refuses canaries that are so short that they would be found by chance.
func NewSearch(canaries ...[]Canary) (*Search, error) {
	needles, err := newNeedles(slices.Concat(canaries...))
	return &Search{needles: needles}, err
}

// At looks through what is then written, as a stream that stands at the place.
func (s *Search) At(place Place) *Finder {
	return &Finder{search: s, place: place, seen: map[int]bool{}}
}

// Findings is all that was found.
func (s *Search) Findings() []Finding {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.findings)
}

// Forbidden is what was found where it must not be.
func (s *Search) Forbidden() []Finding {
	return slices.DeleteFunc(s.Findings(), func(f Finding) bool { return f.Place.admits(f.Canary) })
}

func (s *Search) note(place Place, needle int, offset int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.needles.all[needle]
	s.findings = append(s.findings, Finding{place, found.canary, found.form, offset})
}
