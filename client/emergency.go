package client

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
)

// Emergency is a responder's word that a patient cannot answer.
type Emergency struct {
	Patient   ledger.UserID
	Records   []ledger.ID // to open; none: the patient's emergency summary
	Reason    ledger.EmergencyReason
	Narrative string // what happened, for those who review it
}

// Declare breaks the glass. A summary may be opened at once; records wait for somebody of
// another hospital. A refusal is committed, and returned as its fault beside the declaration.
// While one of this user's for the same patient and scope goes on, it is that one again.
func (c *Client) Declare(ctx context.Context, e Emergency) (ledger.Declaration, error) {
	arguments := ledger.DeclareBreakGlass{
		Declaration: ledger.NewID(), Patient: e.Patient, Scope: ledger.ScopeSummary, Records: e.Records, Reason: e.Reason,
	}
	if len(e.Records) > 0 {
		arguments.Scope = ledger.ScopeRecords
	}
	if err := arguments.Validate(); err != nil {
		return ledger.Declaration{}, err
	}
	private, err := narrated(e.Narrative)
	if err != nil {
		return ledger.Declaration{}, err
	}
	c.step("declaring the emergency")
	declaration, _, err := submit[ledger.Declaration](ctx, c, change{name: ledger.TxDeclareBreakGlass, arguments: arguments, private: private})
	if err != nil {
		return declaration, err
	}
	return declaration, declaration.Decision.ErrIn(time.Local)
}

func narrated(text string) (transient, error) {
	narrative := ledger.Narrative{Salt: ledger.NewSalt(), Text: text}
	return transient{ledger.TransientNarrative: narrative}, narrative.Validate()
}

// ApproveEmergency is the second pair of eyes, of another hospital than the responder's.
func (c *Client) ApproveEmergency(ctx context.Context, name ledger.DeclarationName) (ledger.Declaration, error) {
	return c.changeEmergency(ctx, name, change{name: ledger.TxApproveBreakGlass, arguments: ledger.ApproveBreakGlass{DeclarationName: name}})
}

// CloseEmergency ends it: what is opened after it is refused.
func (c *Client) CloseEmergency(ctx context.Context, name ledger.DeclarationName) (ledger.Declaration, error) {
	return c.changeEmergency(ctx, name, change{name: ledger.TxCloseBreakGlass, arguments: ledger.CloseBreakGlass{DeclarationName: name}})
}

// ReviewEmergency says what a privacy officer found out, once it is over.
func (c *Client) ReviewEmergency(ctx context.Context, name ledger.DeclarationName, verdict ledger.Verdict, note string) (ledger.Declaration, error) {
	arguments := ledger.ReviewBreakGlass{DeclarationName: name, Verdict: verdict}
	if err := arguments.Validate(); err != nil {
		return ledger.Declaration{}, err
	}
	private, err := narrated(note)
	if err != nil {
		return ledger.Declaration{}, err
	}
	return c.changeEmergency(ctx, name, change{name: ledger.TxReviewBreakGlass, arguments: arguments, private: private})
}

// EraseNarratives makes the hospitals forget what was said of an emergency that is over and
// reviewed. For its patient, and privacy officers of the hospital that reviewed it.
func (c *Client) EraseNarratives(ctx context.Context, name ledger.DeclarationName) (ledger.Declaration, error) {
	return c.changeEmergency(ctx, name, change{name: ledger.TxEraseNarratives, arguments: ledger.EraseNarratives{DeclarationName: name}})
}

func (c *Client) changeEmergency(ctx context.Context, name ledger.DeclarationName, wanted change) (ledger.Declaration, error) {
	if err := name.Validate(); err != nil {
		return ledger.Declaration{}, err
	}
	declaration, _, err := submit[ledger.Declaration](ctx, c, wanted)
	return declaration, err
}

// Emergencies lists the declarations that concern the user in one way.
func (c *Client) Emergencies(ctx context.Context, concern ledger.Concern) ([]ledger.Declaration, error) {
	rows, _, err := list[ledger.Declaration](ctx, c, func(ctx context.Context, g *gateway, page ledger.Page) (*http.Response, error) {
		return g.api.ListDeclarations(ctx, &api.ListDeclarationsParams{Concern: concern, Limit: &page.Limit, Bookmark: optional(page.Bookmark)})
	})
	return rows, err
}

// Emergency reads a declaration, with what was said of it, as most hospitals tell it: on
// its word people approve, and custodians cut keys.
func (c *Client) Emergency(ctx context.Context, name ledger.DeclarationName) (ledger.DeclarationView, error) {
	if err := name.Validate(); err != nil {
		return ledger.DeclarationView{}, err
	}
	q, err := askQuorum(ctx, c, question[ledger.DeclarationView]{
		name: "declaration " + name.String(), same: sameEmergency,
		read: func(ledger.DeclarationView) request { return readDeclaration(name) },
	})
	if err == nil && q.value.Name() != name {
		err = altered(q.from.name(), "asked for declaration %s, it told of another", name)
	}
	return q.value, err
}

// reported is a declaration in one gateway's word, for waiting and for openings, about
// which the ledger decides anyway.
func (c *Client) reported(ctx context.Context, name ledger.DeclarationName) (ledger.DeclarationView, error) {
	if err := name.Validate(); err != nil {
		return ledger.DeclarationView{}, err
	}
	view, _, err := askPatiently[ledger.DeclarationView](ctx, c, readDeclaration(name))
	return view, err
}

// sameEmergency compares what never changes; a narrative may be on its way to some peers.
func sameEmergency(a, b ledger.DeclarationView) bool {
	return a.Name() == b.Name() && a.Responder == b.Responder && a.Scope == b.Scope && slices.Equal(a.Records, b.Records) &&
		a.Reason == b.Reason && a.Declared.Equal(b.Declared) &&
		(a.Narrative == b.Narrative || a.Narrative == "" || b.Narrative == "")
}

func readDeclaration(name ledger.DeclarationName) request {
	return func(ctx context.Context, g *gateway) (*http.Response, error) {
		return g.api.ReadDeclaration(ctx, name.Patient.MSP, name.Patient.Pseudonym, name.Declaration)
	}
}

// EmergencyGrants lists what custodians have issued to this responder under a declaration.
func (c *Client) EmergencyGrants(ctx context.Context, name ledger.DeclarationName) ([]ledger.Grant, error) {
	issued, _, err := c.emergencyGrants(ctx, name)
	return issued, err
}

// emergencyGrants says who told of them too.
func (c *Client) emergencyGrants(ctx context.Context, name ledger.DeclarationName) ([]ledger.Grant, *gateway, error) {
	grants, from, err := c.grants(ctx, "")
	return slices.DeleteFunc(grants, func(grant ledger.Grant) bool {
		return grant.Declaration != name.Declaration || grant.Patient != name.Patient || grant.State != ledger.GrantActive
	}), from, err
}

// SetEmergencyPolicy says who may have records of this patient's opened in an emergency.
// The summary is not withheld.
func (c *Client) SetEmergencyPolicy(ctx context.Context, rule ledger.EmergencyRule, trusted []ledger.UserID) (ledger.EmergencyPolicy, error) {
	arguments := ledger.SetEmergencyPolicy{Records: rule, Trusted: trusted}
	if err := arguments.Validate(); err != nil {
		return ledger.EmergencyPolicy{}, err
	}
	stated, _, err := submit[ledger.EmergencyPolicy](ctx, c, change{name: ledger.TxSetEmergencyPolicy, arguments: arguments})
	return stated, err
}
