package ledger

import (
	"regexp"
	"time"

	"github.com/pie-consortium/pie/ledger/fault"
)

// OnBehalf names on whose behalf a gateway reads, as the token says that it verified.
// Only a certificate of role gateway may name one; anybody else reads as themselves.
type OnBehalf struct {
	Reader *Identity `json:"reader,omitempty"`
}

// Page asks for a part of a list.
type Page struct {
	Limit    int    `json:"limit,omitempty"`    // rows; 0 means [DefaultPage]
	Bookmark string `json:"bookmark,omitempty"` // of the page before
}

// Validate refuses limits outside 0 to [MaxPage] and oversized bookmarks.
func (p Page) Validate() error {
	if p.Limit < 0 || p.Limit > MaxPage {
		return fault.New(fault.InvalidArgument, "limit must be 1 to %d", MaxPage)
	}
	if len(p.Bookmark) > 1<<10 {
		return fault.New(fault.InvalidArgument, "bookmark is not one of ours")
	}
	return nil
}

// List is one page of rows and where the next begins; an empty bookmark ends the list.
// A page may be short, even empty, before the end.
type List[T any] struct {
	Rows     []T    `json:"rows"`
	Bookmark string `json:"bookmark,omitempty"`
}

// ReadOrganizations lists the members. Result: List[Organization].
type ReadOrganizations struct{}

// Validate has nothing to refuse.
func (ReadOrganizations) Validate() error { return nil }

// ReadUser reads somebody's registration. Result: [UserView].
type ReadUser struct {
	User UserID `json:"user"`
}

// Validate checks the name.
func (q ReadUser) Validate() error { return q.User.Validate() }

// UserView is a registered user with their professional card, when they have one.
type UserView struct {
	User
	Card string `json:"card,omitempty"`
}

// ReadRecord reads a record version; version 0 is the newest. Result: [RecordView].
type ReadRecord struct {
	OnBehalf
	Record  ID  `json:"record"`
	Version int `json:"version,omitempty"`
}

// Validate checks the parts.
func (q ReadRecord) Validate() error {
	if q.Version < 0 {
		return fault.New(fault.InvalidArgument, "versions begin at 1; 0 is the newest")
	}
	return q.Record.Validate()
}

// RecordView is a record with what it is about and under which key it is encrypted.
type RecordView struct {
	Record
	Metadata  *Metadata `json:"metadata,omitempty"` // absent when purged or not yet here
	RecordKey string    `json:"recordKey"`          // key statement, JWS
}

// SearchRecords finds records that the reader may discover; at least one of patient,
// hospital, class and code is needed. Result: List[RecordView].
type SearchRecords struct {
	OnBehalf
	Page
	Patient  UserID    `json:"patient,omitzero"`
	Hospital string    `json:"hospital,omitempty"` // MSP of the author
	Class    Class     `json:"class,omitempty"`
	Code     string    `json:"code,omitempty"` // "system|code"
	Sex      string    `json:"sex,omitempty"`
	AgeBand  string    `json:"ageBand,omitempty"`
	From     time.Time `json:"from,omitzero"` // registered at or after
	To       time.Time `json:"to,omitzero"`   // registered before
}

// Validate refuses a search by nothing.
func (q SearchRecords) Validate() error {
	if q.Patient == (UserID{}) && q.Hospital == "" && q.Class == "" && q.Code == "" {
		return fault.New(fault.InvalidArgument, "search by patient, hospital, class or code")
	}
	if q.Class != "" {
		if err := q.Class.Validate(); err != nil {
			return err
		}
	}
	if len(q.Code) > maxText || len(q.Hospital) > maxText || len(q.Sex) > maxText || len(q.AgeBand) > maxText {
		return fault.New(fault.InvalidArgument, "a search term is longer than %d bytes", maxText)
	}
	return q.Page.Validate()
}

// ListSlots lists the slots addressed to the reader or their department, or the
// reader's own as a patient. With FreeOf it lists only those of one patient that nobody
// has used yet. Result: List[Slot].
type ListSlots struct {
	OnBehalf
	Page
	FreeOf UserID `json:"freeOf,omitzero"`
}

// Validate checks the page; the patient's name is checked when it is read.
func (q ListSlots) Validate() error { return q.Page.Validate() }

// ListRequests lists a patient's requests to answer, or the requests that the
// reader made. Result: List[AccessRequest].
type ListRequests struct {
	OnBehalf
	Page
	State RequestState `json:"state,omitempty"`
	From  time.Time    `json:"from,omitzero"` // made at or after
}

// Validate checks page and state.
func (q ListRequests) Validate() error {
	switch q.State {
	case "", RequestPending, RequestGranted, RequestDenied:
		return q.Page.Validate()
	}
	return fault.New(fault.InvalidArgument, "state must be pending, granted or denied")
}

