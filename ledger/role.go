package ledger

import (
	"slices"

	"github.com/pie-consortium/pie/ledger/fault"
)

// Role is what a certificate's attribute pie.role says its holder is.
type Role string

// The roles.
const (
	RolePatient         Role = "patient"
	RolePhysician       Role = "physician"
	RoleResearcher      Role = "researcher"
	RoleInsurer         Role = "insurer"
	RoleEmergency       Role = "emergency"
	RolePrivacyOfficer  Role = "privacy-officer"
	RoleEmergencyDesk   Role = "emergency-desk"
	RoleRecoveryOfficer Role = "recovery-officer"
	RoleOrgAdmin        Role = "org-admin"
	RoleGateway         Role = "gateway"
)

// Roles returns every role.
func Roles() []Role {
	return []Role{RolePatient, RolePhysician, RoleResearcher, RoleInsurer, RoleEmergency, RolePrivacyOfficer,
		RoleEmergencyDesk, RoleRecoveryOfficer, RoleOrgAdmin, RoleGateway}
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
	return []Role{RolePhysician, RoleResearcher, RoleInsurer, RoleEmergency, RolePrivacyOfficer, RoleEmergencyDesk, RoleRecoveryOfficer}
}

// Professional reports whether users of the role have a card.
func (r Role) Professional() bool { return slices.Contains(Professionals(), r) }

// Purpose is a purpose of use (HL7 v3 ActReason).
type Purpose string

// The purposes a request can state. Break-glass (BTG) is declared, never requested.
const (
	PurposeTreatment          Purpose = "TREAT"
	PurposeEmergencyTreatment Purpose = "ETREAT"
	PurposeEmergencyRoom      Purpose = "ERTREAT"
	PurposeResearch           Purpose = "HRESCH"
	PurposeClinicalTrial      Purpose = "CLINTRCH"
	PurposePublicHealth       Purpose = "PUBHLTH"
	PurposePayment            Purpose = "HPAYMT"
	PurposePatientRequested   Purpose = "PATRQT"
)

// PurposeBreakGlass is the purpose of use of what was opened under a declaration.
const PurposeBreakGlass Purpose = "BTG"

// Purposes returns every purpose a request can state.
func Purposes() []Purpose {
	return []Purpose{PurposeTreatment, PurposeEmergencyTreatment, PurposeEmergencyRoom, PurposeResearch, PurposeClinicalTrial,
		PurposePublicHealth, PurposePayment, PurposePatientRequested}
}

// Validate refuses unknown purposes.
func (p Purpose) Validate() error {
	if !slices.Contains(Purposes(), p) {
		return fault.New(fault.InvalidArgument, "purpose must be one of %v", Purposes())
	}
	return nil
}
