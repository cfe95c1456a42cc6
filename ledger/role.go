package ledger

import (
	"slices"

	"github.com/pie-consortium/pie/ledger/fault"
)

// Role is what a certificate's attribute pie.role says its holder is.
type Role string

// The roles.
const (
	Patient         Role = "patient"
	Physician       Role = "physician"
	Researcher      Role = "researcher"
	Insurer         Role = "insurer"
	Emergency       Role = "emergency"
	PrivacyOfficer  Role = "privacy-officer"
	EmergencyDesk   Role = "emergency-desk"
	RecoveryOfficer Role = "recovery-officer"
	OrgAdmin        Role = "org-admin"
	Gateway         Role = "gateway"
)

// Roles returns every role.
func Roles() []Role {
	return []Role{Patient, Physician, Researcher, Insurer, Emergency, PrivacyOfficer,
		EmergencyDesk, RecoveryOfficer, OrgAdmin, Gateway}
}

// Validate refuses unknown roles.
func (r Role) Validate() error {
	if !slices.Contains(Roles(), r) {
		return fault.New(fault.InvalidArgument, "role must be one of %v", Roles())
	}
	return nil
}

// Professionals returns the roles whose users have a card that says who they are.
func Professionals() []Role {
	return []Role{Physician, Researcher, Insurer, Emergency, PrivacyOfficer, EmergencyDesk, RecoveryOfficer}
}

// Professional reports whether users of the role have a card.
func (r Role) Professional() bool { return slices.Contains(Professionals(), r) }

// Purpose is a purpose of use (HL7 v3 ActReason).
type Purpose string

// The purposes a request can state. Break-glass (BTG) is declared, never requested.
const (
	Treatment          Purpose = "TREAT"
	EmergencyTreatment Purpose = "ETREAT"
	EmergencyRoom      Purpose = "ERTREAT"
	Research           Purpose = "HRESCH"
	ClinicalTrial      Purpose = "CLINTRCH"
	PublicHealth       Purpose = "PUBHLTH"
	Payment            Purpose = "HPAYMT"
	PatientRequested   Purpose = "PATRQT"
)

// BreakGlass is the purpose of use of what was opened under a declaration.
const BreakGlass Purpose = "BTG"

// Purposes returns every purpose a request can state.
func Purposes() []Purpose {
	return []Purpose{Treatment, EmergencyTreatment, EmergencyRoom, Research, ClinicalTrial,
		PublicHealth, Payment, PatientRequested}
}

// Validate refuses unknown purposes.
func (p Purpose) Validate() error {
	if !slices.Contains(Purposes(), p) {
		return fault.New(fault.InvalidArgument, "purpose must be one of %v", Purposes())
	}
	return nil
}
