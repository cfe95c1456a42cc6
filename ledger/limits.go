package ledger

// Limits of one transaction. A record's footprint on the ledger stays small; bulk
// bytes go to IPFS.
const (
	maxOrganizations = 100
	maxListed        = 64
	maxSlots         = 32
	maxText          = 256     // bytes of a name or code
	maxStatement     = 8 << 10 // bytes of a key statement or card
	maxSealed        = 4 << 10 // bytes of one sealed key fragment

	maxSize     = 1<<40 - 1 // bytes of one ciphertext
	capsuleSize = 98        // bytes of an Umbral capsule: E, V, s

	// MaxProxies is how many proxies a grant has at most: it costs the same in a
	// consortium of a hundred.
	MaxProxies = 5

	// MaxPage is the most rows a list returns at once; DefaultPage is what it
	// returns when not told.
	MaxPage     = 200
	DefaultPage = 50
)
