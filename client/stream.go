package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/pie-consortium/pie/client/internal/reading"
	"github.com/pie-consortium/pie/internal/input"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// NewReadings are readings to be appended to a stream that its patient authorised.
type NewReadings struct {
	Patient  ledger.UserID // from the patient themselves, as at a desk
	Stream   ledger.ID
	Metadata ledger.Metadata // of the stream, used with the first readings; class and salt are set here
	Files    []string        // paths of newline-delimited JSON, one reading a line
}

// Appended says what was appended, by this attempt and by the one before that it finished.
type Appended struct {
	Stream       ledger.ID `json:"stream"`
	Segments     int       `json:"segments"`
	Readings     int       `json:"readings"`
	Transactions int       `json:"transactions"`
}

// Append encrypts readings and appends them to a stream, many with one transaction. What
// has been appended from a file before is known by the file's content and passed over,
// so that a repeat after a crash, or with files that have grown, appends each reading once.
func (c *Client) Append(ctx context.Context, n NewReadings) (Appended, error) {
	n.Metadata.Class, n.Metadata.Salt = ledger.ClassSensor, ledger.NewSalt()
	if err := errors.Join(n.Stream.Validate(), n.Metadata.Validate()); err != nil {
		return Appended{}, err
	}
	if err := checkReadings(n.Files); err != nil {
		return Appended{}, err
	}
	unlock, err := c.home.Lock(path.Join("streams", string(n.Stream)+".lock"))
	if err != nil {
		return Appended{}, err
	}
	defer unlock()
	a, err := c.beginAppending(ctx, n)
	if err != nil {
		return Appended{}, err
	}
	if err := a.finish(ctx); err != nil {
		return a.done, err
	}
	for _, file := range n.Files {
		if err := a.appendFile(ctx, file); err != nil {
			return a.done, fmt.Errorf("%s: %w", file, err)
		}
	}
	return a.done, a.register(ctx)
}

// checkReadings reads the files through before anything is sent.
func checkReadings(files []string) error {
	for _, name := range files {
		err := cutFile(name, nil, func(reading.Piece) error { return nil })
		if err != nil {
			return fault.New(fault.InvalidArgument, "%s: %v", name, err)
		}
	}
	return nil
}

// cutFile hands on the pieces of a file behind the marks.
func cutFile(name string, marks []reading.Mark, take func(reading.Piece) error) error {
	file, err := input.OpenGrowing(name)
	if err != nil {
		return err
	}
	defer file.Close()
	cutter, err := reading.After(marks, file)
	if err != nil {
		return err
	}
	for {
		piece, err := cutter.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := take(piece); err != nil {
			return err
		}
	}
}

// streamJournal is how far a stream has been appended to from this device. Segments are
// noted before they are submitted, so that a repeat after a crash registers these again
// and no others.
type streamJournal struct {
	Metadata ledger.Metadata  `json:"metadata"`
	Next     int              `json:"next"`              // number of the next segment
	Read     []reading.Mark   `json:"read"`              // how far files have been appended
	Pending  []ledger.Segment `json:"pending,omitempty"` // sent, and registered or not
	Reading  []reading.Mark   `json:"reading,omitempty"` // what Read becomes with them
}

func streamJournalName(stream ledger.ID) string { return path.Join("streams", string(stream)+".json") }

// appending is one attempt to append to a stream.
type appending struct {
	c       *Client
	slot    ledger.Slot
	from    *gateway // who told of the upload
	journal streamJournal
	batch   []ledger.Segment // sent and not yet registered
	read    []reading.Mark   // how far files will have been appended with the batch
	done    Appended
}

