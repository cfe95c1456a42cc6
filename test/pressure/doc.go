// Package pressure puts gateways under what they must bear: broken input of every kind,
// connections that are slow or never end, and more callers than the peer can serve.
// Every answer must be one that the OpenAPI document describes, nothing may change on the
// ledger that was not signed, and afterwards the gateway must be as it was.
package pressure
