package client

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"filippo.io/age"

	"github.com/pie-consortium/pie/client/internal/asyncwriter"
	"github.com/pie-consortium/pie/client/internal/cid"
	"github.com/pie-consortium/pie/client/internal/emr"
	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/internal/durable"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// locked is a registered ciphertext and what opens it. Of a segment of a stream, the
// record has that segment's content.
type locked struct {
	ledger.Record
	segment  int  // number; zero: the record's own content
	payload  bool // what the commitment is over is wanted, the random bytes with the EMR
	identity age.Identity
	ahead    <-chan delivery // what the user's own gateway delivers meanwhile; nil when it was not asked
}

// delivery is a content that a gateway has begun to deliver.
type delivery struct {
	from     *gateway
	response *http.Response
	err      error
	cancel   context.CancelFunc
}

// order asks a gateway for a content. The caller ends the delivery.
func order(ctx context.Context, g *gateway, l locked) delivery {
	d := delivery{from: g}
	ctx, d.cancel = context.WithCancel(ctx)
	d.response, d.err = g.api.ReadContent(ctx, l.ID, l.Version, &api.ReadContentParams{Segment: optional(l.segment)})
	return d
}

// end lets the delivery go, however far it came.
func (d delivery) end() {
	d.cancel()
	if d.response != nil {
		d.response.Body.Close()
	}
}

// orderAhead has the user's own gateway begin to deliver while the caller does something else.
// The delivery ends with ctx at the latest.
func (c *Client) orderAhead(ctx context.Context, l locked) <-chan delivery {
	ahead := make(chan delivery, 1)
	go func() {
		ahead <- order(ctx, c.inOrder()[0], l)
		close(ahead) // it is delivered once
	}()
	return ahead
}

// from is the delivery of the gateway, ordered ahead if that went well.
func (l locked) from(ctx context.Context, g *gateway) delivery {
	if l.ahead != nil {
		d, waiting := <-l.ahead
		if waiting && d.from == g && d.err == nil && d.response.StatusCode == http.StatusOK {
			return d
		}
		if waiting {
			d.end()
		}
	}
	return order(ctx, g, l)
}

// openingFile begins the names of files that hold what is being opened until it has been
// verified.
const openingFile = ".opening-"

// filling writes what was opened to a file, and says its length and what was altered.
type filling func(file *os.File) (int64, []*AlteredError, error)

// keeping has a file filled and puts what is in it where it belongs.
type keeping func(fill filling) (int64, []*AlteredError, error)

// saveAt keeps what was opened at path. Nothing stands there before everything has been
// verified.
func saveAt(path string) keeping {
	return func(fill filling) (int64, []*AlteredError, error) { return save(path, fill) }
}

// writeTo is saveAt for a stream: it gets what has been verified.
func writeTo(w io.Writer) keeping {
	return func(fill filling) (int64, []*AlteredError, error) { return write(w, fill) }
}

func save(path string, fill filling) (int64, []*AlteredError, error) {
	if err := durable.Replaceable(path); err != nil {
		return 0, nil, err
	}
	if err := removeAbandoned(filepath.Dir(path), time.Now().Add(-time.Hour)); err != nil {
		return 0, nil, err
	}
	file, err := os.CreateTemp(filepath.Dir(path), openingFile+"*") // mode 0600
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = os.Remove(file.Name()) }() // gone already when all went well
	size, alterations, err := fill(file)
	if err := errors.Join(err, file.Close()); err != nil { // not synced: what was opened can be opened again
		return 0, alterations, err
	}
	return size, alterations, os.Rename(file.Name(), path)
}

// removeAbandoned removes what a device that died had of this user's opened records in a
// directory, unless it was written to since: another opening may be going on.
func removeAbandoned(dir string, since time.Time) error {
	entries, _ := os.ReadDir(dir) // where that fails there is nothing to be done, and creating a file says why
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || !strings.HasPrefix(entry.Name(), openingFile) || info.ModTime().After(since) {
			continue
		}
		if owner, known := info.Sys().(*syscall.Stat_t); !known || int(owner.Uid) != os.Getuid() {
			continue
		}
		if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what is left of an interrupted opening: %w", err)
		}
	}
	return nil
}

// write keeps what is not verified yet in a file without a name, which goes with the
// process whatever becomes of it.
func write(w io.Writer, fill filling) (int64, []*AlteredError, error) {
	file, err := os.CreateTemp("", openingFile+"*")
	if err != nil {
		return 0, nil, err
	}
	defer file.Close()
	if err := os.Remove(file.Name()); err != nil {
		return 0, nil, err
	}
	size, alterations, err := fill(file)
	if err != nil {
		return 0, alterations, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return 0, alterations, err
	}
	_, err = io.Copy(w, file)
	return size, alterations, err
}

