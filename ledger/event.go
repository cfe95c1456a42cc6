package ledger

import (
	"slices"
	"time"
)

// EventName names the one event of a transaction.
type EventName string

// The events.
const (
	EventOrganizationRegistered EventName = "OrganizationRegistered"
	EventUserRegistered         EventName = "UserRegistered"
	EventCardReplaced           EventName = "CardReplaced"
	EventSlotsAuthorized        EventName = "SlotsAuthorized"
	EventRecordRegistered       EventName = "RecordRegistered"
	EventRecordConfirmed        EventName = "RecordConfirmed"
	EventRecordDisputed         EventName = "RecordDisputed"
	EventAccessRequested        EventName = "AccessRequested"
	EventAccessDenied           EventName = "AccessDenied"
	EventAccessGranted          EventName = "AccessGranted"
	EventRecordOpened           EventName = "RecordOpened"
	EventOpenRefused            EventName = "OpenRefused"
	EventGrantRevoked           EventName = "GrantRevoked"
	EventSegmentsAppended       EventName = "SegmentsAppended"
	EventPolicyChanged          EventName = "PolicyChanged"
	EventRecordRotated          EventName = "RecordRotated" // Version is the new one
	EventRecordErased           EventName = "RecordErased"
	EventReplicasConfirmed      EventName = "ReplicasConfirmed" // names no record: there may be many
	EventErasureConfirmed       EventName = "ErasureConfirmed"
)

// The events about keys that take the place of others.
const (
	EventKeysReplaced            EventName = "KeysReplaced"
	EventKeyReplacementRequested EventName = "KeyReplacementRequested"
	EventKeyReplacementApproved  EventName = "KeyReplacementApproved"
	EventKeyReplacementRejected  EventName = "KeyReplacementRejected"
)

// The events of emergencies.
const (
	EventRespondersChanged      EventName = "RespondersChanged"
	EventEmergencyPolicyChanged EventName = "EmergencyPolicyChanged"
	EventBreakGlassDeclared     EventName = "BreakGlassDeclared" // Outcome may be a refusal
	EventBreakGlassApproved     EventName = "BreakGlassApproved"
	EventBreakGlassClosed       EventName = "BreakGlassClosed"
	EventBreakGlassReviewed     EventName = "BreakGlassReviewed"
	EventNarrativesErased       EventName = "NarrativesErased"
	EventCustodianGranted       EventName = "CustodianGranted"
	EventEmergencyGranted       EventName = "EmergencyGranted"
)

// EventReviewOverdue is a reminder of a declaration whose review is overdue. Time makes it so,
// and no transaction: gateways tell of it by themselves.
const EventReviewOverdue EventName = "ReviewOverdue"

// Event is the payload of every event: IDs and codes only.
type Event struct {
	Time    time.Time `json:"time"` // the transaction's
	Actor   UserID    `json:"actor"`
	Patient UserID    `json:"patient,omitzero"`
	Records []ID      `json:"records,omitempty"`
	Version int       `json:"version,omitempty"`
	Request ID        `json:"request,omitempty"`
	Grant   ID        `json:"grant,omitempty"`
	// Declaration is that of an emergency.
	Declaration ID       `json:"declaration,omitempty"`
	Outcome     Decision `json:"outcome,omitzero"`
	// Replicas is how many hospitals keep a record, so that the others need not look at it.
	Replicas int `json:"replicas,omitempty"`
	// Segments are the numbers of those that were appended to the stream.
	Segments []int `json:"segments,omitempty"`
	// User is whose keys a replacement is about, Replacement which one.
	User        UserID `json:"user,omitzero"`
	Replacement ID     `json:"replacement,omitempty"`
	// Concerned are those who may read what the event is about, beside actor, patient and
	// user; Officers are the MSPs of hospitals whose privacy officers may.
	Concerned []UserID `json:"concerned,omitempty"`
	Officers  []string `json:"officers,omitempty"`
}

// Concerns reports whether somebody is to be told of the event.
func (e Event) Concerns(somebody Identity) bool {
	if somebody.Role == RolePrivacyOfficer && slices.Contains(e.Officers, somebody.User.MSP) {
		return true
	}
	named := append([]UserID{e.Actor, e.Patient, e.User}, e.Concerned...)
	return somebody.User != (UserID{}) && slices.Contains(named, somebody.User)
}
