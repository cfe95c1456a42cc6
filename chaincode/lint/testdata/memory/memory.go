// Package memory remembers things between transactions, which it must not.
package memory

import (
	"regexp"
	"sync"

	"github.com/pie-consortium/pie/ledger"
)

var (
	count int
	cache = map[string]string{}
	last  struct{ id string }
	lock  sync.Mutex
	form  = regexp.MustCompile(`^[a-z]+$`)
)

var names = func() map[string]bool {
	made := map[string]bool{}
	made["record"] = true
	return made
}()

func remember(id string) string {
	count++                     // want `changes the package variable count`
	cache[id] = id              // want `changes the package variable cache`
	delete(cache, "old")        // want `changes the package variable cache`
	last.id = id                // want `changes the package variable last`
	lock.Lock()                 // want `changes the package variable lock`
	defer lock.Unlock()         // want `changes the package variable lock`
	for last.id = range cache { // want `changes the package variable last`
		continue
	}
	place := &last // want `changes the package variable last`
	return place.id
}

func look(id string, grant ledger.Grant) (string, bool) {
	grant.Version = count
	found := map[string]string{id: cache[id]}
	found[id] = last.id
	return found[id], form.MatchString(id) && names[id]
}
