package rest

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

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

// lines reads a stream by line, from now on.
func lines(t *testing.T, server *httptest.Server, token string) *bufio.Scanner {
	t.Helper()
	return linesAfter(t, server, token, "")
}

func linesAfter(t *testing.T, server *httptest.Server, token, last string) *bufio.Scanner {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Last-Event-ID", last) // also an empty one, as some clients send it at first
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept-Encoding", "gzip")
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Encoding") != "" || response.Header.Get("Cache-Control") != "no-store" ||
		response.Header.Get("X-Accel-Buffering") != "no" {
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
	f.chain.Add(ledger.EventRecordConfirmed, ledger.Event{Actor: ledger.UserID{MSP: "HospitalA", Pseudonym: "another"}})
	f.chain.Add(ledger.EventRecordConfirmed, ledger.Event{Actor: f.user})
	if before := until(stream, "event: RecordConfirmed"); slices.Contains(before, "id: 0-1") || !slices.Contains(before, "id: 1-1") {
		t.Errorf("before the first message: %q", before)
	}
	clock.move(6 * time.Minute)
	f.chain.Add(ledger.EventRecordConfirmed, ledger.Event{Actor: f.user})
	if after := strings.Join(until(stream, ""), "\n") + strings.Join(until(stream, "event: RecordConfirmed"), "\n"); strings.Contains(after, "id: 2-1") {
		t.Errorf("after the token's end: %q", after)
	}
	if stream.Scan() {
		t.Errorf("the stream goes on: %q", stream.Text())
	}
}

// A stream of a device whose key is replaced ends with that block, and says nothing of it or
// of what comes after.
func TestStreamEndsWithItsKey(t *testing.T) {
	f, _, server := streaming(t)
	stream := lines(t, server, f.token)
	until(stream, ":")
	f.registered.Store(&ledger.Digest{1})
	f.chain.Add(ledger.EventKeysReplaced, ledger.Event{Actor: f.user})
	f.chain.Add(ledger.EventRecordConfirmed, ledger.Event{Actor: f.user})
	if said := strings.Join(until(stream, "none"), "\n"); strings.Contains(said, "event:") {
		t.Errorf("it goes on: %q", said)
	}
}

// Privacy officers are reminded of overdue reviews, once in a stream and without a place.
func TestOfficersAreReminded(t *testing.T) {
	f, clock, server := streaming(t)
	first := ledger.Declaration{ID: "one", Patient: ledger.UserID{MSP: "HospitalA", Pseudonym: "p"}, Due: clock.read().Add(-time.Hour)}
	same := first // of another patient, of the same ID and time
	same.Patient.Pseudonym = "q"
	f.owed = []ledger.Declaration{first, same, {ID: "two", Due: clock.read().Add(90 * time.Second)}}
	officer, patient := lines(t, server, f.tokenOf(t, "officer", ledger.RolePrivacyOfficer)), lines(t, server, f.token)
	if before := until(officer, "event: ReviewOverdue"); !slices.Equal(before, []string{":", "id: 0-0", ""}) {
		t.Errorf("before the first reminder: %q", before)
	}
	if data := until(officer, ""); !strings.Contains(strings.Join(data, ""), `"declaration":"one"`) {
		t.Errorf("the reminder is %q", data)
	}
	until(officer, "event: ReviewOverdue")
	if data := until(officer, ""); !strings.Contains(strings.Join(data, ""), `"patient":"HospitalA/q"`) {
		t.Errorf("the reminder of the same ID and time is %q", data)
	}
	if early := until(officer, ":"); len(early) > 0 {
		t.Errorf("before the second is overdue: %q", early)
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

// Nobody looks for overdue reviews more than once a minute, however often a stream says
// something; and a stream that could not begin has no place.
func TestOverdueReviewsAreLookedForOnceAMinute(t *testing.T) {
	f, clock, server := streaming(t)
	var looked atomic.Int32
	var away atomic.Bool
	f.api.Owed = func(context.Context, ledger.Identity) ([]ledger.Declaration, error) {
		looked.Add(1)
		if away.Load() {
			return nil, fault.New(fault.OrderingUnavailable, "the peer is away")
		}
		return nil, nil
	}
	token := f.tokenOf(t, "officer", ledger.RolePrivacyOfficer)
	away.Store(true)
	for range 2 * maxStreamsEach {
		if got := f.ask(http.MethodGet, "/v1/events", nil, http.Header{"Authorization": {"Bearer " + token}}); got.Code != http.StatusServiceUnavailable {
			t.Fatalf("%d %s", got.Code, got.Body)
		}
	}
	away.Store(false)
	looked.Store(0)
	stream := lines(t, server, token)
	rest := func() {
		for range 10 {
			until(stream, ":")
		}
	}
	rest()
	if looked.Load() != 1 {
		t.Errorf("looked %d times at once", looked.Load())
	}
	clock.move(overdueInterval)
	rest()
	if looked.Load() != 2 {
		t.Errorf("looked %d times in a minute", looked.Load())
	}
}

// What happens is told when it happens, and streams end with the gateway, whenever they
// would say something otherwise.
func TestStreamsDoNotWaitForTheirBeat(t *testing.T) {
	f := newFixture(t)
	f.api.beat = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go f.api.Events.Run(ctx)
	server := httptest.NewServer(f.engine)
	defer server.Close()
	stream := lines(t, server, f.token)
	until(stream, "")
	for range 2 {
		f.chain.Add(ledger.EventRecordConfirmed, ledger.Event{Actor: f.user, Concerned: []ledger.UserID{f.user}, Officers: []string{"HospitalA"}})
		message := until(stream, "")
		if !slices.Contains(message, "event: RecordConfirmed") || strings.Contains(strings.Join(message, ""), "concerned") || strings.Contains(strings.Join(message, ""), "officers") {
			t.Errorf("told %q", message)
		}
	}
	cancel()
	if stream.Scan() || stream.Err() != nil {
		t.Errorf("the stream goes on: %q, %v", stream.Text(), stream.Err())
	}
}

// A stream begins after the event that its reader has got last.
func TestStreamGoesOnAfterTheLast(t *testing.T) {
	f, _, server := streaming(t)
	for range 3 {
		f.chain.Add(ledger.EventRecordConfirmed, ledger.Event{Actor: f.user})
	}
	stream := linesAfter(t, server, f.token, "1-1")
	if before := until(stream, "event: RecordConfirmed"); !slices.Contains(before, "id: 2-1") {
		t.Errorf("goes on with %q", before)
	}
}

// What is not a place is refused once, before there is a stream: a client that comes back
// with it again would come back for ever.
func TestStreamBeginsAtAPlace(t *testing.T) {
	f, _, _ := streaming(t)
	for _, last := range []string{"undefined", "null", "0", "-1", "1207-03", "２-1", "1-1-1", "9223372036854775808-1"} {
		if told := problemOf(t, f.ask(http.MethodGet, "/v1/events", nil, http.Header{"Last-Event-Id": {last}})); told.Code != fault.InvalidArgument {
			t.Errorf("%q: %+v", last, told)
		}
	}
}
