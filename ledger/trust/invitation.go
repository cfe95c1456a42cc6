package trust

import (
	"fmt"
	"io"
	"os"

	"github.com/pie-consortium/pie/internal/input"
	"github.com/pie-consortium/pie/ledger/fault"
)

// Invitation is what hospital IT hands to a new user, as at a desk: the enrolment
// secret, the professional card, and the trust bundle. It is a secret until used.
type Invitation struct {
	MSP       string `json:"msp"`
	Pseudonym string `json:"pseudonym"`
	Secret    string `json:"secret"`
	Card      string `json:"card,omitempty"` // JWS
	Gateway   string `json:"gateway"`        // base URL of the hospital's own
	Bundle    Bundle `json:"bundle"`
}

// LoadInvitation reads an invitation; the file must be readable by its owner only.
func LoadInvitation(path string) (*Invitation, error) {
	text, err := ReadSecretText(path)
	if err != nil {
		return nil, fmt.Errorf("invitation: %w", err)
	}
	var invitation Invitation
	err = input.JSON(path, text, &invitation)
	if fault.CodeOf(err) == fault.InvalidArgument {
		return nil, fmt.Errorf("invitation: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("invitation %s: it is not a file that `pie-network invite` wrote", path)
	}
	return &invitation, nil
}

// ReadSecretFile reads a file that nobody but its owner may read.
func ReadSecretFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s is readable by others; run: chmod 600 %s", path, path)
	}
	return io.ReadAll(file)
}

// ReadSecretText reads a text that nobody but its owner may read, as Windows' tools write
// it too; whoever looks at it sees no mark at its beginning.
func ReadSecretText(path string) ([]byte, error) {
	text, err := ReadSecretFile(path)
	if err != nil {
		return nil, err
	}
	return input.Named(path, text)
}
