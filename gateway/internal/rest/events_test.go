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
	f.chain.Add(ledger.RecordConfirmed, ledger.Event{Actor: ledger.UserID{MSP: "HospitalA", Pseudonym: "another"}})
	f.chain.Add(ledger.RecordConfirmed, ledger.Event{Actor: f.user})
	if before := until(stream, "event: RecordConfirmed"); slices.Contains(before, "id: 0-1") || !slices.Contains(before, "id: 1-1") {
		t.Errorf("before the first message: %q", before)
	}
	clock.move(6 * time.Minute)
	f.chain.Add(ledger.RecordConfirmed, ledger.Event{Actor: f.user})
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
