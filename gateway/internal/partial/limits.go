package partial

import (
	"strings"
	"sync"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

const (
	// maxEach and bytesEach bound the uploads of one caller that are not stored yet, and
	// their announced sizes.
	maxEach, bytesEach = 16, ledger.MaxContent
	// bytesAll bounds what is on the disk of all of them: what came counts, whatever was
	// announced.
	bytesAll = 4 * ledger.MaxContent
	// overhead is what an upload takes on the disk beside its bytes.
	overhead = 8 << 10
)

// limits counts what there is. Nobody may have more on the disk than is left there for
// all others: who came first never leaves nothing.
type limits struct {
	mutex   sync.Mutex
	uploads map[string]upload // by name
	callers map[string]quota  // by owner; none is no entry
	onDisk  int64             // bytes, in all
}

// upload is one, in bytes.
type upload struct {
	announced, received int64
	stored              bool // and only what was stored is still noted
}

// quota is what somebody has.
type quota struct{ uploads, announced, onDisk int64 }

func newLimits() *limits {
	return &limits{uploads: map[string]upload{}, callers: map[string]quota{}}
}

// begin counts another upload, or refuses it.
func (l *limits) begin(name string, announced int64) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	own := l.callers[ownerIn(name)]
	if own.uploads >= maxEach || own.announced+announced > bytesEach {
		return fault.New(fault.RateLimited, "you have %d uploads of %d bytes under way; finish one, or wait until it expires", own.uploads, own.announced)
	}
	if err := l.requireRoom(name, overhead); err != nil {
		return err
	}
	l.put(name, upload{announced: announced})
	return nil
}

// grow counts bytes that come, or refuses them.
func (l *limits) grow(name string, bytes int64) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	u, known := l.uploads[name]
	if !known {
		return fault.New(fault.NotFound, "you have no such upload; it may have expired")
	}
	if err := l.requireRoom(name, bytes); err != nil {
		return err
	}
	u.received += bytes
	l.put(name, u)
	return nil
}

func (l *limits) requireRoom(name string, bytes int64) error {
	if l.callers[ownerIn(name)].onDisk+bytes > bytesAll-l.onDisk-bytes {
		return fault.New(fault.Overloaded, "the gateway has no room for more uploads in pieces now; go on later, or send the content whole")
	}
	return nil
}

// set says what there is of an upload; a received one that was not counted is.
func (l *limits) set(name string, u upload) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.put(name, u)
}

// end forgets an upload that has gone.
func (l *limits) end(name string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.take(name)
}

func (l *limits) put(name string, u upload) {
	l.take(name)
	l.uploads[name] = u
	l.count(name, u, 1)
}

func (l *limits) take(name string) {
	if u, known := l.uploads[name]; known {
		delete(l.uploads, name)
		l.count(name, u, -1)
	}
}

func (l *limits) count(name string, u upload, times int64) {
	owner := ownerIn(name)
	own := l.callers[owner]
	if !u.stored {
		own.uploads += times
		own.announced += times * u.announced
	}
	own.onDisk += times * (u.received + overhead)
	l.onDisk += times * (u.received + overhead)
	if l.callers[owner] = own; own == (quota{}) {
		delete(l.callers, owner)
	}
}

// ownerIn is the owner in an upload's name.
func ownerIn(name string) string {
	owner, _, _ := strings.Cut(name, ".")
	return owner
}
