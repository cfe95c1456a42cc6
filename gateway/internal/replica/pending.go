package replica

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/pie-consortium/pie/internal/durable"
	"github.com/pie-consortium/pie/ledger"
)

// pending is a folder with an empty file for each record version that is still to be
// looked at: what survives a crash between the event and its consequences. A version may
// be added again while somebody looks at it; then it stays pending.
type pending struct {
	folder string

	mutex sync.Mutex
	added map[ledger.RecordVersion]int // how often, of those that are pending
}

// openPending reads what was left.
func openPending(folder string) (*pending, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("pending replicas: %w", err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("pending replicas: %w", err)
	}
	p := &pending{folder: folder, added: map[ledger.RecordVersion]int{}}
	for _, entry := range entries {
		v, err := parseName(entry.Name())
		if err != nil {
			return nil, fmt.Errorf("pending replicas: %s is none of the gateway's files; remove it", filepath.Join(folder, entry.Name()))
		}
		p.added[v] = 1
	}
	return p, nil
}

// add reports false when the version is pending already.
func (p *pending) add(v ledger.RecordVersion) (bool, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.added[v] > 0 {
		p.added[v]++
		return false, nil
	}
	file, err := os.OpenFile(p.path(v), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return false, fmt.Errorf("pending replicas: %w", err)
	}
	if err := errors.Join(file.Close(), durable.Sync(p.folder)); err != nil {
		return false, fmt.Errorf("pending replicas: %w", err)
	}
	p.added[v] = 1
	return true, nil
}

// times is how often a version was added.
func (p *pending) times(v ledger.RecordVersion) int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.added[v]
}

// remove forgets a version that was added so many times, and reports false when it was
// added once more. The loss of a removal in a crash costs another look.
func (p *pending) remove(v ledger.RecordVersion, times int) (bool, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.added[v] != times {
		return false, nil
	}
	delete(p.added, v)
	return true, os.Remove(p.path(v))
}

func (p *pending) list() []ledger.RecordVersion {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	var versions []ledger.RecordVersion
	for v := range p.added {
		versions = append(versions, v)
	}
	return versions
}

func (p *pending) path(v ledger.RecordVersion) string {
	return filepath.Join(p.folder, fmt.Sprintf("%s.%d", v.Record, v.Version))
}

func parseName(name string) (ledger.RecordVersion, error) {
	record, version, _ := strings.Cut(name, ".")
	number, err := strconv.Atoi(version)
	if err != nil {
		return ledger.RecordVersion{}, err
	}
	v := ledger.RecordVersion{Record: ledger.ID(record), Version: number}
	return v, v.Validate()
}
