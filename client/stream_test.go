package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pie-consortium/pie/client/internal/reading"
	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// dawn is when the first reading was taken.
var dawn = time.Date(2026, 1, 2, 6, 0, 0, 0, time.UTC)

// readings are those from one number on, one a minute.
func readings(first, count int) []byte {
	var b bytes.Buffer
	for n := first; n < first+count; n++ {
		fmt.Fprintf(&b, `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},`+
			`"effectiveDateTime":"%s","valueQuantity":{"value":%d,"unit":"/min"}}`+"\n", dawn.Add(time.Duration(n)*time.Minute).Format(time.RFC3339), 60+n%40)
	}
	return b.Bytes()
}

// stream has the patient begin a stream of their own, or of the author's.
func (p trio) stream(t *testing.T, author *Client) ledger.ID {
	t.Helper()
	uploads, err := p.patient.Authorize(t.Context(), Authorization{
		Author: ledger.PersonSubject(author.identity.User), Stream: true, Policy: DefaultPolicy(ledger.ClassSensor), Expiry: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return uploads[0].Record
}

// newReadings puts text into a file to be appended.
func (p trio) newReadings(t *testing.T, stream ledger.ID, text []byte) NewReadings {
	t.Helper()
	file := filepath.Join(t.TempDir(), "readings.ndjson")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return NewReadings{
		Patient: p.patient.identity.User, Stream: stream, Files: []string{file},
		Metadata: ledger.Metadata{MediaType: "application/fhir+ndjson"},
	}
}

func mustAppend(t *testing.T, by *Client, n NewReadings) Appended {
	t.Helper()
	appended, err := by.Append(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return appended
}

// openReadings opens a stream and returns what was written.
func openReadings(t *testing.T, by *Client, stream ledger.ID, span Span) (OpenedStream, []byte, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "opened.ndjson")
	opened, err := by.OpenStream(t.Context(), stream, span, path)
	text, _ := os.ReadFile(path)
	if err != nil && text != nil {
		t.Errorf("a refused opening left %d bytes", len(text))
	}
	return opened, text, err
}

func wantReadings(t *testing.T, by *Client, stream ledger.ID, want []byte) OpenedStream {
	t.Helper()
	opened, got, err := openReadings(t, by, stream, Span{})
	if err != nil || !bytes.Equal(got, want) || opened.Size != int64(len(want)) {
		t.Fatalf("%s opened %d bytes, want %d: %v", by.identity.User, len(got), len(want), err)
	}
	return opened
}

// submissions counts the transactions that go through a member's gateway.
func submissions(t *testing.T, c *Client, msp string) *atomic.Int64 {
	t.Helper()
	var count atomic.Int64
	betray(t, c, msp, func(r *http.Response, body []byte) []byte {
		if strings.HasSuffix(r.Request.URL.Path, "/submission") {
			count.Add(1)
		}
		return body
	})
	return &count
}

// What the wide label is for: all readings of a lifelog under one grant, with few
// transactions, opened with one.
func TestTenThousandReadingsCostOneGrant(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	submitted := submissions(t, p.patient, "HospitalA")
	stream := p.stream(t, p.patient)
	text := readings(0, 10_000)
	appended := mustAppend(t, p.patient, p.newReadings(t, stream, text))
	if appended.Readings != 10_000 || int64(appended.Transactions) != submitted.Load()-1 {
		t.Errorf("appended %+v, with %d transactions", appended, submitted.Load()-1)
	}
	p.grant(t, stream)
	if n := submitted.Load(); n > 50 {
		t.Errorf("%d transactions of the patient", n)
	}
	t.Logf("10000 readings in %d segments: %d transactions of the patient in all", appended.Segments, submitted.Load())

	submitted = submissions(t, p.requester, "HospitalB")
	opened := wantReadings(t, p.requester, stream, text)
	if opened.Segments != appended.Segments || opened.Readings != 10_000 || submitted.Load() != 1 {
		t.Errorf("opened %d segments, %d readings with %d transactions", opened.Segments, opened.Readings, submitted.Load())
	}
	wantReadings(t, p.patient, stream, text)
	grants, err := p.requester.Grants(t.Context())
	if err != nil || len(grants) != 1 {
		t.Errorf("the requester holds %d grants, %v", len(grants), err)
	}
	trail, err := p.patient.Accesses(t.Context(), stream)
	if err != nil || len(trail) != 1 || trail[0].Open != opened.Open {
		t.Errorf("the trail is %+v, %v", trail, err)
	}
	if confirmed, err := p.patient.Confirm(t.Context(), stream); err != nil || confirmed.State != ledger.RecordConfirmed {
		t.Errorf("confirmed %+v, %v", confirmed, err)
	}

	// The same grant opens what comes later.
	mustAppend(t, p.patient, p.newReadings(t, stream, readings(10_000, 10)))
	wantReadings(t, p.requester, stream, readings(0, 10_010))
}

func TestASpanOfAStreamIsOpened(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	stream := p.stream(t, p.author)
	mustAppend(t, p.author, p.newReadings(t, stream, readings(0, 2500)))
	at := func(n int) time.Time { return dawn.Add(time.Duration(n) * time.Minute) }
	for _, c := range []struct{ from, to, segments int }{{900, 1100, 2}, {1000, 1001, 1}, {2400, 9999, 1}} {
		opened, got, err := openReadings(t, p.patient, stream, Span{From: at(c.from), To: at(c.to)})
		want := readings(c.from, min(c.to, 2500)-c.from)
		if err != nil || !bytes.Equal(got, want) || opened.Segments != c.segments {
			t.Errorf("from %d to %d: %d bytes of %d segments, %v", c.from, c.to, len(got), opened.Segments, err)
		}
	}
	_, _, err := openReadings(t, p.patient, stream, Span{From: at(2500)})
	wantCode(t, err, fault.NotFound)
	_, err = p.patient.Open(t.Context(), stream, 0, filepath.Join(t.TempDir(), "x"))
	wantCode(t, err, fault.InvalidArgument)
	_, _, err = openReadings(t, p.patient, p.upload(t, []byte("emr")), Span{})
	wantCode(t, err, fault.InvalidArgument)
}

func TestRevokedGrantEndsAllOfAStream(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	stream := p.stream(t, p.author)
	mustAppend(t, p.author, p.newReadings(t, stream, readings(0, 1500)))
	p.grant(t, stream)
	opened := wantReadings(t, p.requester, stream, readings(0, 1500))

	grants, err := p.requester.Grants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	revoke := func(grant ledger.ID) {
		arguments := ledger.RevokeGrant{RecordVersion: ledger.RecordVersion{Record: stream, Version: 1}, Grant: grant}
		if _, _, err := submit[ledger.Grant](t.Context(), p.patient, change{name: ledger.TxRevokeGrant, arguments: arguments}); err != nil {
			t.Fatal(err)
		}
	}
	revoke(grants[0].ID)
	wantSoon(t, fault.ConsentRevoked, func() error {
		_, _, err := openReadings(t, p.requester, stream, Span{})
		return err
	})
	for _, g := range p.requester.gateways { // an opening from before serves no segment any more
		o := opening{transaction: opened.Open, grant: grants[0], segments: []ledger.Segment{{Number: 1}, {Number: 2}}}
		eventually(t, func() bool {
			_, err := p.requester.askProxy(t.Context(), g, o)
			return fault.CodeOf(err) == fault.ConsentRevoked
		})
	}

	own, err := p.author.Grants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	revoke(own[0].ID) // and with it the author's writing
	_, err = p.author.Append(t.Context(), p.newReadings(t, stream, readings(1500, 1)))
	wantCode(t, err, fault.ConsentRevoked)
}

func TestGrantOfARecordServesNoStream(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	stream, other := p.stream(t, p.author), p.share(t, []byte("emr"))
	mustAppend(t, p.author, p.newReadings(t, stream, readings(0, 10)))
	_, _, err := openReadings(t, p.requester, stream, Span{})
	wantCode(t, err, fault.PermissionDenied)
	opened := openAs(t, p.requester, other, [32]byte(ledger.DigestOf([]byte("emr"))))
	first := []ledger.Segment{{Number: 1}}
	for _, g := range p.requester.gateways {
		for _, c := range []struct {
			record ledger.ID
			code   fault.Code
		}{{stream, fault.NotFound}, {other, fault.InvalidArgument}} {
			o := opening{transaction: opened.Open, grant: ledger.Grant{Record: c.record}, segments: first}
			if _, err := p.requester.askProxy(t.Context(), g, o); fault.CodeOf(err) != c.code {
				t.Errorf("%s: got %v, want %s", g.name(), err, c.code)
			}
		}
		response, err := g.api.ReadContent(t.Context(), stream, 1, &api.ReadContentParams{Segment: optional(1)})
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusForbidden {
			t.Errorf("%s answers %d to who holds no grant", g.name(), response.StatusCode)
		}
	}
}

func TestProxyThatLiesAboutASegmentIsNamed(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	stream := p.stream(t, p.author)
	text := readings(0, 2500)
	mustAppend(t, p.author, p.newReadings(t, stream, text))
	p.grant(t, stream)
	signer := gatewaySigner(t, "HospitalB")
	for name, change := range map[string]func(*trust.Reencryption){
		"another segment's capsule":  func(r *trust.Reencryption) { r.Segments[0].Capsule = r.Segments[1].Capsule },
		"segments in another order":  func(r *trust.Reencryption) { slices.Reverse(r.Segments) },
		"another segment's fragment": func(r *trust.Reencryption) { r.Segments[0].CapsuleFrag = r.Segments[1].CapsuleFrag },
		"a segment less":             func(r *trust.Reencryption) { r.Segments = r.Segments[1:] },
		"no segments":                func(r *trust.Reencryption) { r.Segments = nil },
		"another digest":             func(r *trust.Reencryption) { r.Segments[2].SHA256[0] ^= 1 },
	} {
		t.Run(name, func(t *testing.T) {
			betray(t, p.requester, "HospitalB", rewrite(t, "/v1/reencryptions", func(answer *api.Reencryption) {
				told, err := p.requester.bundle.VerifyReencryption(answer.Reencryption, "HospitalB")
				if err != nil {
					t.Error(err)
				}
				change(&told)
				if answer.Reencryption, err = signer.SignReencryption(told); err != nil {
					t.Error(err)
				}
			}))
			opened, got, err := openReadings(t, p.requester, stream, Span{})
			wantAlteredBy(t, opened.Opened, err, "HospitalB")
			if !bytes.Equal(got, text) {
				t.Errorf("got %d bytes, want %d", len(got), len(text))
			}
		})
	}
}

func TestOneGatewayNeitherAltersNorHidesSegments(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	stream := p.stream(t, p.author)
	text := readings(0, 2500)
	mustAppend(t, p.author, p.newReadings(t, stream, text))
	lists := func(change func(*ledger.List[ledger.Segment])) tamper {
		return rewrite(t, "/v1/records/"+string(stream)+"/versions/1/segments", change)
	}
	for name, change := range map[string]tamper{
		"another digest":   lists(func(l *ledger.List[ledger.Segment]) { l.Rows[1].SHA256[0] ^= 1 }),
		"another time":     lists(func(l *ledger.List[ledger.Segment]) { l.Rows[1].To = l.Rows[1].To.Add(time.Hour) }),
		"another order":    lists(func(l *ledger.List[ledger.Segment]) { slices.Reverse(l.Rows) }),
		"a hidden segment": lists(func(l *ledger.List[ledger.Segment]) { l.Rows = slices.Delete(l.Rows, 0, 1) }),
	} {
		t.Run(name, func(t *testing.T) {
			betray(t, p.patient, "HospitalA", change)
			opened, got, err := openReadings(t, p.patient, stream, Span{})
			wantAlteredBy(t, opened.Opened, err, "HospitalA")
			if !bytes.Equal(got, text) {
				t.Errorf("got %d bytes, want %d", len(got), len(text))
			}
		})
	}
	for name, change := range map[string]tamper{
		"a hidden end": lists(func(l *ledger.List[ledger.Segment]) { l.Rows = l.Rows[:1] }),
		"an invented end": lists(func(l *ledger.List[ledger.Segment]) {
			l.Rows = append(l.Rows, l.Rows[2])
			l.Rows[3].Number = 4
		}),
	} {
		t.Run(name, func(t *testing.T) {
			betray(t, p.patient, "HospitalA", change)
			if _, got, err := openReadings(t, p.patient, stream, Span{}); err != nil || !bytes.Equal(got, text) {
				t.Errorf("got %d bytes, want %d: %v", len(got), len(text), err)
			}
		})
	}
}

// An author whose segment is not what they said of it is named, whoever delivers it.
func TestAuthorWhoLiesAboutReadingsIsNamed(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	stream := p.stream(t, p.author)
	a, err := p.author.beginAppending(t.Context(), p.newReadings(t, stream, nil))
	if err != nil {
		t.Fatal(err)
	}
	a.journal.Metadata.Class, a.journal.Metadata.Salt = ledger.ClassSensor, ledger.NewSalt()
	err = cutFile(p.newReadings(t, stream, readings(0, 3)).Files[0], nil, func(piece reading.Piece) error {
		piece.Count = 4
		segment, err := a.send(t.Context(), piece)
		a.batch = append(a.batch, segment)
		return err
	})
	if err := errors.Join(err, a.register(t.Context())); err != nil {
		t.Fatal(err)
	}
	_, _, err = openReadings(t, p.patient, stream, Span{})
	var alteration *AlteredError
	if !errors.As(err, &alteration) || alteration.Who != "the author "+p.author.identity.User.String() {
		t.Errorf("got %v", err)
	}
	disputed, err := p.patient.Confirm(t.Context(), stream)
	if disputed.State != ledger.RecordDisputed || !errors.As(err, &alteration) {
		t.Errorf("got %+v, %v", disputed, err)
	}
}

// A device that dies at any step and is told again appends each reading once.
func TestInterruptedAppendingIsFinished(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	stream := p.stream(t, p.author)
	text := readings(0, 3500)
	n := p.newReadings(t, stream, text)
	for _, dies := range []struct {
		at    string
		times int
	}{{"encrypting", 1}, {"encrypting", 3}, {"registering", 1}, {"registering", 1}} {
		ctx, cancel := context.WithCancel(t.Context())
		p.author.Progress = func(step string) {
			if strings.HasPrefix(step, dies.at) {
				if dies.times--; dies.times == 0 {
					cancel()
				}
			}
		}
		if _, err := p.author.Append(ctx, n); err == nil {
			t.Fatalf("it went through although it died at %q", dies.at)
		}
		cancel()
	}
	p.author.Progress = nil
	pending, err := p.author.home.Read(streamJournalName(stream))
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, p.author, n)
	// It died before it could note that it was done.
	if err := p.author.home.Write(streamJournalName(stream), pending); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, p.author, n)
	wantReadings(t, p.patient, stream, text)

	// The file grows, and goes by another name.
	more := readings(0, 3600)
	grown := p.newReadings(t, stream, more)
	if appended := mustAppend(t, p.author, grown); appended.Readings != 100 {
		t.Errorf("appended %+v", appended)
	}
	if appended := mustAppend(t, p.author, n); appended.Transactions != 0 {
		t.Errorf("appended again: %+v", appended)
	}
	wantReadings(t, p.patient, stream, more)
}

