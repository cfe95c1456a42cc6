package ledger

import "time"

// MaxOpenAge bounds how long after the time that an open states proxies serve it. As that
// may be two minutes ahead of the peers' clocks, a proxy whose peer hears of nothing any
// more stops four minutes after the open at the latest.
const MaxOpenAge = 2 * time.Minute

// Limits of one transaction. A record's footprint on the ledger stays small; bulk
// bytes go to IPFS.
const (
	maxOrganizations = 16
	maxListed        = 16
	maxText          = 128     // bytes of a name or code
	maxStatement     = 6 << 10 // bytes of a key statement or card; a proxy key alone is 2 KB
	maxSealed        = 4 << 10 // bytes of one sealed key fragment

	maxWrapped  = 64 // bytes of a file key, encrypted with a capsule
	capsuleSize = 98 // bytes of an Umbral capsule: E, V, s

	// RequestQuota is how many requests to one patient somebody makes on one day (UTC), and
	// RefusedQuota how many refused requests, and how many refused openings, are committed of
	// somebody on one day. What is beyond is refused without a trace.
	RequestQuota = 100
	RefusedQuota = 100
	// ChangeQuota is how often on one day something is changed that others' transactions read.
	ChangeQuota = 20

	// MaxSlots is how many slots one authorisation opens at most.
	MaxSlots = 32

	// MaxContent is the largest ciphertext, in bytes.
	MaxContent = 64 << 30

	// MaxProxies is how many proxies a grant has at most: it costs the same in a
	// consortium of a hundred.
	MaxProxies = 5

	// MaxReplicas is of how many record versions a hospital says at once that it keeps them.
	MaxReplicas = 64
	// MaxVersions is how many versions a record has at most, and MaxGrants how many
	// grants that have not ended: one transaction ends them all, and an erasure writes
	// every version.
	MaxVersions = 256
	MaxGrants   = 256

	// MaxKept is how many grants a rotation keeps: their fragments come in one proposal.
	MaxKept = 64

	// MaxPage is the most rows a list returns at once; DefaultPage is what it
	// returns when not told.
	MaxPage     = 200
	DefaultPage = 50
)
