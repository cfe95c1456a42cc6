// Package partial keeps ciphertexts that come in pieces, by the tus protocol 1.0, on the
// gateway's disk until all of one has come and is stored elsewhere. An upload that broke
// off goes on where it ended, also after the gateway was ended; one that gets no more goes
// after a day.
package partial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tus/tusd/v2/pkg/filestore"
	tus "github.com/tus/tusd/v2/pkg/handler"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/gateway/internal/limit"
	"github.com/pie-consortium/pie/internal/durable"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

const (
	// Version of the protocol.
	Version = "1.0.0"
	// Extensions of it, as the protocol lists them.
	Extensions = "creation,termination"
	// term is how long an upload is kept after its last byte, and what was stored of it
	// after that.
	term = 24 * time.Hour
	// sweepPause is that between two looks at what is past its term.
	sweepPause = time.Hour

	infoSuffix, storedSuffix = ".info", ".stored"
)

// Name of an upload. Whoever began it is part of it, so nobody else can name it.
type Name struct {
	Caller         ledger.UserID
	Record, Upload ledger.ID
}

// String is the name of its file, which does not say in clear whose it is.
func (n Name) String() string {
	return ownerOf(n.Caller) + "." + string(n.Record) + "." + string(n.Upload)
}

func ownerOf(caller ledger.UserID) string { return ledger.DigestOf([]byte(caller.String())).String() }

// Progress of an upload, in bytes.
type Progress struct {
	Offset, Size int64
	Stored       *api.Content // nil until it is
}

// Uploads are those in pieces.
type Uploads struct {
	folder string
	files  filestore.FileStore
	tus    *tus.UnroutedHandler
	log    *slog.Logger
	keep   func(path string) error // has the disk keep a file or a folder for good

	held   *limit.Limit // one place for each upload
	limits *limits
}

// Open finds the uploads in a folder, which belongs to nobody else.
func Open(folder string, log *slog.Logger) (*Uploads, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("uploads in pieces: %w", err)
	}
	u := &Uploads{folder: folder, files: filestore.New(folder), log: log, keep: durable.Sync, held: limit.New(math.MaxInt, 1), limits: newLimits()}
	var err error
	if u.tus, err = newProtocol(u.files); err != nil {
		return nil, fmt.Errorf("uploads in pieces: %w", err)
	}
	if err := u.count(context.Background()); err != nil {
		return nil, fmt.Errorf("uploads in pieces: %w", err)
	}
	return u, nil
}

// count finds what there is.
func (u *Uploads) count(ctx context.Context) error {
	entries, err := os.ReadDir(u.folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if name, stored := strings.CutSuffix(entry.Name(), storedSuffix); stored {
			u.limits.set(name, upload{stored: true})
		}
	}
	for _, entry := range entries {
		name, begun := strings.CutSuffix(entry.Name(), infoSuffix)
		if !begun || u.limits.uploads[name].stored {
			continue
		}
		progress, err := u.received(ctx, name)
		if err != nil {
			u.log.Warn("an upload in pieces cannot be read; it goes a day after its last byte", "error", err)
			continue
		}
		u.limits.set(name, upload{announced: progress.Size, received: progress.Offset})
	}
	return nil
}

// Begin makes room for an upload of so many bytes, which the request announces.
func (u *Uploads) Begin(r *http.Request, n Name, size int64) error {
	if err := u.limits.begin(n.String(), size); err != nil {
		return err
	}
	if err := u.ask(u.tus.PostFile, r, n); err != nil {
		u.limits.end(n.String())
		return err
	}
	return errors.Join(u.keep(u.path(n)+infoSuffix), u.keep(u.folder))
}

// Hold keeps others from an upload until release is called: two pieces at once would mix.
func (u *Uploads) Hold(n Name) (release func(), err error) {
	release, ok := u.held.Enter(n.String())
	if !ok {
		return nil, fault.New(fault.StateConflict, "another piece of this upload is under way; ask for the offset in a moment")
	}
	return release, nil
}