func TestAppendRefuses(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	stream := p.stream(t, p.author)
	good := p.newReadings(t, stream, readings(0, 5))

	bad := p.newReadings(t, stream, append(readings(0, 5), "{\n"...))
	bad.Files = append(good.Files, bad.Files...)
	_, err := p.author.Append(t.Context(), bad)
	wantCode(t, err, fault.InvalidArgument)
	_, _, err = p.author.Segments(t.Context(), stream)
	wantCode(t, err, fault.NotFound) // nothing was appended

	stranger := good
	stranger.Patient = p.author.identity.User
	_, err = p.author.Append(t.Context(), stranger)
	wantCode(t, err, fault.PermissionDenied)
	_, err = p.requester.Append(t.Context(), good)
	wantCode(t, err, fault.PermissionDenied)
	whole := good
	whole.Stream = p.authorize(t, ledger.ClassSensor)
	_, err = p.author.Append(t.Context(), whole)
	wantCode(t, err, fault.InvalidArgument)
	record := p.newRecord(t, stream, []byte("emr"))
	_, err = p.author.Upload(t.Context(), record)
	wantCode(t, err, fault.InvalidArgument)

	unlock, err := p.author.home.Lock("streams/" + string(stream) + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.author.Append(t.Context(), good)
	wantCode(t, err, fault.ConcurrentUpdate)
	unlock()
	mustAppend(t, p.author, good)
}
