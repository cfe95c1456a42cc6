package content

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"testing/iotest"
)

func TestRecentHoldsWhatPassed(t *testing.T) {
	file, claim := ciphertext(t)
	claim.CID = "cid"
	recent, header := NewRecent(), new(Header)
	if passed, err := io.ReadAll(header.Of(iotest.OneByteReader(bytes.NewReader(file)))); err != nil || !bytes.Equal(passed, file) {
		t.Fatalf("the content did not pass unchanged: %v", err)
	}
	recent.Add(claim.CID, claim.SHA256, claim.Size, header)
	if !recent.Holds(claim) {
		t.Fatal("it does not hold what it hashed")
	}
	for name, change := range map[string]func(*Claim){
		"another CID":     func(c *Claim) { c.CID = "other" },
		"another size":    func(c *Claim) { c.Size++ },
		"another hash":    func(c *Claim) { c.SHA256[0] ^= 1 },
		"another capsule": func(c *Claim) { c.Capsule = append([]byte{c.Capsule[0] ^ 1}, c.Capsule[1:]...) },
	} {
		changed := claim
		change(&changed)
		if recent.Holds(changed) {
			t.Errorf("it holds %s", name)
		}
	}
}

func TestRecentForgets(t *testing.T) {
	file, claim := ciphertext(t)
	recent, header := NewRecent(), new(Header)
	if _, err := header.Write(file); err != nil {
		t.Fatal(err)
	}
	for i := range maxRecent + 1 {
		recent.Add(fmt.Sprint(i), claim.SHA256, claim.Size, header)
	}
	claim.CID = "0"
	if recent.Holds(claim) || recent.claims.Len() != maxRecent {
		t.Errorf("%d contents are remembered, the oldest among them: %v", recent.claims.Len(), recent.Holds(claim))
	}
	if claim.CID = "1"; !recent.Holds(claim) {
		t.Error("a newer one is forgotten")
	}
}

func TestRecentForgetsWhatIsUnpinned(t *testing.T) {
	file, claim := ciphertext(t)
	recent, header := NewRecent(), new(Header)
	if _, err := header.Write(file); err != nil {
		t.Fatal(err)
	}
	for _, cid := range []string{"one", "two"} {
		recent.Add(cid, claim.SHA256, claim.Size, header)
	}
	recent.Forget("one")
	recent.Forget("another")
	if claim.CID = "one"; recent.Holds(claim) || recent.claims.Len() != 1 {
		t.Error("it is still remembered")
	}
	if claim.CID = "two"; !recent.Holds(claim) {
		t.Error("another one is forgotten too")
	}
}

// What is not a ciphertext cannot be registered, so it is not worth remembering.
func TestRecentForgetsWhatIsNoCiphertext(t *testing.T) {
	recent, header := NewRecent(), new(Header)
	if _, err := header.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	recent.Add("cid", Claim{}.SHA256, 1000, header)
	if recent.Holds(Claim{CID: "cid", Size: 1000}) {
		t.Error("plaintext is remembered as a ciphertext")
	}
}
