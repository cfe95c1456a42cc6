// Package address prints where things lie in memory.
package address

import (
	"fmt"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

func where(grant *ledger.Grant, each func()) error {
	text := fmt.Sprint(each) // want `an address in memory`
	if text == "" {
		return fmt.Errorf("grant %p", // want `an address in memory`
			grant) // want `an address in memory`
	}
	return fault.New(fault.NotFound, "there is no grant %v", grant) // want `an address in memory`
}

func what(grant *ledger.Grant, err *fault.Error) error {
	if err != nil {
		return fmt.Errorf("read the grant: %w", err)
	}
	return fault.New(fault.NotFound, "there is no grant %s of %s", grant.ID, grant.Patient)
}
