package client

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"filippo.io/age"

	"github.com/pie-consortium/pie/client/internal/emr"
	"github.com/pie-consortium/pie/client/internal/reading"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// Span is a span of time: at or after From, before To. A zero end is open.
type Span = reading.Span

// OpenedStream says what of a stream was opened and on whose word.
type OpenedStream struct {
	Opened
	Segments int `json:"segments"` // that were opened
	Readings int `json:"readings"` // that were written
}

// OpenStream opens a stream's readings of a span of time, and writes them to path, a line
// each and in the order in which they were appended, once everything about them has been
// verified. Everybody but the patient needs a grant, and leaves one audit entry.
func (c *Client) OpenStream(ctx context.Context, stream ledger.ID, span Span, path string) (OpenedStream, error) {
	return c.openStream(ctx, stream, span, saveAt(path))
}

// OpenStreamTo is [Client.OpenStream] to a writer, which gets nothing before everything
// has been verified.
func (c *Client) OpenStreamTo(ctx context.Context, stream ledger.ID, span Span, w io.Writer) (OpenedStream, error) {
	return c.openStream(ctx, stream, span, writeTo(w))
}

func (c *Client) openStream(ctx context.Context, stream ledger.ID, span Span, keep keeping) (OpenedStream, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.step("asking the hospitals about stream %s", stream)
	a, err := c.agreeOnStream(ctx, stream)
	if err != nil {
		return OpenedStream{}, err
	}
	opened := OpenedStream{Opened: Opened{Record: a.RecordView, Altered: a.altered}}
	segments, alterations, err := c.segments(ctx, ledger.RecordVersion{Record: stream, Version: a.Version})
	opened.Altered = append(opened.Altered, alterations...)
	if err != nil {
		return opened, err
	}
	segments = slices.DeleteFunc(segments, func(s ledger.Segment) bool { return !span.Meets(s.From, s.To) })
	if len(segments) == 0 {
		return opened, fault.New(fault.NotFound, "stream %s has no readings of that time", stream)
	}
	o := opening{agreed: a, segments: segments}
	identities, err := c.identitiesFor(ctx, &o, nil, &opened.Opened)
	if err != nil {
		return opened, err
	}
	opened.Segments = len(segments)
	size, alterations, err := keep(func(file *os.File) (int64, []*AlteredError, error) {
		return c.fetchSegments(ctx, o.locked(identities), span, file, &opened)
	})
	opened.Size, opened.Altered = size, append(opened.Altered, alterations...)
	return opened, makerAltered(a.Record, err)
}

// locked are the contents of a stream's opening, with what decrypts each.
func (o opening) locked(identities []age.Identity) []lockedSegment {
	var all []lockedSegment
	for i, s := range o.segments {
		record := o.Record
		record.CID, record.SHA256, record.Size, record.Capsule, record.Commitment = s.CID, s.SHA256, s.Size, s.Capsule, s.Commitment
		all = append(all, lockedSegment{locked{Record: record, segment: s.Number, identity: identities[i]}, s})
	}
	return all
}

// lockedSegment is a segment's ciphertext and what its author said is in it.
type lockedSegment struct {
	locked
	said ledger.Segment
}

// fetchSegments writes the segments' readings of a span one behind the other. While one
// is decrypted, the next is on its way.
func (c *Client) fetchSegments(ctx context.Context, segments []lockedSegment, span Span, file *os.File, opened *OpenedStream) (int64, []*AlteredError, error) {
	var size int64
	var alterations []*AlteredError
	ahead := c.orderAhead(ctx, segments[0].locked)
	for i, s := range segments {
		s.ahead = ahead
		if i+1 < len(segments) {
			ahead = c.orderAhead(ctx, segments[i+1].locked)
		}
		sieve, more, err := c.fetchSegment(ctx, s, span, func() (io.Writer, error) {
			_, err := file.Seek(size, io.SeekStart)
			if err == nil {
				err = file.Truncate(size)
			}
			return file, err
		})
		alterations = append(alterations, more...)
		if err != nil {
			return 0, alterations, fmt.Errorf("segment %d of stream %s: %w", s.segment, s.ID, err)
		}
		size += sieve.Bytes
		opened.Readings += sieve.Passed
	}
	return size, alterations, nil
}

// fetchSegment is fetch for readings, which have to be as many and from when the author
// said.
func (c *Client) fetchSegment(ctx context.Context, s lockedSegment, span Span, target func() (io.Writer, error)) (*reading.Sieve, []*AlteredError, error) {
	var sieve *reading.Sieve
	_, alterations, err := c.fetch(ctx, s.locked, func() (io.Writer, error) {
		w, err := target()
		sieve = reading.NewSieve(w, span)
		return sieve, err
	})
	if err != nil {
		return nil, alterations, err
	}
	if sieve.Bad > 0 || !sieve.Ended() || sieve.Count != s.said.Readings || !sieve.First.Equal(s.said.From) || !sieve.Last.Equal(s.said.To) {
		return nil, alterations, fmt.Errorf("%w: its readings are not as many as it says, or not of that time", emr.ErrNotRegistered)
	}
	return sieve, alterations, nil
}
