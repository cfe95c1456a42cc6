package compose

import "github.com/pie-consortium/pie/network/internal/settings"

// kind is how a kind of node is contained: what the table of settings does not say.
type kind struct {
	image string
	// dockerfile builds the image, if it is ours.
	dockerfile string
	// meets says that nodes of other organisations reach this one.
	meets bool
	// published says that clients do.
	published bool
	limits    deploy
}

var kinds = map[settings.Kind]kind{
	settings.Orderer:   {image: "hyperledger/fabric-orderer:3.1", meets: true, limits: limits("2", "2G", 1024)},
	settings.CA:        {image: "hyperledger/fabric-ca:1.5.15", limits: limits("1", "512M", 256)},
	settings.Database:  {image: "couchdb:3.4", limits: limits("2", "2G", 1024)},
	settings.Peer:      {image: "hyperledger/fabric-peer:3.1", meets: true, limits: limits("2", "2G", 1024)},
	settings.Chaincode: {image: "pie-chaincode", dockerfile: "chaincode/Dockerfile", limits: limits("2", "512M", 256)},
	settings.IPFS:      {image: "ipfs/kubo:v0.38.2", meets: true, limits: limits("2", "2G", 1024)},
	settings.Gateway:   {image: "pie-gateway", dockerfile: "gateway/Dockerfile", published: true, limits: limits("2", "1G", 512)},
}

// limits are processors, memory, and processes with their threads.
func limits(cpus, memory string, pids int) deploy {
	return deploy{resources{amounts{CPUs: cpus, Memory: memory, PIDs: pids}}}
}
