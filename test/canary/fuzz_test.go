package canary

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzPacket wants that no packet ends the search.
func FuzzPacket(f *testing.F) {
	packet := append([]byte{0x45, 9: 6, 12: 127, 0, 0, 1, 127, 0, 0, 2}, 0x1f, 0x90, 0x27, 0x0f)
	f.Add(append(append(packet, make([]byte, 8)...), 0x50, 0x18, 0, 0, 0, 0, 0, 0, 'd', 'a', 't', 'a'))
	f.Fuzz(func(t *testing.T, packet []byte) {
		search := newSearch(t, newKey())
		w := wire{search: search, chaincode: 9999, flows: map[flow]*conversation{}}
		for range 2 {
			if err := w.packet(packet); err != nil && len(search.Findings()) > 0 {
				t.Error("found something in what is not a packet")
			}
		}
	})
}

// FuzzRegion wants that a line of a memory map is read or refused.
func FuzzRegion(f *testing.F) {
	f.Add("c000000000-c000400000 rw-p 00000000 00:00 0")
	f.Add("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]")
	f.Fuzz(func(t *testing.T, line string) {
		from, to, wanted, err := region(line)
		if wanted && err == nil && (from < 0 || to < 0) {
			t.Errorf("%q: from %d to %d", line, from, to)
		}
	})
}

// FuzzUnfold wants the same from a stream in parts as from one in whole.
func FuzzUnfold(f *testing.F) {
	f.Add([]byte("MIG\nHAg\\nEAM\\\\nBM\\x\r\n\\"), 3)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		cut = max(0, min(cut, len(text)))
		whole, parts := new(Finder), new(Finder)
		want := bytes.Clone(whole.unfold(text))
		got := append(bytes.Clone(parts.unfold(text[:cut])), parts.unfold(text[cut:])...)
		if !bytes.Equal(got, want) || whole.backslashes != parts.backslashes {
			t.Errorf("%q cut at %d: %q, in whole %q", text, cut, got, want)
		}
		if strings.ContainsAny(string(got), "\r\n") {
			t.Errorf("%q keeps a line break: %q", text, got)
		}
	})
}
