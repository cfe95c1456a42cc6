package ledger

import "time"

// WhoCanRead asks who could open a record version now, and by which rule, for its patient
// and privacy officers; version 0 is the newest. Result: List[Reader].
type WhoCanRead struct {
	OnBehalf
	Page
	Record  ID  `json:"record"`
	Version int `json:"version,omitempty"`
}

// Validate checks the parts.
func (q WhoCanRead) Validate() error {
	return firstError(ReadRecord{Record: q.Record, Version: q.Version}.Validate(), q.Page.Validate())
}

// Reader is somebody who has a record version's key or a grant for it, and whether that
// would open it now. The identity is the registered one.
type Reader struct {
	Record   ID         `json:"record"`
	Version  int        `json:"version"`
	Identity Identity   `json:"identity"`
	Decision Decision   `json:"decision"`
	Grant    ID         `json:"grant,omitempty"` // empty for who has the key
	State    GrantState `json:"state,omitempty"`
	Purpose  Purpose    `json:"purpose,omitempty"`
	Expiry   time.Time  `json:"expiry,omitzero"`
}
