package settings

import "fmt"

// DatabaseSecret is the file, in the node's folder, with the secret by which a peer
// uses its state database.
const DatabaseSecret = "peer.secret"

// databaseUser is the name of that account.
const databaseUser = "peer"

// database is a CouchDB for one peer. It keeps its configuration beside its data, as it
// replaces the secret there by a hash.
func (t *Table) database(n *Node) {
	n.Ports = []int{databasePort}
	n.Command = []string{"/opt/couchdb/bin/couchdb"}
	n.Health = []string{"http://" + n.private(databasePort) + "/_up"}
	n.Environment = map[string]string{
		"HOME":             n.State(),
		"ERL_EPMD_ADDRESS": "127.0.0.1",
		"ERL_FLAGS":        fmt.Sprintf("-kernel inet_dist_use_interface {127,0,0,1} -couch_ini /opt/couchdb/etc/default.ini %s", n.file("state", "couchdb.ini")),
	}
	n.Configuration = map[string]any{"state/couchdb.ini": map[string]any{
		"couchdb": map[string]any{"single_node": true, "database_dir": n.file("state", "data"), "view_index_dir": n.file("state", "data")},
		"chttpd":  map[string]any{"bind_address": n.Place.Private.String(), "port": databasePort},
		"log":     map[string]any{"writer": "stderr"},
		"admins":  map[string]any{databaseUser: secretOf(n.file(DatabaseSecret))},
	}}
}

// useDatabase has a peer keep its state in the database beside it, if there is one.
func (t *Table) useDatabase(peer *Node) {
	database, err := t.Node(databaseOf(peer.Name))
	if err != nil {
		return
	}
	peer.Needs = []string{database.Name}
	peer.Environment["CORE_LEDGER_STATE_STATEDATABASE"] = "CouchDB"
	peer.Environment["CORE_LEDGER_STATE_COUCHDBCONFIG_COUCHDBADDRESS"] = database.Endpoint()
	peer.Environment["CORE_LEDGER_STATE_COUCHDBCONFIG_USERNAME"] = databaseUser
	peer.Core["ledger.state.couchDBConfig.password"] = secretOf(database.file(DatabaseSecret))
}
