// Package ledger is the shared language of PIE: what stands on the consortium's
// ledger, the arguments of every transaction, and the words that devices, gateways
// and chaincode use for them. It has types and their validity, no behaviour of one
// side only, and imports the standard library alone.
package ledger
