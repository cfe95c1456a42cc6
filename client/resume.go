package client

import (
	"crypto/sha256"
	"fmt"
	"io"
	"path"
	"path/filepath"

	"github.com/pie-consortium/pie/ledger"
)

// placesFolder remembers which record a file became, so that the same upload run again
// finishes what it began.
const placesFolder = "places"

// place is a file's record.
type place struct {
	Record ledger.ID `json:"record"`
}

// placeOf names the place of a file about a patient: by its path and its content, as two
// files may say the same of two occasions.
func (c *Client) placeOf(kind string, n NewRecord, file io.Reader) (string, error) {
	absolute, err := filepath.Abs(n.File)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	_, _ = fmt.Fprintf(hash, "%s %s %q\n", kind, n.Patient, absolute) // a hash takes everything
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x.json", hash.Sum(nil)), nil
}

// placed is the record that a file has become or is to become; empty when there is none.
func (c *Client) placed(name string) (ledger.ID, error) {
	if !c.home.Has(path.Join(placesFolder, name)) {
		return "", nil
	}
	var p place
	err := c.home.ReadJSON(path.Join(placesFolder, name), &p)
	return p.Record, err
}

func (c *Client) place(name string, record ledger.ID) error {
	return c.home.WriteJSON(path.Join(placesFolder, name), place{record})
}

// taken are the records that files of this device have become or are to become.
func (c *Client) taken() (map[ledger.ID]bool, error) {
	names, err := c.home.Names(placesFolder)
	if err != nil {
		return nil, err
	}
	taken := map[ledger.ID]bool{}
	for _, name := range names {
		record, err := c.placed(name)
		if err != nil {
			return nil, err
		}
		taken[record] = true
	}
	return taken, nil
}