// ReadRequest reads one request, for its patient or requester. Result: [AccessRequest].
type ReadRequest struct {
	OnBehalf
	RecordVersion
	Request ID `json:"request"`
}

// Validate checks the parts.
func (q ReadRequest) Validate() error {
	return firstError(q.RecordVersion.Validate(), q.Request.Validate())
}

// ListGrants lists the grants that the reader holds, of one record or of all.
// Result: List[Grant].
type ListGrants struct {
	OnBehalf
	Page
	Record ID `json:"record,omitempty"`
}

// Validate checks the record, if any is named, and the page.
func (q ListGrants) Validate() error {
	if q.Record == "" {
		return q.Page.Validate()
	}
	return firstError(q.Record.Validate(), q.Page.Validate())
}

// ListGivenGrants lists the grants for the reader's records as a patient, whoever issued
// them, oldest first, those that have ended and those of erased records too.
// Result: List[Grant].
type ListGivenGrants struct {
	OnBehalf
	Page
}

// Validate checks the page.
func (q ListGivenGrants) Validate() error { return q.Page.Validate() }

// ListAccesses is a record's audit trail, oldest first, for its patient, its author and
// privacy officers. Result: List[Access].
type ListAccesses struct {
	OnBehalf
	Page
	Record ID `json:"record"`
}

// Validate checks the parts.
func (q ListAccesses) Validate() error { return firstError(q.Record.Validate(), q.Page.Validate()) }

// ListDisclosures is the audit trail of all the reader's records as a patient, oldest first,
// erased ones too. Zero times do not bound it. Result: List[Access].
type ListDisclosures struct {
	OnBehalf
	Page
	From time.Time `json:"from,omitzero"` // made at or after
	To   time.Time `json:"to,omitzero"`   // made before
}

// Validate checks the span and the page.
func (q ListDisclosures) Validate() error {
	if !q.To.IsZero() && !q.From.Before(q.To) {
		return fault.New(fault.InvalidArgument, "to must be later than from")
	}
	return q.Page.Validate()
}

// ReadAccess reads one entry of a record's audit trail, for those who may list it and
// for whoever made the access. Result: [Access].
type ReadAccess struct {
	OnBehalf
	Record ID     `json:"record"`
	Open   string `json:"open"` // transaction ID
}

// Validate checks the parts.
func (q ReadAccess) Validate() error {
	return firstError(q.Record.Validate(), ValidateTransactionID(q.Open))
}

// ReadHistory lists what a record version was, newest first. Result: List[HistoryEntry].
type ReadHistory struct {
	OnBehalf
	RecordVersion
}

// HistoryEntry is a record version as one transaction left it.
type HistoryEntry struct {
	Transaction string    `json:"transaction"`
	Time        time.Time `json:"time"`
	Record      Record    `json:"record"`
}

// ReadRelease gives a gateway the fragment sealed to it, for one open.
// Result: [Release].
type ReadRelease struct {
	Record   ID     `json:"record"`
	Open     string `json:"open"`               // transaction ID
	Segments []int  `json:"segments,omitempty"` // of a stream: those to re-encrypt for
}

// Validate checks the parts.
func (q ReadRelease) Validate() error {
	return firstError(ValidateTransactionID(q.Open), ValidateReleased(q.Segments), q.Record.Validate())
}

var transactionForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// ValidateTransactionID refuses anything but a Fabric transaction's ID.
func ValidateTransactionID(id string) error {
	if !transactionForm.MatchString(id) {
		return fault.New(fault.InvalidArgument, "a transaction ID has 64 hexadecimal characters")
	}
	return nil
}

// ReadContent asks whether the reader may fetch a record version's ciphertext, or that of
// one segment of a stream: patient, author and holders of a grant that opens may.
// Result: [ContentView].
type ReadContent struct {
	OnBehalf
	RecordVersion
	Segment int `json:"segment,omitempty"` // number, of a stream
}

// Validate checks the parts.
func (q ReadContent) Validate() error {
	if q.Segment == 0 {
		return q.RecordVersion.Validate()
	}
	return firstError(q.RecordVersion.Validate(), validateNumber(q.Segment))
}

// ContentView says where a ciphertext is and what it must be.
type ContentView struct {
	CID    string `json:"cid"`
	Size   int64  `json:"size"`
	SHA256 Digest `json:"sha256"`
}

// ReadSlot reads what a patient authorised for one record, for the patient and the
// author. Result: [NewSlot].
type ReadSlot struct {
	OnBehalf
	Record ID `json:"record"`
}

// Validate checks the ID.
func (q ReadSlot) Validate() error { return q.Record.Validate() }