// Progress says how much of an upload has come. So much is there after a loss of power too.
func (u *Uploads) Progress(ctx context.Context, n Name) (Progress, error) {
	text, err := os.ReadFile(u.path(n) + storedSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return u.kept(ctx, n)
	}
	if err != nil {
		return Progress{}, err
	}
	stored := new(api.Content)
	if err := json.Unmarshal(text, stored); err != nil {
		return Progress{}, fmt.Errorf("what was stored of an upload: %w", err)
	}
	return Progress{Offset: stored.Size, Size: stored.Size, Stored: stored}, nil
}

// kept is what was received, once the disk keeps it.
func (u *Uploads) kept(ctx context.Context, n Name) (Progress, error) {
	progress, err := u.received(ctx, n.String())
	if err != nil {
		return Progress{}, err
	}
	if err := u.keep(u.path(n)); err != nil && !errors.Is(err, fs.ErrNotExist) { // it was stored meanwhile
		return Progress{}, err
	}
	return progress, nil
}

func (u *Uploads) received(ctx context.Context, name string) (Progress, error) {
	upload, err := u.files.GetUpload(ctx, name)
	if errors.Is(err, tus.ErrNotFound) {
		return Progress{}, fault.New(fault.NotFound, "you have no such upload; it may have expired")
	}
	if err != nil {
		return Progress{}, fmt.Errorf("upload in pieces: %w", err)
	}
	info, err := upload.GetInfo(ctx)
	return Progress{Offset: info.Offset, Size: info.Size}, err
}

// Append adds the request's body, while there is room. The caller holds the upload. What
// came before an error stays.
func (u *Uploads) Append(r *http.Request, n Name) (Progress, error) {
	counted := r.WithContext(r.Context())
	counted.Body = &growing{r.Body, func(bytes int) error { return u.limits.grow(n.String(), int64(bytes)) }}
	err := u.ask(u.tus.PatchFile, counted, n)
	progress, keepErr := u.kept(r.Context(), n)
	if keepErr == nil { // some of what came may not have been written
		u.limits.set(n.String(), upload{announced: progress.Size, received: progress.Offset})
	}
	if err != nil {
		return Progress{}, err
	}
	return progress, keepErr
}

// growing is a body that counts before anybody has its bytes.
type growing struct {
	io.ReadCloser
	grow func(bytes int) error
}

func (g *growing) Read(b []byte) (int, error) {
	n, err := g.ReadCloser.Read(b)
	if n > 0 {
		if refused := g.grow(n); refused != nil {
			return 0, refused
		}
	}
	return n, err
}

// Drop deletes what has come of an upload that is not stored. The caller holds it.
func (u *Uploads) Drop(r *http.Request, n Name) error {
	progress, err := u.Progress(r.Context(), n)
	if err != nil {
		return err
	}
	if progress.Stored != nil {
		return fault.New(fault.StateConflict, "all of the upload is stored already")
	}
	if err := u.ask(u.tus.DelFile, r, n); err != nil {
		return err
	}
	u.limits.end(n.String())
	return nil
}

// Settle has an upload stored that is whole, notes as what, and deletes its bytes here. The
// caller holds it.
func (u *Uploads) Settle(n Name, store func(io.Reader) (api.Content, error)) error {
	file, err := os.Open(u.path(n))
	if err != nil {
		return err
	}
	defer file.Close()
	stored, err := store(file)
	if err != nil {
		return err
	}
	text, err := json.Marshal(stored)
	if err != nil {
		return err
	}
	draft := u.path(n) + storedSuffix + ".new"
	if err := errors.Join(os.WriteFile(draft, text, 0o600), u.keep(draft)); err != nil {
		return err
	}
	if err := errors.Join(os.Rename(draft, u.path(n)+storedSuffix), u.keep(u.folder)); err != nil {
		return err
	}
	u.limits.set(n.String(), upload{stored: true})
	return errors.Join(os.Remove(u.path(n)+infoSuffix), os.Remove(u.path(n)))
}

func (u *Uploads) path(n Name) string { return filepath.Join(u.folder, n.String()) }
