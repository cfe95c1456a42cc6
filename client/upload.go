package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path"
	"reflect"
	"slices"

	"github.com/pie-consortium/pie/client/internal/emr"
	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/internal/input"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/umbral"
)

// NewRecord is an EMR to be uploaded into a slot that its patient authorised.
type NewRecord struct {
	Patient  ledger.UserID // from the patient themselves, as at a desk
	Record   ledger.ID
	Metadata ledger.Metadata // the salt is added here
	File     string          // path
}

// journal is a registration that was begun. It is kept before it is submitted, so that
// a repeat after a crash registers the same and not another ciphertext.
type journal struct {
	Blind      []byte                `json:"blind"` // of the commitment, to know the same EMR by
	Arguments  ledger.RegisterRecord `json:"arguments"`
	Metadata   ledger.Metadata       `json:"metadata"`
	Unattended *unattended           `json:"unattended,omitempty"` // what else there is without the patient
}

// Upload encrypts a file to the key that the patient stated for the record, puts the
// ciphertext on IPFS and registers it. Repeated with the same file and metadata it has no
// further effect; what was begun with other metadata, or whose ciphertext has got lost,
// is begun anew while nothing is registered.
func (c *Client) Upload(ctx context.Context, n NewRecord) (ledger.Record, error) {
	file, err := input.Open(n.File)
	if err != nil {
		return ledger.Record{}, err
	}
	defer file.Close()
	return c.uploadFrom(ctx, n, file, c.beginAuthorized)
}

// beginning uploads the ciphertext and writes the journal.
type beginning func(ctx context.Context, n NewRecord, file io.ReadSeeker) (*journal, error)

// uploadFrom uploads what is read, not the file that n names.
func (c *Client) uploadFrom(ctx context.Context, n NewRecord, file io.ReadSeeker, begin beginning) (ledger.Record, error) {
	n.Metadata.Salt = ledger.NewSalt()
	if err := n.Metadata.Validate(); err != nil {
		return ledger.Record{}, err
	}
	if err := n.Record.Validate(); err != nil {
		return ledger.Record{}, err
	}
	entry, err := c.begun(n, file)
	if err != nil {
		return ledger.Record{}, err
	}
	var lost error
	if entry != nil {
		record, err := c.registerRecord(ctx, entry)
		if !contentLost(err) {
			return record, err
		}
		lost = err
	}
	if entry, err = begin(ctx, n, file); err != nil {
		// What there is to say about the record comes before that its content is gone.
		return ledger.Record{}, errors.Join(err, lost)
	}
	return c.registerRecord(ctx, entry)
}

func (c *Client) registerRecord(ctx context.Context, entry *journal) (ledger.Record, error) {
	c.step("registering record %s", entry.Arguments.Record)
	wanted := change{name: ledger.TxRegisterRecord, arguments: entry.Arguments, private: transient{ledger.TransientMetadata: entry.Metadata}}
	if entry.Unattended != nil {
		wanted = entry.Unattended.change(entry)
	}
	record, _, err := submit[ledger.Record](ctx, c, wanted)
	return record, err
}

// contentLost reports whether no gateway endorses a registration because those that
// answer do not have the content. Nothing has been ordered then.
func contentLost(err error) bool {
	var silence *silenceError
	return fault.CodeOf(err) == fault.ContentUnavailable || errors.As(err, &silence)
}

func journalName(record ledger.ID) string { return path.Join("uploads", string(record)+".json") }

