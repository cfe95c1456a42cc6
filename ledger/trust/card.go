package trust

import (
	"time"

	"github.com/pie-consortium/pie/ledger"
)

// Card says who a professional is, in words that a patient understands; their
// hospital's administrator signs it.
type Card struct {
	User       ledger.UserID `json:"user"`
	Role       ledger.Role   `json:"role"`
	Name       string        `json:"name"`
	Department string        `json:"department,omitempty"`
	Issued     time.Time     `json:"issued"`
}

// SignCard signs a card as an administrator.
func (s *Signer) SignCard(card Card) (string, error) { return s.sign(professionalCard, card) }

// Validate refuses a card with a name or department that would be shown otherwise than it
// is written.
func (c Card) Validate() error {
	if err := ledger.ValidateName("name", c.Name, ledger.MaxName); err != nil || c.Department == "" {
		return err
	}
	return ledger.ValidateName("department", c.Department, ledger.MaxDepartment)
}

// PeekCard reads a card whose signature is that of the certificate in its header, whosever
// that is.
func PeekCard(jws string) (Card, error) {
	var card Card
	if _, err := open(professionalCard, jws, &card); err != nil {
		return Card{}, err
	}
	return card, card.Validate()
}

// VerifyCard returns the card of the user when an administrator of the user's own
// hospital signed it.
func (b *Bundle) VerifyCard(jws string, user ledger.UserID) (Card, error) {
	var card Card
	signer, _, err := b.openVouched(professionalCard, jws, &card, func() time.Time { return card.Issued })
	if err != nil {
		return Card{}, err
	}
	if card.User != user {
		return Card{}, invalid(professionalCard, "it is not the card of "+user.String())
	}
	if signer.Role != ledger.RoleOrgAdmin || signer.User.MSP != user.MSP {
		return Card{}, invalid(professionalCard, "no administrator of "+user.MSP+" signed it")
	}
	if err := card.Validate(); err != nil {
		return Card{}, invalid(professionalCard, err.Error())
	}
	return card, nil
}
