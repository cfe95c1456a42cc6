package auth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

const (
	// maxUsed bounds how many assertions are remembered, about 200 bytes each, and
	// maxUsedEach how many of one user: one a second of those that live longest.
	maxUsed, maxUsedEach = 100_000, 600
	// horizon is the longest that an assertion can be of use: one whose device is ahead
	// lives as long as one may, and as much again as clocks may differ.
	horizon = trust.MaxAssertionLifetime + 2*trust.ClockSkew
)

// Used remembers assertions until they expire, so that none is taken twice: in memory,
// and in a file, which a gateway that was ended finds again. What it cannot remember for
// sure it refuses.
type Used struct {
	path        string
	total, each int
	flush       func(*os.File) error // has the disk keep what was written

	flushing sync.Mutex // so that those who wait are served by one flush

	mutex           sync.Mutex
	until           map[use]int64 // seconds
	of              map[owner]int // how many of each
	sweep           time.Time     // when some may have expired
	closed          time.Time     // until when nothing is taken, after damage
	file            *os.File
	lines           int    // in the file
	written, stable uint64 // how many came, and how many of them the disk keeps
	broken          error  // why the file cannot be appended to
}

// OpenUsed reads what a gateway before this one wrote into the file. When that is damaged
// nothing is taken until all of it has expired.
func OpenUsed(path string, now time.Time) (*Used, error) {
	u := &Used{
		path: path, total: maxUsed, each: maxUsedEach, flush: (*os.File).Sync, until: map[use]int64{}, of: map[owner]int{},
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("used assertions: %w", err)
	}
	uses, err := parseUses(text)
	if err != nil {
		u.closed = now.Add(horizon)
	}
	for known, until := range uses {
		if now.Unix() < until {
			u.add(known, until)
		}
	}
	if err := u.rewrite(); err != nil {
		return nil, fmt.Errorf("used assertions: %w", err)
	}
	return u, nil
}

// Ready says why no token is issued. It tries to mend the file.
func (u *Used) Ready(context.Context) error {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	if time.Now().Before(u.closed) {
		return fmt.Errorf("%s was damaged; tokens are issued again at %s, when all that it held has expired", u.path, u.closed.UTC().Format(time.RFC3339))
	}
	return u.repair()
}

// remember refuses an assertion that is known, and any that cannot be remembered until it
// expires: because the user or all together have too many, or the disk does not keep it.
func (u *Used) remember(user ledger.UserID, id string, until, now time.Time) error {
	known := useOf(user, id)
	number, err := u.write(known, until, now)
	if err == nil {
		err = u.settle(number)
	}
	if code := fault.CodeOf(err); err == nil || code != fault.Internal {
		return err
	}
	u.mutex.Lock()
	defer u.mutex.Unlock()
	u.remove(known) // it got no token
	return errors.Join(fault.New(fault.Overloaded, "the gateway cannot keep which assertions were used, and issues no token; its operator finds the reason at /readyz"), err)
}

// write notes a use in memory and in the file, as the number that is returned.
func (u *Used) write(known use, until, now time.Time) (uint64, error) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	if now.Unix() < u.until[known] {
		return 0, fault.New(fault.Unauthenticated, "this assertion has been used; sign a new one")
	}
	if err := u.requireRoom(known.owner, now); err != nil {
		return 0, err
	}
	u.add(known, until.Unix()+1)
	u.written++
	if u.broken != nil || u.lines >= 2*u.total {
		return u.written, u.rewrite()
	}
	u.lines++
	if _, err := u.file.WriteString(known.line(until.Unix() + 1)); err != nil {
		u.broken = err
	}
	return u.written, u.broken
}

func (u *Used) requireRoom(who owner, now time.Time) error {
	if now.Before(u.closed) {
		return fault.New(fault.Overloaded, "the gateway lost which assertions were used; it issues tokens again within %s", horizon)
	}
	if len(u.until) >= u.total || u.of[who] >= u.each {
		u.forget(now)
	}
	switch {
	case u.of[who] >= u.each:
		return fault.New(fault.RateLimited, "you have asked for %d tokens within minutes; use one until it expires", u.each)
	case len(u.until) >= u.total:
		return fault.New(fault.Overloaded, "too many tokens are being asked for; wait a minute")
	}
	return nil
}

// settle waits until the disk keeps the use of that number. Those who wait at the same
// time wait for one flush.
func (u *Used) settle(number uint64) error {
	u.flushing.Lock()
	defer u.flushing.Unlock()
	u.mutex.Lock()
	broken := u.repair() // a disk that lost something tells it once
	file, upTo, stable := u.file, u.written, u.stable
	u.mutex.Unlock()
	if broken != nil || stable >= number {
		return broken
	}
	err := u.flush(file)
	u.mutex.Lock()
	defer u.mutex.Unlock()
	switch {
	case u.stable >= number: // the file was written anew meanwhile
		return nil
	case err != nil: // what is in the file now nobody knows
		u.broken = err
		return err
	}
	u.stable = upTo
	return nil
}

// repair writes a file anew that could not be appended to.
func (u *Used) repair() error {
	if u.broken == nil {
		return nil
	}
	return u.rewrite()
}

// rewrite replaces the file by what is remembered.
func (u *Used) rewrite() error {
	draft, err := u.draft()
	if err != nil {
		u.broken = err
		return err
	}
	if u.file != nil {
		_ = u.file.Close() // nothing more is written to it
	}
	u.file, u.lines, u.stable, u.broken = draft, len(u.until), u.written, nil
	return nil
}

// draft is the file's successor, in its place. After a crash it is the old one or the new
// one.
func (u *Used) draft() (*os.File, error) {
	draft, err := os.OpenFile(u.path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = draft.Write(formatUses(u.until))
	if err := errors.Join(err, u.flush(draft)); err != nil {
		return nil, errors.Join(err, draft.Close())
	}
	if err := os.Rename(u.path+".new", u.path); err != nil {
		return nil, errors.Join(err, draft.Close())
	}
	folder, err := os.Open(filepath.Dir(u.path))
	if err != nil {
		return nil, errors.Join(err, draft.Close())
	}
	return draft, errors.Join(u.flush(folder), folder.Close())
}

// forget drops what has expired, at most once a second: it walks all entries.
func (u *Used) forget(now time.Time) {
	if now.Before(u.sweep) {
		return
	}
	u.sweep = now.Add(time.Second)
	for known, until := range u.until {
		if now.Unix() >= until {
			u.remove(known)
		}
	}
}

func (u *Used) add(known use, until int64) {
	if _, there := u.until[known]; !there {
		u.of[known.owner]++
	}
	u.until[known] = until
}

func (u *Used) remove(known use) {
	if _, there := u.until[known]; !there {
		return
	}
	delete(u.until, known)
	if u.of[known.owner]--; u.of[known.owner] == 0 {
		delete(u.of, known.owner)
	}
}