func (c *Client) beginAppending(ctx context.Context, n NewReadings) (*appending, error) {
	slot, from, err := c.authorization(ctx, n.Stream)
	if err != nil {
		return nil, err
	}
	if slot.Record != n.Stream || !slot.Author.Includes(c.identity) {
		return nil, altered(from.name(), "asked for the authorisation of stream %s, it told of another one", n.Stream)
	}
	if slot.Patient != n.Patient {
		return nil, fault.New(fault.PermissionDenied, "stream %s was authorised by %s, not by %s", n.Stream, slot.Patient, n.Patient)
	}
	if !slot.Stream {
		return nil, fault.New(fault.InvalidArgument, "record %s is not a stream; upload to it with: pie record upload", n.Stream)
	}
	a := &appending{c: c, slot: slot, from: from, done: Appended{Stream: n.Stream}}
	a.journal = streamJournal{Next: 1, Metadata: n.Metadata}
	if c.home.Has(streamJournalName(n.Stream)) {
		err = c.home.ReadJSON(streamJournalName(n.Stream), &a.journal)
	} else if slot.Used {
		err = a.renumber(ctx)
	}
	a.read = slices.Clone(a.journal.Read)
	return a, err
}

// renumber goes on behind what the ledger has, whoever appended it.
func (a *appending) renumber(ctx context.Context) error {
	segments, _, err := a.c.Segments(ctx, a.slot.Record)
	a.journal.Next = len(segments) + 1
	return err
}

// finish registers what an earlier attempt had sent. What cannot be registered any more
// is to be sent again.
func (a *appending) finish(ctx context.Context) error {
	if len(a.journal.Pending) == 0 {
		return nil
	}
	a.batch, a.read = a.journal.Pending, a.journal.Reading
	err := a.submit(ctx)
	taken := fault.CodeOf(err) == fault.AlreadyExists
	if !taken && !contentLost(err) {
		return err
	}
	if taken {
		if err := a.renumber(ctx); err != nil {
			return err
		}
	}
	a.journal.Pending, a.journal.Reading = nil, nil
	if err := a.save(); err != nil {
		return err
	}
	return fmt.Errorf("what was sent before cannot be registered any more; append the same files again: %w", err)
}

func (a *appending) save() error {
	return a.c.home.WriteJSON(streamJournalName(a.slot.Record), a.journal)
}

func (a *appending) appendFile(ctx context.Context, name string) error {
	var last reading.Mark // of the file, within the batch
	return cutFile(name, a.read, func(piece reading.Piece) error {
		segment, err := a.send(ctx, piece)
		if err != nil {
			return err
		}
		a.batch = append(a.batch, segment)
		a.read = append(slices.DeleteFunc(a.read, func(m reading.Mark) bool { return m == last }), piece.Until)
		last = piece.Until
		if len(a.batch) < ledger.MaxSegments {
			return nil
		}
		last = reading.Mark{}
		return a.register(ctx)
	})
}

// send encrypts a piece and puts the ciphertext on IPFS.
func (a *appending) send(ctx context.Context, piece reading.Piece) (ledger.Segment, error) {
	s, err := a.c.sendInto(ctx, toldSlot{a.slot, a.from}, bytes.NewReader(piece.Text))
	return ledger.Segment{
		Number: a.journal.Next + len(a.batch), CID: s.CID, SHA256: s.SHA256, Size: s.Size, Capsule: s.Capsule,
		Commitment: s.Commitment, Readings: piece.Count, From: piece.First, To: piece.Last,
	}, err
}

// register notes the batch and submits it.
func (a *appending) register(ctx context.Context) error {
	if len(a.batch) == 0 {
		return nil
	}
	a.journal.Pending, a.journal.Reading = a.batch, a.read
	if err := a.save(); err != nil {
		return err
	}
	return a.submit(ctx)
}

// submit registers the batch and notes that it did.
func (a *appending) submit(ctx context.Context) error {
	first, last := a.batch[0], a.batch[len(a.batch)-1]
	a.c.step("registering segments %d to %d", first.Number, last.Number)
	wanted := change{name: ledger.TxAppendSegments, arguments: ledger.AppendSegments{Stream: a.slot.Record, Segments: a.batch}}
	if first.Number == 1 {
		wanted.private = transient{ledger.TransientMetadata: a.journal.Metadata}
	}
	if _, _, err := submit[ledger.Record](ctx, a.c, wanted); err != nil {
		return err
	}
	a.done.Transactions++
	for _, segment := range a.batch {
		a.done.Segments++
		a.done.Readings += segment.Readings
	}
	a.journal.Next, a.journal.Read = last.Number+1, slices.Clone(a.read)
	a.journal.Pending, a.journal.Reading, a.batch = nil, nil, nil
	return a.save()
}
