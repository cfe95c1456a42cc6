package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/pie-consortium/pie/gateway/internal/auth"
	"github.com/pie-consortium/pie/ledger"
)

const (
	// maxStreams are followed at the same time, maxStreamsEach by one user.
	maxStreams, maxStreamsEach = 2048, 8
	// beat is the longest that a stream says nothing.
	beat = 15 * time.Second
	// overdueInterval is how often a privacy officer's overdue reviews are looked for.
	overdueInterval = time.Minute
)

// StreamEvents tells the caller what concerns them, as it happens.
func (a *API) StreamEvents(ctx context.Context, request StreamEventsRequestObject) (StreamEventsResponseObject, error) {
	call, ok := ctx.(*gin.Context)
	if !ok {
		return nil, fmt.Errorf("the context of a request is a %T", ctx)
	}
	s := &stream{api: a, ctx: ctx, reader: holderOf(ctx), beat: time.NewTicker(a.beat)}
	var err error
	if s.at, err = a.Events.Newest(ctx); err == nil && optional(request.Params.LastEventID) != "" {
		s.at, err = ledger.ParseEventID(*request.Params.LastEventID)
	}
	if err != nil {
		return nil, err
	}
	if s.leave, ok = a.streams.Enter(s.reader.User.String()); !ok {
		return nil, busy("event streams")
	}
	call.Header("Cache-Control", "no-store")
	call.Header("X-Accel-Buffering", "no") // nginx would gather messages until they fill a page
	s.rest()
	if err := s.remind(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return StreamEvents200TextEventStreamResponse{Body: s}, nil
}

// stream is the messages for one reader, made as they are read. It ends when the token
// does, whatever the reason.
type stream struct {
	api    *API
	ctx    context.Context // of the request
	reader auth.Holder
	at     ledger.EventID
	looked time.Time      // for overdue reviews
	told   ledger.Overdue // the last of them that was told
	beat   *time.Ticker
	leave  func()
	buffer bytes.Buffer
}

// Close gives the place back.
func (s *stream) Close() error {
	s.beat.Stop()
	s.leave()
	return nil
}

// Read waits until there is something to say.
func (s *stream) Read(p []byte) (int, error) {
	for s.buffer.Len() == 0 {
		batch, err := s.api.Events.AfterFor(s.ctx, s.reader.User, s.at)
		if err != nil {
			return 0, err
		}
		if s.api.Authority.Holds(s.ctx, s.reader) != nil {
			return 0, io.EOF
		}
		if err := s.tell(batch.Notices); err != nil {
			return 0, err
		}
		s.at = batch.Until
		if err := s.wait(batch.More); err != nil {
			return 0, err
		}
	}
	if errors.Join(s.api.Authority.InTime(s.reader), s.api.Authority.Holds(s.ctx, s.reader)) != nil {
		return 0, io.EOF
	}
	return s.buffer.Read(p)
}

// tell writes messages of what concerns the reader.
func (s *stream) tell(notices []ledger.Notice) error {
	for _, notice := range notices {
		if !notice.Concerns(s.reader.Identity) {
			continue
		}
		fmt.Fprintf(&s.buffer, "id: %s\n", notice.ID)
		if err := s.write(notice); err != nil {
			return err
		}
	}
	return nil
}

func (s *stream) write(notice ledger.Notice) error {
	data, err := json.Marshal(notice.For(s.reader.User))
	fmt.Fprintf(&s.buffer, "event: %s\ndata: %s\n\n", notice.Name, data)
	return err
}

// remind tells a privacy officer of reviews that have become overdue.
func (s *stream) remind() error {
	now := s.api.Now()
	if s.reader.Role != ledger.RolePrivacyOfficer || now.Sub(s.looked) < overdueInterval {
		return nil
	}
	s.looked = now
	owed, err := s.api.Owed(s.ctx, s.reader.Identity)
	if err != nil {
		return err
	}
	msp := s.reader.User.MSP
	for _, d := range ledger.OverdueAfter(s.told, owed, msp, now) {
		s.told = d.Overdue(msp)
		if err := s.write(d.Reminder()); err != nil {
			return err
		}
	}
	return nil
}

// wait returns when there may be more, or it is time to say that there is nothing. It does
// not wait when there is something to say.
func (s *stream) wait(more <-chan struct{}) error {
	if s.buffer.Len() > 0 {
		return nil
	}
	select {
	case <-s.beat.C:
		s.rest()
		return s.remind()
	case <-s.ctx.Done():
		return s.ctx.Err()
	case <-s.api.Events.Ended():
		return io.EOF
	case <-more:
	}
	return nil
}

// rest says how far the stream is, without a message.
func (s *stream) rest() { fmt.Fprintf(&s.buffer, ":\nid: %s\n\n", s.at) }
