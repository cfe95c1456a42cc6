package settings

import (
	"fmt"
	"strconv"
)

// logFormat is Fabric's own without colours: logs are files here.
const logFormat = "%{time:2006-01-02 15:04:05.000 MST} [%{module}] %{shortfunc} -> %{level:.4s} %{message}"

func (t *Table) orderer(n *Node) {
	n.Ports = []int{ordererPort, ordererAdminPort, operationsPort}
	n.Command = []string{"orderer"}
	// Fabric is healthy a moment before it listens, and administrators come last.
	n.Health = []string{"http://" + n.private(operationsPort) + "/healthz", "tcp://" + n.Endpoint(), "tcp://" + n.at(ordererAdminPort)}
	n.Environment = map[string]string{
		"FABRIC_CFG_PATH":                 n.Dir,
		"FABRIC_LOGGING_FORMAT":           logFormat,
		"ORDERER_GENERAL_LISTENADDRESS":   n.Place.Listen.String(),
		"ORDERER_GENERAL_LISTENPORT":      strconv.Itoa(ordererPort),
		"ORDERER_GENERAL_LOCALMSPID":      n.MSP,
		"ORDERER_GENERAL_LOCALMSPDIR":     n.file("msp"),
		"ORDERER_GENERAL_TLS_ENABLED":     "true",
		"ORDERER_GENERAL_TLS_CERTIFICATE": n.file("tls", "cert.pem"),
		"ORDERER_GENERAL_TLS_PRIVATEKEY":  n.file("tls", "key.pem"),
		"ORDERER_GENERAL_TLS_ROOTCAS":     "[" + n.file("tls", "ca.pem") + "]",
		// Only nodes, gateways and administrators have certificates of these roots, or of the
		// other members' that the channel's configuration adds: docs/adr/0014.
		"ORDERER_GENERAL_TLS_CLIENTAUTHREQUIRED":    "true",
		"ORDERER_GENERAL_TLS_CLIENTROOTCAS":         "[" + n.file("tls", "ca.pem") + "]",
		"ORDERER_GENERAL_CLUSTER_CLIENTCERTIFICATE": n.file("tls", "cert.pem"),
		"ORDERER_GENERAL_CLUSTER_CLIENTPRIVATEKEY":  n.file("tls", "key.pem"),
		// Blocks that a node missed come from one other node at a time, each with a quorum's
		// signatures. Fabric's default takes their headers from all, and shows no certificate
		// hash when it asks, which nodes that want client certificates refuse.
		"ORDERER_GENERAL_CLUSTER_REPLICATIONPOLICY": "simple",
		"ORDERER_GENERAL_BOOTSTRAPMETHOD":           "none",
		"ORDERER_CHANNELPARTICIPATION_ENABLED":      "true",
		"ORDERER_ADMIN_LISTENADDRESS":               n.listen(ordererAdminPort),
		"ORDERER_ADMIN_TLS_ENABLED":                 "true",
		"ORDERER_ADMIN_TLS_CERTIFICATE":             n.file("tls", "cert.pem"),
		"ORDERER_ADMIN_TLS_PRIVATEKEY":              n.file("tls", "key.pem"),
		"ORDERER_ADMIN_TLS_CLIENTAUTHREQUIRED":      "true",
		"ORDERER_ADMIN_TLS_CLIENTROOTCAS":           "[" + n.OfficersRoot() + "]",
		"ORDERER_FILELEDGER_LOCATION":               n.file("state", "ledger"),
		"ORDERER_CONSENSUS_WALDIR":                  n.file("state", "wal"),
		"ORDERER_CONSENSUS_SNAPDIR":                 n.file("state", "snapshots"),
		"ORDERER_OPERATIONS_LISTENADDRESS":          n.private(operationsPort),
		"ORDERER_METRICS_PROVIDER":                  "prometheus",
	}
}

