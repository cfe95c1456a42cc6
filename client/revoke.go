package client

import (
	"context"

	"github.com/pie-consortium/pie/ledger"
)

// Revoke takes away what a grant of this patient's lets somebody open: no opening that
// comes after it is valid, proxies refuse as soon as their own peer has it, and every
// hospital forgets the key fragments. What was opened before stays with who opened it.
// Revoking again is not an error.
func (c *Client) Revoke(ctx context.Context, v ledger.RecordVersion, grant ledger.ID) (ledger.Grant, error) {
	arguments := ledger.RevokeGrant{RecordVersion: v, Grant: grant}
	if err := arguments.Validate(); err != nil {
		return ledger.Grant{}, err
	}
	c.step("revoking grant %s", grant)
	revoked, _, err := submit[ledger.Grant](ctx, c, change{name: ledger.TxRevokeGrant, arguments: arguments})
	return revoked, err
}
