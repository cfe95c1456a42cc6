// Package doors tries every way into peers and ordering nodes: each gRPC service, each
// function of their system chaincodes, and administration, as everybody who has no business
// there. It has tests only.
package doors
