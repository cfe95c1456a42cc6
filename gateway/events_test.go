package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/network/networktest"
)

// at is the same device at another hospital's gateway.
func (d *device) at(gateway networktest.Organization) *device {
	d.t.Helper()
	other := *d
	other.gateway = gateway
	other.client = newClient(d.t, gateway, other.authorize)
	other.login()
	return &other
}

// following is a stream of events that a device reads.
type following struct {
	t     *testing.T
	lines *bufio.Scanner
	stop  context.CancelFunc
	place string // the last ID, of a message or without one
}

// follow opens a stream, from now on when after is empty.
func (d *device) follow(after string) *following {
	d.t.Helper()
	ctx, cancel := context.WithCancel(within(d.t))
	d.t.Cleanup(cancel)
	var parameters api.StreamEventsParams
	if after != "" {
		parameters.LastEventID = &after
	}
	response, err := d.client.StreamEvents(ctx, &parameters)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		d.t.Fatalf("%s, %v", response.Status, response.Header)
	}
	f := &following{t: d.t, lines: bufio.NewScanner(response.Body), stop: cancel}
	if name, _ := f.block(); name != "" { // the gateway says first where the stream begins
		d.t.Fatalf("the stream begins with %s", name)
	}
	return f
}

// block reads one block of lines.
func (f *following) block() (name, data string) {
	f.t.Helper()
	for f.lines.Scan() {
		field, value, _ := strings.Cut(f.lines.Text(), ": ")
		switch field {
		case "":
			return name, data
		case "event":
			name = value
		case "data":
			data = value
		case "id":
			f.place = value
		}
	}
	f.t.Fatalf("the stream ended: %v", f.lines.Err())
	return "", ""
}

// next is the next message.
func (f *following) next() ledger.Notice {
	f.t.Helper()
	for {
		name, data := f.block()
		if data == "" {
			continue
		}
		var notice ledger.Notice
		if err := json.Unmarshal([]byte(data), &notice); err != nil {
			f.t.Fatal(err)
		}
		if string(notice.Name) != name || notice.ID.String() != f.place {
			f.t.Errorf("message %s of %s holds %s", name, f.place, data)
		}
		return notice
	}
}

// all are the names of messages up to and with the record's erasure.
func (f *following) all() []string {
	f.t.Helper()
	var names []string
	for {
		notice := f.next()
		names = append(names, notice.ID.String()+" "+string(notice.Name))
		if notice.Name == ledger.EventRecordErased {
			return names
		}
	}
}

// Everybody is told of what they may read, and of nothing else.
func TestEventsAreTheReadersOwn(t *testing.T) {
	neighbour := newDevice(t, "HospitalA", ledger.RolePatient)
	physician := newDevice(t, "HospitalA", ledger.RolePhysician)
	theirs := neighbour.follow("")
	s := newShare(t, 1)
	own, authors := s.patient.follow("0-0"), s.author.follow("0-0")
	s.erase()
	if got := authors.all(); len(got) != 4 {
		t.Errorf("the author is told %v", got)
	}
	for _, want := range []ledger.EventName{ledger.EventUserRegistered, ledger.EventSlotsAuthorized, ledger.EventRecordRegistered, ledger.EventRecordErased} {
		notice := own.next()
		if notice.Name != want || notice.Time.IsZero() || len(notice.Transaction) != 64 {
			t.Errorf("the patient is told %+v, want %s", notice, want)
		}
		if notice.Concerned != nil || notice.Officers != nil {
			t.Errorf("the patient is told who else is: %+v", notice)
		}
	}
	record := authorized(neighbour, physician)
	if notice := theirs.next(); notice.Patient != neighbour.user || !slices.Equal(notice.Records, []ledger.ID{record}) {
		t.Errorf("the neighbour is told %+v", notice)
	}
}

// A reader who comes back with the last ID misses nothing and gets nothing twice, at any
// gateway, and after this one was killed.
func TestEventsGoOnWhereTheyEnded(t *testing.T) {
	s := newShare(t, 1)
	home := s.patient.gateway
	s.patient.follow("").stop()
	live := s.patient.follow("")
	place := live.place
	for range 3 {
		authorized(s.patient, s.author)
	}
	s.erase()
	want := live.all()
	everywhere := []*device{s.patient, s.patient.at(hospital(t, "HospitalB")), s.patient.at(hospital(t, "HospitalC"))}
	check := func() {
		t.Helper()
		for _, d := range everywhere {
			if got := d.follow(place).all(); !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", d.gateway.MSP, got, want)
			}
			for i := range want[:len(want)-1] {
				id, _, _ := strings.Cut(want[i], " ")
				if got := d.follow(id).all(); !slices.Equal(got, want[i+1:]) {
					t.Errorf("%s after %s: %v, want %v", d.gateway.MSP, id, got, want[i+1:])
				}
			}
		}
	}
	check()
	if err := network.Kill(home.Gateway); err != nil {
		t.Fatal(err)
	}
	if err := network.Start(home.Gateway); err != nil {
		t.Fatal(err)
	}
	everywhere[0] = s.patient.at(home) // its memory is gone: it asks its peer
	check()
}

func TestStreamsAreBounded(t *testing.T) {
	d := newDevice(t, "HospitalB", ledger.RolePatient)
	before := goroutines(t, d.gateway)
	var streams []*following
	for range 8 {
		streams = append(streams, d.follow(""))
	}
	answer := d.get("/v1/events", nil)
	refused(t, answer.problem, fault.RateLimited)
	if answer.header.Get("Retry-After") == "" {
		t.Error("nobody says when to come back")
	}
	other := newDevice(t, "HospitalB", ledger.RolePatient)
	other.follow("").stop()
	for _, stream := range streams {
		stream.stop()
	}
	eventually(t, "a place for another stream", func() bool {
		ctx, cancel := context.WithCancel(within(t))
		defer cancel()
		response, err := d.client.StreamEvents(ctx, &api.StreamEventsParams{})
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	for range 50 {
		d.follow("0-0").stop()
		eventually(t, "the place of a stream that ended", func() bool { return goroutines(t, d.gateway) < before+100 })
	}
	eventually(t, "as few goroutines as before", func() bool { return goroutines(t, d.gateway) <= before+20 })
}

func goroutines(t *testing.T, gateway networktest.Organization) int {
	t.Helper()
	count, err := strconv.Atoi(metric(t, gateway, "go_goroutines"))
	if err != nil {
		t.Fatal(err)
	}
	return count
}

func TestStreamsAreRefused(t *testing.T) {
	d := newDevice(t, "HospitalB", ledger.RolePatient)
	for _, id := range []string{"x", "1", "-1-0", "99999999999999999999-1", "18446744073709551615-1"} {
		refused(t, d.get("/v1/events", http.Header{"Last-Event-Id": {id}}).problem, fault.InvalidArgument)
	}
	d.token = "none"
	refused(t, d.get("/v1/events", nil).problem, fault.Unauthenticated)
}