// begun returns the journal of an earlier attempt with the same file and metadata, nil
// without one.
func (c *Client) begun(n NewRecord, file io.ReadSeeker) (*journal, error) {
	if !c.home.Has(journalName(n.Record)) {
		return nil, nil
	}
	var entry journal
	if err := c.home.ReadJSON(journalName(n.Record), &entry); err != nil {
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	commitment, err := emr.Commit(entry.Blind, file)
	if err != nil {
		return nil, err
	}
	if commitment != entry.Arguments.Commitment {
		return nil, fault.New(fault.AlreadyExists, "record %s was uploaded from another file; ask the patient for another slot", n.Record)
	}
	if !sameMetadata(n.Metadata, entry.Metadata) {
		return nil, nil
	}
	return &entry, nil
}

// sameMetadata compares what metadata says; salts are drawn for each attempt.
func sameMetadata(a, b ledger.Metadata) bool {
	codes := slices.Equal(a.Codes, b.Codes) // none and no list are the same
	a.Salt, a.Codes, b.Codes = b.Salt, nil, nil
	return codes && reflect.DeepEqual(a, b)
}

// beginAuthorized begins in a slot that a majority of the hospitals tells of.
func (c *Client) beginAuthorized(ctx context.Context, n NewRecord, file io.ReadSeeker) (*journal, error) {
	slot, from, err := c.authorization(ctx, n.Record)
	if err != nil {
		return nil, err
	}
	return c.beginIn(ctx, toldSlot{slot, from}, n, file)
}

// toldSlot is an authorisation and who told of it.
type toldSlot struct {
	ledger.Slot
	from *gateway
}

// beginIn begins in a slot, once it has turned out to be the right one.
func (c *Client) beginIn(ctx context.Context, slot toldSlot, n NewRecord, file io.ReadSeeker) (*journal, error) {
	if slot.Record != n.Record || !slot.Author.Includes(c.identity) {
		return nil, altered(slot.from.name(), "asked for the authorisation of record %s, it told of another one", n.Record)
	}
	if slot.Patient != n.Patient {
		return nil, fault.New(fault.PermissionDenied, "record %s was authorised by %s, not by %s", n.Record, slot.Patient, n.Patient)
	}
	if slot.Stream {
		return nil, fault.New(fault.InvalidArgument, "record %s is a stream; append to it with: pie stream append", n.Record)
	}
	if slot.Used {
		return nil, fault.New(fault.AlreadyExists, "record %s is registered, with other content or metadata or from another device; ask the patient for another slot", n.Record)
	}
	s, err := c.sendInto(ctx, slot, file)
	if err != nil {
		return nil, err
	}
	level := n.Metadata.Class.Level()
	if slot.Policy.Level.AtLeast(level) {
		level = slot.Policy.Level
	}
	entry := &journal{Blind: s.Blind, Metadata: n.Metadata, Arguments: registrationOf(n.Record, s, level)}
	return entry, c.home.WriteJSON(journalName(n.Record), entry)
}

// registrationOf is what the ledger is told of a ciphertext.
func registrationOf(record ledger.ID, s emr.Sealed, level ledger.Level) ledger.RegisterRecord {
	return ledger.RegisterRecord{
		Record: record, CID: s.CID, SHA256: s.SHA256, Size: s.Size, Capsule: s.Capsule,
		Commitment: s.Commitment, Level: level,
	}
}

// sendInto is send to the key that the patient stated for a slot.
func (c *Client) sendInto(ctx context.Context, slot toldSlot, file io.ReadSeeker) (emr.Sealed, error) {
	version := ledger.RecordVersion{Record: slot.Record, Version: firstVersion}
	key, err := c.recordKey(slot.RecordKey, slot.Patient, version, slot.from.name())
	if err != nil {
		return emr.Sealed{}, err
	}
	return c.send(ctx, c.beginningWith(slot.from), slot.Record, sealFile(file, key))
}

// send encrypts and uploads through the first gateway, or afresh through the next when
// that does not answer or its peer has not seen the authorisation yet.
func (c *Client) send(ctx context.Context, order []*gateway, record ledger.ID, seal sealing) (emr.Sealed, error) {
	var first error
	for _, g := range order {
		c.step("encrypting and uploading to %s", g.msp)
		s, err := sendTo(ctx, g, record, seal)
		if err == nil || !elsewhere(err) {
			return s, err
		}
		if first == nil {
			first = err
		}
	}
	return emr.Sealed{}, first
}

// sealing writes a ciphertext and says what it wrote.
type sealing func(w io.Writer) (emr.Sealed, error)

func sealFile(file io.ReadSeeker, key *umbral.PublicKey) sealing {
	return func(w io.Writer) (emr.Sealed, error) {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return emr.Sealed{}, err
		}
		return emr.Seal(w, file, key)
	}
}

// sendTo encrypts while it uploads, so that no ciphertext is ever kept here.
func sendTo(ctx context.Context, g *gateway, record ledger.ID, seal sealing) (emr.Sealed, error) {
	body, writer := io.Pipe()
	var s emr.Sealed
	done := make(chan error, 1)
	go func() {
		var err error
		s, err = seal(writer)
		writer.CloseWithError(err)
		done <- err
	}()
	stored, err := put(ctx, g, record, body)
	_ = body.Close() // ends the sealing, should the gateway have answered before its end
	errSeal := <-done
	switch {
	case errSeal != nil && !errors.Is(errSeal, io.ErrClosedPipe):
		return emr.Sealed{}, errSeal // so the upload broke off
	case err != nil:
		return emr.Sealed{}, err
	case errSeal != nil:
		return emr.Sealed{}, altered(g.name(), "it says that it stored what it did not read to the end")
	case stored.Cid != s.CID || stored.Sha256 != s.SHA256 || stored.Size != s.Size:
		return emr.Sealed{}, altered(g.name(), "it stored other content than was sent: %.80q, %d bytes", stored.Cid, stored.Size)
	}
	return s, nil
}

// put sends a ciphertext of unknown length.
func put(ctx context.Context, g *gateway, record ledger.ID, body io.Reader) (api.Content, error) {
	flowing, cancel := context.WithCancel(ctx)
	defer cancel()
	response, err := g.api.AddContentWithBody(flowing, record, "application/octet-stream", newIdleReader(cancel).through(body))
	if err != nil {
		return api.Content{}, g.silent(ctx, err)
	}
	defer response.Body.Close()
	return decodeAnswer[api.Content](g, response)
}

// authorization is what the patient authorised, as a majority of the hospitals tells it: one of
// them alone cannot have an EMR encrypted to a key of its own.
func (c *Client) authorization(ctx context.Context, record ledger.ID) (ledger.Slot, *gateway, error) {
	q, err := askQuorum(ctx, c, question[ledger.Slot]{
		name: "the authorisation of record " + string(record),
		read: func(ledger.Slot) request {
			return func(ctx context.Context, g *gateway) (*http.Response, error) { return g.api.ReadSlot(ctx, record) }
		},
		same: sameUpload,
	})
	if lags(err) {
		err = fault.New(fault.NotFound, "no patient has authorised record %s", record)
	}
	return q.value, q.from, err
}

// sameUpload compares what never changes.
func sameUpload(a, b ledger.Slot) bool {
	return a.Record == b.Record && a.Patient == b.Patient && a.Author == b.Author && a.Stream == b.Stream && a.IsSummary == b.IsSummary &&
		a.RecordKey == b.RecordKey && a.Grant == b.Grant
}
