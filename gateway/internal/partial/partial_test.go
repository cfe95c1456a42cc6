package partial

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/gateway/internal/problem"
	"github.com/pie-consortium/pie/internal/durable"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

func open(t *testing.T) *Uploads {
	t.Helper()
	u, err := Open(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func nameOf(caller string) Name {
	return Name{Caller: ledger.UserID{MSP: "HospitalA", Pseudonym: caller}, Record: ledger.NewID(), Upload: ledger.NewID()}
}

func (u *Uploads) start(t *testing.T, n Name, size int64, header http.Header) error {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("12345"))
	for name, values := range header {
		r.Header[name] = values
	}
	r.Header.Set("Tus-Resumable", Version)
	r.Header.Set("Upload-Length", strconv.FormatInt(size, 10))
	return u.Begin(r, n, size)
}

func (u *Uploads) request(t *testing.T, method string) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), method, "/", nil)
	r.Header.Set("Tus-Resumable", Version)
	return r
}

func (u *Uploads) more(t *testing.T, n Name, offset int64, body io.Reader) error {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPatch, "/", body)
	r.Header.Set("Tus-Resumable", Version)
	r.Header.Set("Upload-Offset", strconv.FormatInt(offset, 10))
	r.Header.Set("Content-Type", "application/offset+octet-stream")
	_, err := u.Append(r, n)
	return err
}

