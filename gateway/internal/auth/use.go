package auth

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/pie-consortium/pie/ledger"
)

// use is that of one assertion. Neither names in clear who asked.
type use struct {
	owner owner
	id    [16]byte
}

// owner is a user, digested.
type owner [16]byte

func useOf(user ledger.UserID, id string) use {
	return use{owner(digest(user.String())), digest(user.String() + " " + id)}
}

func digest(text string) (short [16]byte) {
	full := sha256.Sum256([]byte(text))
	copy(short[:], full[:])
	return short
}

// line is a use in the file: until when it is remembered, in seconds, whose, and which.
func (u use) line(until int64) string { return fmt.Sprintf("%010d %x %x\n", until, u.owner, u.id) }

func formatUses(uses map[use]int64) []byte {
	var text bytes.Buffer
	for u, until := range uses {
		text.WriteString(u.line(until))
	}
	return text.Bytes()
}

// parseUses reads the lines of a file, also those after one that is damaged, which it
// reports. A last line without an end was never acknowledged, and is none.
func parseUses(text []byte) (map[use]int64, error) {
	uses := map[use]int64{}
	var damage error
	for number := 1; len(text) > 0; number++ {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		text = rest
		if !whole {
			break
		}
		u, until, err := parseUse(string(line))
		if err != nil {
			damage = fmt.Errorf("line %d is damaged", number)
			continue
		}
		uses[u] = max(uses[u], until)
	}
	return uses, damage
}

func parseUse(line string) (use, int64, error) {
	var (
		u         use
		until     int64
		owner, id []byte
	)
	if _, err := fmt.Sscanf(line, "%d %x %x", &until, &owner, &id); err != nil {
		return u, 0, err
	}
	copy(u.owner[:], owner)
	copy(u.id[:], id)
	if u.line(until) != line+"\n" {
		return u, 0, fmt.Errorf("%d bytes", len(line))
	}
	return u, until, nil
}
