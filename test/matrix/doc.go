// Package matrix shows, against a running network, who may do what: every transaction
// by every role, clearance and organisation in every state of what it is about, as
// docs/contract.md says. It has tests only.
package matrix