// OfficersRoot is the file of the root whose TLS certificates an ordering node's
// administration answers: it is above those of administrators, and of no node.
func (n Node) OfficersRoot() string { return n.file("tls", "officers.pem") }

// OrdererAdmin is the URL at which an ordering node's administrator joins channels.
func (n Node) OrdererAdmin() string { return "https://" + n.at(ordererAdminPort) }

func (t *Table) peer(n *Node) {
	organization, _ := t.consortium.Organization(n.MSP)
	bootstrap := n.Name
	for _, other := range organization.Peers {
		if other != n.Name {
			bootstrap = other
			break
		}
	}
	n.Ports = []int{peerPort, peerServicePort, operationsPort}
	n.Command = []string{"peer", "node", "start"}
	// Fabric is healthy a moment before it listens.
	n.Health = []string{"http://" + n.private(operationsPort) + "/healthz", "tcp://" + n.Endpoint()}
	n.Environment = map[string]string{
		"FABRIC_CFG_PATH":                  n.Dir,
		"FABRIC_LOGGING_FORMAT":            logFormat,
		"CORE_PEER_ID":                     n.Name,
		"CORE_PEER_NETWORKID":              t.consortium.Channel,
		"CORE_PEER_ADDRESS":                n.at(peerPort),
		"CORE_PEER_LISTENADDRESS":          n.listen(peerPort),
		"CORE_PEER_CHAINCODELISTENADDRESS": n.private(peerServicePort),
		"CORE_PEER_LOCALMSPID":             n.MSP,
		"CORE_PEER_MSPCONFIGPATH":          n.file("msp"),
		"CORE_PEER_FILESYSTEMPATH":         n.file("state"),
		"CORE_LEDGER_SNAPSHOTS_ROOTDIR":    n.file("state", "snapshots"),
		"CORE_PEER_TLS_ENABLED":            "true",
		"CORE_PEER_TLS_CERT_FILE":          n.file("tls", "cert.pem"),
		"CORE_PEER_TLS_KEY_FILE":           n.file("tls", "key.pem"),
		"CORE_PEER_TLS_ROOTCERT_FILE":      n.file("tls", "ca.pem"),
		// As at ordering nodes.
		"CORE_PEER_TLS_CLIENTAUTHREQUIRED":  "true",
		"CORE_OPERATIONS_LISTENADDRESS":     n.private(operationsPort),
		"CORE_METRICS_PROVIDER":             "prometheus",
		"CORE_PEER_GOSSIP_BOOTSTRAP":        t.endpoint(bootstrap, peerPort),
		"CORE_PEER_GOSSIP_ENDPOINT":         n.at(peerPort),
		"CORE_PEER_GOSSIP_EXTERNALENDPOINT": n.at(peerPort),
		// A purge is to leave nothing: neither its keys, which say what a record was about, in
		// the log, nor rows on the disk for as long as a hundred blocks take.
		"CORE_LEDGER_PVTDATASTORE_PURGEDKEYAUDITLOGGING": "false",
		"CORE_LEDGER_PVTDATASTORE_PURGEINTERVAL":         "10",
		// The defaults make the first endorsement by a majority wait half a minute.
		"CORE_PEER_GOSSIP_RECONNECTINTERVAL":              "1s",
		"CORE_PEER_GOSSIP_PUBLISHSTATEINFOINTERVAL":       "1s",
		"CORE_PEER_GOSSIP_REQUESTSTATEINFOINTERVAL":       "1s",
		"CORE_PEER_GOSSIP_ALIVETIMEINTERVAL":              "1s",
		"CORE_PEER_GOSSIP_ALIVEEXPIRATIONTIMEOUT":         "10s",
		"CORE_PEER_GOSSIP_PVTDATA_RECONCILESLEEPINTERVAL": "2s",
		// How long a block waits for private rows that no peer has, a minute otherwise: they
		// are looked for afterwards too. How long an ordering node may keep back blocks that
		// others tell of, and another hospital's peer its endorsement before a third one is
		// asked, half a minute otherwise.
		"CORE_PEER_GOSSIP_PVTDATA_PULLRETRYTHRESHOLD":        "3s",
		"CORE_PEER_DELIVERYCLIENT_BLOCKCENSORSHIPTIMEOUTKEY": "3s",
		"CORE_PEER_GATEWAY_ENDORSEMENTTIMEOUT":               "8s",
		builderVariable:                                      fmt.Sprintf(`{"address":%q}`, t.endpoint(organization.Chaincode, chaincodePort)),
	}
	// No container engine, but our own way to the chaincode.
	n.Core = map[string]any{
		"vm.endpoint":                  "",
		"peer.tls.clientRootCAs.files": []string{n.file("tls", "ca.pem")},
		"chaincode.externalBuilders": []any{map[string]any{
			"name": "ccaas_builder", "path": n.Builder(), "propagateEnvironment": []string{builderVariable},
		}},
	}
	t.useDatabase(n)
}

