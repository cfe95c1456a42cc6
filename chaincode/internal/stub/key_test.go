package stub

import (
	"testing"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"pgregory.net/rapid"

	"github.com/pie-consortium/pie/chaincode/rules/state"
)

// Composite keys are those of Fabric, and refused where Fabric refuses them.
func TestKeysAreFabrics(t *testing.T) {
	part := rapid.OneOf(
		rapid.String(), rapid.StringMatching(`[a-z0-9/]{0,20}`),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 8), func(b []byte) string { return string(b) }),
		rapid.SampledFrom([]string{"", "\x00", "a\x00b", "\U0010FFFF", "x\U0010FFFF", "\xff"}),
	)
	rapid.Check(t, func(t *rapid.T) {
		name, parts := part.Draw(t, "name"), rapid.SliceOfN(part, 0, 5).Draw(t, "parts")
		got, err := state.Key(name, parts)
		want, errWant := shim.CreateCompositeKey(name, parts)
		if (err == nil) != (errWant == nil) || errWant == nil && got != want {
			t.Errorf("%q of %q: got %q, %v, want %q, %v", parts, name, got, err, want, errWant)
		}
	})
}
