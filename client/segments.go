package client

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// Segments lists a stream's segments in order, as a majority of the hospitals tells them.
// Gateways that told of others are blamed.
func (c *Client) Segments(ctx context.Context, stream ledger.ID) ([]ledger.Segment, []*AlteredError, error) {
	a, err := c.agreeOnStream(ctx, stream)
	if err != nil {
		return nil, nil, err
	}
	segments, alterations, err := c.segments(ctx, ledger.RecordVersion{Record: stream, Version: a.Version})
	return segments, append(a.altered, alterations...), err
}

// agreeOnStream is agree for a record that has to be a stream.
func (c *Client) agreeOnStream(ctx context.Context, stream ledger.ID) (agreed, error) {
	a, err := c.agree(ctx, stream, 0)
	if err == nil && !a.Stream {
		err = fault.New(fault.InvalidArgument, "record %s is not a stream; open it with: pie record open %s", stream, stream)
	}
	return a, err
}

// segments asks one gateway of each member, so that one alone can neither make up nor
// hide a segment. Some may be a block behind the others: they are asked again.
func (c *Client) segments(ctx context.Context, v ledger.RecordVersion) (settled []ledger.Segment, alterations []*AlteredError, err error) {
	err = repeat(ctx, lags, func() error {
		lists := c.toldSegments(ctx, v)
		if answered(lists) < ledger.Threshold(len(c.members())) {
			return undecided(question[[]ledger.Segment]{name: "stream " + string(v.Record)}, lists, c.members())
		}
		settled, alterations = settle(lists, ledger.Threshold(len(c.members())))
		for _, list := range lists {
			if len(list.value) > len(settled) {
				return fault.New(fault.NotFound, "the hospitals do not all know of segment %d yet", len(settled)+1)
			}
		}
		return nil
	})
	if lags(err) && settled != nil {
		err = nil // what too few know of is left out
	}
	return settled, alterations, err
}

// toldSegments are the lists of one gateway of each member. Who is slow does not hold up
// a majority for long.
func (c *Client) toldSegments(ctx context.Context, v ledger.RecordVersion) []answer[[]ledger.Segment] {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	first := c.inOrder()[0]
	members := append(c.others(first), first)
	answers := make(chan answer[[]ledger.Segment], len(members))
	for _, g := range members {
		go func() {
			rows, err := listAt[ledger.Segment](ctx, g, func(ctx context.Context, g *gateway, page ledger.Page) (*http.Response, error) {
				return g.api.ListSegments(ctx, v.Record, v.Version, &api.ListSegmentsParams{Limit: &page.Limit, Bookmark: optional(page.Bookmark)})
			})
			answers <- answer[[]ledger.Segment]{by: g, value: rows, err: err}
		}()
	}
	var lists []answer[[]ledger.Segment]
	var late <-chan time.Time
	for len(lists) < len(members) {
		select {
		case answer := <-answers:
			lists = append(lists, answer)
		case <-late:
			return lists
		}
		if late == nil && answered(lists) >= ledger.Threshold(len(c.members())) {
			late = time.After(grace)
		}
	}
	return lists
}

func answered[T any](words []answer[T]) int {
	count := 0
	for _, w := range words {
		if w.err == nil {
			count++
		}
	}
	return count
}

// settle goes along the lists as long as enough of them tell the same segment. Those that
// tell another one are blamed; those that end early may only be behind.
func settle(lists []answer[[]ledger.Segment], threshold int) ([]ledger.Segment, []*AlteredError) {
	settled, differing := []ledger.Segment{}, map[*gateway]*AlteredError{}
	for i := 0; ; i++ {
		segment, found := majorityAt(lists, i, threshold)
		if !found {
			break
		}
		settled = append(settled, segment)
		for _, list := range lists {
			if len(list.value) > i && !sameSegment(list.value[i], segment) && differing[list.by] == nil {
				differing[list.by] = altered(list.by.name(), "what it tells of segment %d differs from what the other hospitals tell", i+1)
			}
		}
	}
	var alterations []*AlteredError
	for _, list := range lists {
		if alteration := differing[list.by]; alteration != nil {
			alterations = append(alterations, alteration)
		}
	}
	return settled, alterations
}

// majorityAt is what enough lists have at a place, if that is the segment of that place.
func majorityAt(lists []answer[[]ledger.Segment], i, threshold int) (ledger.Segment, bool) {
	for _, candidate := range lists {
		if len(candidate.value) <= i || candidate.value[i].Number != i+1 {
			continue
		}
		count := 0
		for _, list := range lists {
			if len(list.value) > i && sameSegment(list.value[i], candidate.value[i]) {
				count++
			}
		}
		if count >= threshold {
			return candidate.value[i], true
		}
	}
	return ledger.Segment{}, false
}

func sameSegment(a, b ledger.Segment) bool {
	times := a.From.Equal(b.From) && a.To.Equal(b.To)
	capsules := bytes.Equal(a.Capsule, b.Capsule)
	return times && capsules && a.Number == b.Number && a.CID == b.CID && a.SHA256 == b.SHA256 &&
		a.Size == b.Size && a.Commitment == b.Commitment && a.Readings == b.Readings
}
