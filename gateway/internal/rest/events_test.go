package rest

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
)

// chain is a ledger that grows by blocks of one event.
type chain struct {
	mutex  sync.Mutex
	blocks []ledger.Notice
	more   chan struct{}
}

func newChain() *chain { return &chain{more: make(chan struct{})} }

func (c *chain) Height(context.Context) (uint64, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return uint64(len(c.blocks)), nil
}

func (c *chain) add(event ledger.Event) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	id := ledger.EventID{Block: uint64(len(c.blocks)), Number: 1}
	c.blocks = append(c.blocks, ledger.Notice{ID: id, Name: ledger.RecordConfirmed, Event: event})
	close(c.more)
	c.more = make(chan struct{})
}

func (c *chain) block(number uint64) ([]ledger.Notice, <-chan struct{}) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if number >= uint64(len(c.blocks)) {
		return nil, c.more
	}
	return c.blocks[number : number+1], nil
}

func (c *chain) Watch(ctx context.Context, from uint64, process func(uint64, []ledger.Notice) error) error {
	for {
		events, more := c.block(from)
		if events == nil {
			select {
			case <-more:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		if err := process(from, events); err != nil {
			return err
		}
		from++
	}
}

// clock is a time that tests move on.
type clock struct {
	mutex sync.Mutex
	now   time.Time
}

func (c *clock) read() time.Time {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.now
}

func (c *clock) move(by time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.now = c.now.Add(by)
}

// streaming serves a fixture whose streams say something every few milliseconds.
func streaming(t *testing.T) (*fixture, *clock, *httptest.Server) {
	t.Helper()
	f, c := newFixture(t), &clock{now: time.Now()}
	f.api.beat = 5 * time.Millisecond
	f.api.Now, f.api.Authority.Now = c.read, c.read
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go f.api.Events.Run(ctx)
	server := httptest.NewServer(f.engine)
	t.Cleanup(server.Close)
	return f, c, server
}

// lines reads a stream by line.
func lines(t *testing.T, server *httptest.Server, token string) *bufio.Scanner {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept-Encoding", "gzip")
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Encoding") != "" || response.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s, %v", response.Status, response.Header)
	}
	return bufio.NewScanner(response.Body)
}

// until reads up to a line, or to the stream's end, and returns what was before.
func until(scanner *bufio.Scanner, line string) []string {
	var before []string
	for scanner.Scan() && scanner.Text() != line {
		before = append(before, scanner.Text())
	}
	return before
}

// A stream ends with its token, and says nothing after that, even when there is something.
func TestStreamEndsWithItsToken(t *testing.T) {
	f, clock, server := streaming(t)
	stream := lines(t, server, f.token)
	f.chain.add(ledger.Event{Actor: ledger.UserID{MSP: "HospitalA", Pseudonym: "another"}})
	f.chain.add(ledger.Event{Actor: f.user})
	if before := until(stream, "event: RecordConfirmed"); slices.Contains(before, "id: 0-1") || !slices.Contains(before, "id: 1-1") {
		t.Errorf("before the first message: %q", before)
	}
	clock.move(6 * time.Minute)
	f.chain.add(ledger.Event{Actor: f.user})
	if after := strings.Join(until(stream, ""), "\n") + strings.Join(until(stream, "event: RecordConfirmed"), "\n"); strings.Contains(after, "id: 2-1") {
		t.Errorf("after the token's end: %q", after)
	}
	if stream.Scan() {
		t.Errorf("the stream goes on: %q", stream.Text())
	}
}

// Privacy officers are reminded of overdue reviews, once in a stream and without a place.
func TestOfficersAreReminded(t *testing.T) {
	f, clock, server := streaming(t)
	f.owed = []ledger.Declaration{{Declaration: "one", Due: clock.read().Add(-time.Hour)}, {Declaration: "two", Due: clock.read().Add(90 * time.Second)}}
	officer, patient := lines(t, server, f.tokenOf(t, "officer", ledger.PrivacyOfficer)), lines(t, server, f.token)
	if before := until(officer, "event: ReviewOverdue"); !slices.Equal(before, []string{":", "id: 0-0", ""}) {
		t.Errorf("before the first reminder: %q", before)
	}
	if data := until(officer, ""); !strings.Contains(strings.Join(data, ""), `"declaration":"one"`) {
		t.Errorf("the reminder is %q", data)
	}
	clock.move(2 * time.Minute)
	before := until(officer, "event: ReviewOverdue")
	if data := until(officer, ""); !strings.Contains(strings.Join(data, ""), `"declaration":"two"`) || slices.Contains(before, "event: ReviewOverdue") {
		t.Errorf("the reminder is %q", data)
	}
	clock.move(10 * time.Minute)
	if all := strings.Join(until(patient, "none"), "\n"); strings.Contains(all, "ReviewOverdue") {
		t.Errorf("a patient is reminded: %q", all)
	}
}
