// Package client is the user's side of PIE: it holds the user's keys, signs their
// transactions, and encrypts, shares and opens their records through the hospitals'
// gateways.
//
// It believes nobody. What a gateway says is checked against what owners of keys
// signed, what a majority of the members endorsed, and what content hashes to; who
// altered something is named in an [AlteredError]. The trust bundle in the invitation is the one thing
// it takes as given, so that must reach the device out of band.
//
// What nobody's signature can show is absence: a gateway can hide a record, a request
// or a grant, and refuse to answer. Then another hospital's gateway is asked.
//
// A [Client] may be used by many goroutines at once. Every method takes a context and
// gives up when that ends; methods that write return only once the ledger has
// committed, or say that they do not know.
package client