// Uploads that begin at once have no more room than one after the other.
func TestRoomIsBoundedForAllAtOnce(t *testing.T) {
	u := open(t)
	u.keep = func(string) error { return nil } // too slow for so many
	var begun, refused atomic.Int32
	var all sync.WaitGroup
	for range 3 * maxEach {
		all.Go(func() {
			switch err := u.start(t, nameOf("a"), 1, nil); fault.CodeOf(err) {
			case fault.RateLimited:
				refused.Add(1)
			default:
				begun.Add(1)
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if begun.Load() != maxEach || refused.Load() != 2*maxEach {
		t.Errorf("%d have begun, %d are refused", begun.Load(), refused.Load())
	}
}

// Headers of the library's that the API does not publish do nothing.
func TestBeginningTakesNoPiece(t *testing.T) {
	u, n := open(t), nameOf("a")
	header := http.Header{"Content-Type": {"application/offset+octet-stream"}, "X-Http-Method-Override": {"OPTIONS"}}
	if err := u.start(t, n, 5, header); err != nil {
		t.Fatal(err)
	}
	if progress, err := u.Progress(t.Context(), n); err != nil || progress.Offset != 0 || progress.Size != 5 {
		t.Errorf("%+v, %v", progress, err)
	}
}

// What the protocol refuses is told with its status, and what fails here as a failure.
func TestPieceIsRefused(t *testing.T) {
	u, n := open(t), nameOf("a")
	if err := errors.Join(u.start(t, n, 5, nil), u.more(t, n, 0, strings.NewReader("123"))); err != nil {
		t.Fatal(err)
	}
	if err := u.more(t, nameOf("a"), 0, strings.NewReader("1")); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("a piece of no upload: %v", err)
	}
	if _, err := u.Progress(t.Context(), nameOf("a")); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("the offset of no upload: %v", err)
	}
	if err := u.more(t, n, 2, strings.NewReader("3")); fault.CodeOf(err) != fault.StateConflict {
		t.Errorf("another offset: %v", err)
	}
	if err := u.more(t, n, 3, strings.NewReader("456")); fault.CodeOf(err) != fault.InvalidArgument || problem.Status(err) != http.StatusRequestEntityTooLarge {
		t.Errorf("more than was announced: %v", err)
	}
	if progress, err := u.Progress(t.Context(), n); err != nil || progress.Offset != 3 {
		t.Errorf("%+v, %v", progress, err)
	}
	if err := os.WriteFile(u.path(n)+infoSuffix, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := u.more(t, n, 3, strings.NewReader("45")); err == nil || fault.CodeOf(err) != fault.Internal {
		t.Errorf("a disk that lost something: %v", err)
	}
}

// The gate's own word about a body that ended early reaches the caller.
func TestErrorOfTheBodyIsKept(t *testing.T) {
	u, n := open(t), nameOf("a")
	if err := u.start(t, n, 10, nil); err != nil {
		t.Fatal(err)
	}
	slow := fault.New(fault.InvalidArgument, "the body came too slowly")
	body := io.MultiReader(strings.NewReader("123"), &failing{slow})
	if err := u.more(t, n, 0, body); !errors.Is(err, slow) {
		t.Error(err)
	}
	if progress, err := u.Progress(t.Context(), n); err != nil || progress.Offset != 3 {
		t.Errorf("%+v, %v", progress, err)
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

// What could not be stored can be tried again.
func TestSettlingAgain(t *testing.T) {
	u, n := open(t), nameOf("a")
	if err := errors.Join(u.start(t, n, 5, nil), u.more(t, n, 0, strings.NewReader("12345"))); err != nil {
		t.Fatal(err)
	}
	away := fault.New(fault.ContentUnavailable, "the node is away")
	if err := u.Settle(n, func(io.Reader) (api.Content, error) { return api.Content{}, away }); !errors.Is(err, away) {
		t.Error(err)
	}
	var got string
	err := errors.Join(u.more(t, n, 5, strings.NewReader("")), u.Settle(n, func(r io.Reader) (api.Content, error) {
		text, err := io.ReadAll(r)
		got = string(text)
		return api.Content{Size: 5}, err
	}))
	if err != nil || got != "12345" || u.listed(t) != 1 {
		t.Errorf("%q, %d files are left, %v", got, u.listed(t), err)
	}
}

// Nothing is acknowledged that a loss of power could take away.
func TestAcknowledgedIsKept(t *testing.T) {
	u, n := open(t), nameOf("a")
	full := errors.New("the disk is broken")
	var kept []string
	broken := "" // what the disk does not keep
	u.keep = func(path string) error {
		name := strings.Replace(filepath.Base(path), n.String(), "upload", 1)
		if path == u.folder {
			name = "folder"
		}
		if name == broken {
			return full
		}
		kept = append(kept, name)
		return durable.Sync(path)
	}
	for _, broken = range []string{"upload.info", "folder"} {
		if err := u.start(t, n, 5, nil); !errors.Is(err, full) {
			t.Errorf("begun without %s: %v", broken, err)
		}
	}
	broken = "upload"
	if err := u.more(t, n, 0, strings.NewReader("123")); !errors.Is(err, full) {
		t.Errorf("a piece that the disk does not keep: %v", err)
	}
	if _, err := u.Progress(t.Context(), n); !errors.Is(err, full) {
		t.Errorf("the offset: %v", err)
	}
	broken = ""
	if err := u.more(t, n, 3, strings.NewReader("45")); err != nil {
		t.Fatal(err)
	}
	store := func(io.Reader) (api.Content, error) { return api.Content{Size: 5}, nil }
	for _, broken = range []string{"upload.stored.new", "folder"} {
		if err := u.Settle(n, store); !errors.Is(err, full) {
			t.Errorf("stored without %s: %v", broken, err)
		}
	}
	if _, err := os.Stat(u.path(n)); err != nil {
		t.Errorf("the bytes are gone before it is known what was stored: %v", err)
	}
	broken, kept = "", nil
	if err := u.Settle(n, store); err != nil || !slices.Equal(kept, []string{"upload.stored.new", "folder"}) {
		t.Errorf("%v, %q", err, kept)
	}
}

func TestDropping(t *testing.T) {
	u, n := open(t), nameOf("a")
	drop := func() error {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodDelete, "/", nil)
		r.Header.Set("Tus-Resumable", Version)
		return u.Drop(r, n)
	}
	if err := drop(); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("no upload is dropped: %v", err)
	}
	if err := errors.Join(u.start(t, n, 5, nil), u.more(t, n, 0, strings.NewReader("123")), drop()); err != nil || u.listed(t) != 0 {
		t.Errorf("%d files are left, %v", u.listed(t), err)
	}
	err := errors.Join(u.start(t, n, 5, nil), u.more(t, n, 0, strings.NewReader("12345")),
		u.Settle(n, func(io.Reader) (api.Content, error) { return api.Content{Size: 5}, nil }))
	if err != nil {
		t.Fatal(err)
	}
	if err := drop(); fault.CodeOf(err) != fault.StateConflict || u.listed(t) != 1 {
		t.Errorf("what is stored is dropped: %v", err)
	}
}

func TestSweepSparesWhatGoesOn(t *testing.T) {
	u, held, idle := open(t), nameOf("a"), nameOf("b")
	if err := errors.Join(u.start(t, held, 5, nil), u.start(t, idle, 5, nil)); err != nil {
		t.Fatal(err)
	}
	release, err := u.Hold(held)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Hold(held); fault.CodeOf(err) != fault.StateConflict {
		t.Errorf("held twice: %v", err)
	}
	if err := u.sweep(time.Now().Add(term - time.Minute)); err != nil || u.listed(t) != 4 {
		t.Errorf("%d files before the term, %v", u.listed(t), err)
	}
	if err := u.sweep(time.Now().Add(term + time.Minute)); err != nil || u.listed(t) != 2 {
		t.Errorf("%d files after the term, %v", u.listed(t), err)
	}
	release()
	if err := u.sweep(time.Now().Add(term + time.Minute)); err != nil || u.listed(t) != 0 {
		t.Errorf("%d files in the end, %v", u.listed(t), err)
	}
}

func (u *Uploads) listed(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir(u.folder)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