// builderVariable says where the chaincode is to the builder, which fills it into the
// chaincode package.
const builderVariable = "CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG"

// Builder is the folder of the programs by which a peer finds its chaincode.
func (n Node) Builder() string { return n.file("builder") }

func (t *Table) chaincode(n *Node) {
	n.Ports = []int{chaincodePort}
	n.Command = []string{"pie-chaincode"}
	n.Health = []string{"tcp://" + n.private(chaincodePort)}
	n.Environment = map[string]string{"CHAINCODE_ID": t.packageID, "CHAINCODE_SERVER_ADDRESS": n.private(chaincodePort)}
}

func (t *Table) ca(n *Node) {
	n.Ports = []int{caPort, operationsPort}
	// It writes into its home.
	n.Command = []string{"fabric-ca-server", "start", "--home", n.State()}
	// Fabric is healthy a moment before it listens.
	n.Health = []string{"http://" + n.private(operationsPort) + "/healthz", "tcp://" + n.Endpoint()}
	authority := t.Organization(n.MSP) + "/ca"
	n.Reads = []string{authority}
	n.Configuration = map[string]any{"state/fabric-ca-server-config.yaml": map[string]any{
		"address": n.Place.Listen.String(),
		"port":    caPort,
		"tls":     map[string]any{"enabled": true, "certfile": n.file("tls", "cert.pem"), "keyfile": n.file("tls", "key.pem")},
		"ca":      map[string]any{"name": n.Name, "certfile": authority + "/cert.pem", "keyfile": authority + "/key.pem"},
		"db":      map[string]any{"type": "sqlite3", "datasource": n.file("state", "ca.db")},
		// A new user's certificate lasts a year; nobody may ask for a CA's.
		"signing": map[string]any{"default": map[string]any{"usage": []string{"digital signature"}, "expiry": "8760h"}},
		"bccsp":   map[string]any{"default": "SW", "sw": map[string]any{"hash": "SHA2", "security": 256, "filekeystore": map[string]any{"keystore": n.file("state", "keystore")}}},
		// Failures are not counted: whoever can reach the CA, through the gateway for one, could
		// lock accounts by them. Secrets have 128 bits or more.
		"cfg":        map[string]any{"identities": map[string]any{"passwordattempts": 0}},
		"operations": map[string]any{"listenaddress": n.private(operationsPort)},
		"metrics":    map[string]any{"provider": "prometheus"},
		"registry": map[string]any{"maxenrollments": -1, "identities": []any{map[string]any{
			"name": registrarOf(t.RegistrarSecret(n.MSP)), "pass": secretOf(t.RegistrarSecret(n.MSP)), "type": "client", "affiliation": "",
			"attrs": map[string]any{"hf.Registrar.Roles": "client", "hf.Registrar.Attributes": "pie.*", "hf.Revoker": true, "hf.GenCRL": true},
		}}},
	}}
}
