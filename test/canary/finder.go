package canary

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

const (
	// shortest is the length in bytes of what a needle is first recognised by.
	shortest = 8
	// longest is how much of a needle is compared, in bytes; the rest adds nothing.
	longest = 64
	// sieveBits is the logarithm of the sieve's size: small enough for a cache.
	sieveBits = 19
)

// needle is one form of one canary.
type needle struct {
	canary *Canary
	form   string
	text   []byte
}

// needles is every needle, arranged by its first bytes.
type needles struct {
	all   []needle
	sieve []uint64 // a bit for each hash of first bytes
	begin map[uint64][]int
}

func newNeedles(canaries []Canary) (*needles, error) {
	n := &needles{sieve: make([]uint64, 1<<sieveBits/64), begin: map[uint64][]int{}}
	for _, canary := range canaries {
		if len(canary.Value) < shortest {
			return nil, fmt.Errorf("the canary %q has less than %d bytes: it would be found by chance", canary.Name, shortest)
		}
		for _, form := range forms(canary.Value) {
			n.add(needle{&canary, form.name, form.text[:min(len(form.text), longest)]})
		}
	}
	return n, nil
}

func (n *needles) add(added needle) {
	first := binary.LittleEndian.Uint64(added.text)
	hole := sieveHole(first)
	n.sieve[hole/64] |= 1 << (hole % 64)
	n.begin[first] = append(n.begin[first], len(n.all))
	n.all = append(n.all, added)
}

// sieveHole spreads eight bytes over the sieve (Fibonacci hashing).
func sieveHole(first uint64) uint64 { return first * 0x9E3779B97F4A7C15 >> (64 - sieveBits) }

// in calls found for every needle in the text, with its place there.
func (n *needles) in(text []byte, found func(needle, offset int)) {
	for i := 0; i+shortest <= len(text); i++ {
		first := binary.LittleEndian.Uint64(text[i:])
		if hole := sieveHole(first); n.sieve[hole/64]&(1<<(hole%64)) == 0 {
			continue
		}
		for _, candidate := range n.begin[first] {
			if bytes.HasPrefix(text[i:], n.all[candidate].text) {
				found(candidate, i)
			}
		}
	}
}

// Finder looks through what is written to it, as one stream.
type Finder struct {
	search   *Search
	place    Place
	straight stream
	// unfolded is the stream without line breaks, be they escaped or not: PEM and MIME
	// break lines anywhere.
	unfolded    stream
	backslashes int
	rest        []byte
	seen        map[int]bool
}

// stream keeps what a needle may have begun in.
type stream struct {
	tail   []byte
	offset int64 // of the tail
}

// Write never fails.
func (f *Finder) Write(p []byte) (int, error) {
	f.feed(&f.straight, p)
	f.feed(&f.unfolded, f.unfold(p))
	return len(p), nil
}

// Break begins another stream at the same place.
func (f *Finder) Break() {
	f.straight, f.unfolded = stream{tail: f.straight.tail[:0]}, stream{tail: f.unfolded.tail[:0]}
	f.backslashes = 0
}

func (f *Finder) feed(s *stream, p []byte) {
	s.tail = append(s.tail, p...)
	f.search.needles.in(s.tail, func(needle, at int) {
		if !f.seen[needle] {
			f.seen[needle] = true
			f.search.note(f.place, needle, s.offset+int64(at))
		}
	})
	done := max(0, len(s.tail)-longest+1)
	s.offset += int64(done)
	s.tail = s.tail[:copy(s.tail, s.tail[done:])]
}

// unfold returns p without line breaks and without the "\n" that stands for one.
func (f *Finder) unfold(p []byte) []byte {
	f.rest = f.rest[:0]
	for len(p) > 0 {
		plain := 0
		for plain < len(p) && !folds[p[plain]] {
			plain++
		}
		if plain == 0 {
			f.fold(p[0])
			p = p[1:]
			continue
		}
		if f.backslashes > 0 && (p[0] == 'n' || p[0] == 'r') {
			f.backslashes, p, plain = 0, p[1:], plain-1
		}
		f.keepBackslashes()
		f.rest = append(f.rest, p[:plain]...)
		p = p[plain:]
	}
	return f.rest
}

// folds are the bytes that line breaks are made of, or begin with when escaped.
var folds = [256]bool{'\n': true, '\r': true, '\\': true}

func (f *Finder) fold(b byte) {
	if b == '\\' {
		f.backslashes++
		return
	}
	f.keepBackslashes()
}

func (f *Finder) keepBackslashes() {
	for ; f.backslashes > 0; f.backslashes-- {
		f.rest = append(f.rest, '\\')
	}
}