func (c *Client) fetchInto(ctx context.Context, record locked, file *os.File) (int64, []*AlteredError, error) {
	return c.fetch(ctx, record, func() (io.Writer, error) {
		_, err := file.Seek(0, io.SeekStart)
		return file, errors.Join(err, file.Truncate(0))
	})
}

// fetch downloads and decrypts from the user's own gateway, or from the next when that has or
// knows nothing, or has other content than the registered one: it says who delivered
// that. Each attempt writes to a target of its own, which holds unverified bytes until
// fetch returns without an error.
func (c *Client) fetch(ctx context.Context, record locked, target func() (io.Writer, error)) (int64, []*AlteredError, error) {
	var first error
	var alterations []*AlteredError
	for _, g := range c.inOrder() {
		c.step("downloading and decrypting from %s", g.msp)
		w, err := target()
		if err != nil {
			return 0, alterations, err
		}
		size, err := download(ctx, g, record, w)
		var alteration *AlteredError
		switch {
		case errors.As(err, &alteration):
			alterations = append(alterations, alteration)
		case err == nil || !elsewhere(err):
			return size, alterations, err
		}
		if first == nil {
			first = err
		}
	}
	return 0, alterations, first
}

// download takes the content from one gateway and says who is at fault when it is not
// what the ledger holds.
func download(ctx context.Context, g *gateway, record locked, w io.Writer) (int64, error) {
	var size int64
	var errOpen error
	digest, err := record.from(ctx, g).receive(ctx, record.Size, func(stream *bufio.Reader) {
		size, errOpen = record.open(stream, w)
	})
	if err != nil {
		return 0, err
	}
	if digest != record.SHA256 {
		return 0, otherContent(ctx, g, record)
	}
	return size, errOpen
}

func (l locked) open(ciphertext *bufio.Reader, w io.Writer) (int64, error) {
	if l.payload {
		return emr.OpenPayload(ciphertext, l.Record, l.identity, w)
	}
	return emr.Open(ciphertext, l.Record, l.identity, w)
}

// receive has the content read, as far as read wants to, and returns the SHA-256 of all
// of it, or of one byte more than the size when it is longer. It ends the delivery.
func (d delivery) receive(ctx context.Context, size int64, read func(*bufio.Reader)) (ledger.Digest, error) {
	defer d.end()
	if d.err != nil {
		return ledger.Digest{}, d.from.silent(ctx, d.err)
	}
	if d.response.StatusCode != http.StatusOK {
		return ledger.Digest{}, d.from.problem(d.response)
	}
	wire := newIdleReader(d.cancel).through(io.LimitReader(d.response.Body, size+1))
	hash := sha256.New()
	hashing := asyncwriter.New(hash)
	stream := bufio.NewReader(io.TeeReader(wire, hashing))
	read(stream)
	_, err := io.Copy(io.Discard, stream)
	if err := errors.Join(err, hashing.Close()); err != nil || wire.err != nil {
		return ledger.Digest{}, d.from.silent(ctx, errors.Join(err, wire.err))
	}
	return ledger.Digest(hash.Sum(nil)), nil
}

// otherContent says who is at fault for content whose SHA-256 is not the registered one:
// who registered it, when it is what the CID there names, else the gateway. It has the
// content delivered again, so that nobody need compute a CID for nothing.
func otherContent(ctx context.Context, g *gateway, record locked) error {
	var name string
	var errName error
	digest, err := order(ctx, g, record).receive(ctx, record.Size, func(stream *bufio.Reader) {
		name, errName = cid.Of(stream)
	})
	if errors.Join(err, errName) == nil && name == record.CID && digest != record.SHA256 {
		return fmt.Errorf("%w: its CID and its SHA-256 are of different contents", emr.ErrNotRegistered)
	}
	return altered(g.name(), "the content it delivered for record %s is not the registered one", record.ID)
}

// makerAltered turns emr.ErrNotRegistered into the blame it stands for.
func makerAltered(record ledger.Record, err error) error {
	if errors.Is(err, emr.ErrNotRegistered) {
		return &AlteredError{Code: fault.Altered, Who: maker(record), What: err.Error()}
	}
	return err
}

// makerAltered is [makerLied] of an opening: under an emergency grant the file key that does
// not open may be the custodian's as well.
func (o opening) makerAltered(err error) error {
	blamed := makerAltered(o.Record, err)
	var alteration *AlteredError
	if o.grant.OneTimeKey == nil || !errors.As(blamed, &alteration) || !errors.Is(err, emr.ErrNotRegistered) {
		return blamed
	}
	return &AlteredError{Code: alteration.Code, Who: "the custodian " + o.grant.Issuer.String() + " or " + alteration.Who, What: alteration.What}
}

// maker names who encrypted a record version: the author the first one, the patient those
// that took its place.
func maker(record ledger.Record) string {
	if record.Version > firstVersion {
		return "the patient " + record.Patient.String()
	}
	return "the author " + record.Author.String()
}
