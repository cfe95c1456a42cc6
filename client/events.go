package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

const (
	// silence is how long a gateway may say nothing; one that works says something every
	// 15 seconds.
	silence = 45 * time.Second
	// longestReturn is the longest pause before a stream is followed again.
	longestReturn = 10 * time.Second
	// lineLimit bounds one line of a message, in bytes, linesLimit how many it has.
	lineLimit, linesLimit = 256 << 10, 16
)

// Events hands what concerns the user to each, as it happens, until the context ends or
// each fails. It comes back after every interruption, at another hospital's gateway if need
// be, and tells nothing twice. It begins after the event of the ID, "0-0" for the ledger's
// beginning, or now when that is empty.
//
// A notice is one gateway's word, and a gateway may keep some back: it says that there is
// something to read, and what is read decides. [ledger.EventReviewOverdue] has no ID, and comes
// again after an interruption.
func (c *Client) Events(ctx context.Context, after string, each func(ledger.Notice) error) error {
	l := listener{client: c, each: each}
	if after != "" {
		at, err := ledger.ParseEventID(after)
		if err != nil {
			return err
		}
		l.at = &at
	}
	for pause := firstPause; ; pause = min(3*pause, longestReturn) {
		began := time.Now()
		err := l.listen(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !interrupted(err) {
			return err
		}
		if time.Since(began) > silence {
			pause = firstPause
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Wake gets something whenever there is an event of one of the names that concerns the user,
// until the context ends. Who waits by it looks by themselves now and then: a gateway may
// keep events back.
func (c *Client) Wake(ctx context.Context, names ...ledger.EventName) <-chan struct{} {
	wake := make(chan struct{}, 1)
	go func() {
		_ = c.Events(ctx, "", func(notice ledger.Notice) error {
			if !slices.Contains(names, notice.Name) {
				return nil
			}
			select {
			case wake <- struct{}{}:
			default: // whoever waits is to look already
			}
			return nil
		}) // without events there is still looking now and then
	}()
	return wake
}

// interrupted tells what passes from a refusal, and from what the caller made fail.
func interrupted(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || tryAnother(err) || fault.CodeOf(err) == fault.RateLimited
}

// listener follows one stream after the other.
type listener struct {
	client *Client
	each   func(ledger.Notice) error
	at     *ledger.EventID // the place reached; nil before the first gateway has told it
}

// listen follows the stream of the gateway that is to be asked first.
func (l *listener) listen(until context.Context) error {
	ctx, cancel := context.WithCancel(until)
	defer cancel()
	alarm := time.AfterFunc(silence, cancel)
	defer alarm.Stop()
	g := l.client.inOrder()[0]
	var parameters api.StreamEventsParams
	if l.at != nil {
		parameters.LastEventID = new(l.at.String())
	}
	response, err := g.api.StreamEvents(ctx, &parameters)
	if err != nil {
		return g.silent(until, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return g.problem(response)
	}
	for lines := bufio.NewReaderSize(response.Body, lineLimit); ; alarm.Reset(silence) {
		m, err := readMessage(lines)
		if ctx.Err() != nil {
			return g.silent(until, errors.New("its stream of events has fallen silent"))
		}
		if err != nil {
			return err
		}
		if err := l.take(until, g, m); err != nil {
			return err
		}
	}
}

var errMalformed = errors.New("its stream of events is not what its interface promises")

// take moves the place on, and hands a notice over that is not behind it.
func (l *listener) take(ctx context.Context, g *gateway, m message) error {
	var at *ledger.EventID
	if m.id != "" {
		id, err := ledger.ParseEventID(m.id)
		if err != nil {
			return g.silent(ctx, errMalformed)
		}
		if l.at != nil && id.Compare(*l.at) <= 0 {
			return nil
		}
		at = &id
	}
	if m.data != "" {
		var notice ledger.Notice
		if err := json.Unmarshal([]byte(m.data), &notice); err != nil {
			return g.silent(ctx, errMalformed)
		}
		if err := l.each(notice); err != nil {
			return err
		}
	}
	if at != nil {
		l.at = at
	}
	return nil
}

// message is a block of a stream of Server-Sent Events.
type message struct{ id, data string }

// readMessage reads up to the next blank line. A stream that ends is one that was
// interrupted.
func readMessage(lines *bufio.Reader) (message, error) {
	var m message
	for range linesLimit {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return message{}, io.ErrUnexpectedEOF
		}
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			return m, nil
		}
		field, value, _ := strings.Cut(text, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			m.id = value
		case "data":
			m.data += value
		}
	}
	return message{}, io.ErrUnexpectedEOF
}
