package webhook

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/pie-consortium/pie/internal/durable"
)

// placeFile keeps one line about how far a receiver has come.
type placeFile string

// read returns "" before the first write.
func (f placeFile) read() (string, error) {
	text, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}

// write replaces the file as a whole; after a crash it is the old one or the new one.
func (f placeFile) write(place string) error {
	return durable.Write(string(f), []byte(place+"\n"), 0o600)
}
