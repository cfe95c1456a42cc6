package rest

import (
	"fmt"
	"strings"
	"time"

	"github.com/pie-consortium/pie/gateway/internal/fabric"
	"github.com/pie-consortium/pie/gateway/internal/problem"
	"github.com/pie-consortium/pie/ledger"
)

// meaning says in words what somebody signs with a proposal. It is the gateway's word: an
// app holds the bytes against what it asked for, and shows its user words of its own.
func meaning(proposal fabric.Proposal, user ledger.UserID) (string, error) {
	said := "something that this gateway has no words for"
	if say, known := words[proposal.Transaction]; known {
		var err error
		if said, err = say(proposal); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s of chaincode %s on channel %s as %s: %s",
		proposal.Transaction, proposal.Chaincode, proposal.Channel, user, said), nil
}

// words are what each transaction means.
var words = map[ledger.Transaction]func(fabric.Proposal) (string, error){
	ledger.TxRegisterOrganization: in(func(a ledger.RegisterOrganization) string {
		return fmt.Sprintf("describe your hospital as %q, with the gateways %s and the proxy %s", a.Name, strings.Join(a.Gateways, ", "), a.Proxy)
	}),
	ledger.TxRegisterUser: in(func(a ledger.RegisterUser) string { return fmt.Sprintf("register yourself with %d keys", len(a.Keys)) }),
	ledger.TxReplaceCard:  in(func(ledger.ReplaceCard) string { return "show others the card that comes along as yours" }),
	ledger.TxAuthorizeSlots: in(func(a ledger.AuthorizeSlots) string {
		slots := make([]string, len(a.Slots))
		for i, s := range a.Slots {
			what := "one record"
			switch {
			case s.Stream:
				what = "the stream"
			case s.IsSummary:
				what = "the emergency summary"
			}
			slots[i] = fmt.Sprintf("let %s write %s %s until %s, for %s", s.Author, what, s.Record, moment(s.Expiry), allowed(s.Policy))
		}
		return strings.Join(slots, "; ")
	}),
	ledger.TxRegisterRecord: in(func(a ledger.RegisterRecord) string {
		return fmt.Sprintf("register record %s of level %s, %d bytes of ciphertext %s", a.Record, a.Level, a.Size, a.CID)
	}),
	ledger.TxRegisterUnattended: in(func(a ledger.RegisterUnattended) string {
		return fmt.Sprintf("register record %s of level %s without its patient %s, %d bytes of ciphertext %s, and read it until %s",
			a.Record, a.Level, a.Patient, a.Size, a.CID, moment(a.Expiry))
	}),
	ledger.TxAppendSegments: in(func(a ledger.AppendSegments) string {
		return fmt.Sprintf("append %d segments to stream %s, from number %d", len(a.Segments), a.Stream, a.Segments[0].Number)
	}),
	ledger.TxConfirmRecord: in(func(a ledger.ConfirmRecord) string { return "confirm " + version(a.RecordVersion) }),
	ledger.TxDisputeRecord: in(func(a ledger.DisputeRecord) string {
		return fmt.Sprintf("dispute %s as %s", version(a.RecordVersion), a.Reason)
	}),
	ledger.TxRequestAccess: in(func(a ledger.RequestAccess) string {
		return fmt.Sprintf("ask to read %s for the purpose %s, by request %s", version(a.RecordVersion), a.Purpose, a.Request)
	}),
	ledger.TxGrantAccess: in(func(a ledger.GrantAccess) string {
		said := fmt.Sprintf("let %s read %s for the purpose %s until %s, by grant %s for request %s",
			a.Requester, version(a.RecordVersion), a.Purpose, moment(a.Expiry), a.Grant, a.Request)
		if a.Standing != (ledger.Standing{}) {
			said += fmt.Sprintf(", as number %d of the day under your rule %s", a.Standing.Place, a.Standing.Rule)
		}
		return said
	}),
	ledger.TxDenyAccess: in(func(a ledger.DenyAccess) string {
		return fmt.Sprintf("deny request %s for %s: %s", a.Request, version(a.RecordVersion), a.Reason)
	}),
	ledger.TxOpenRecord: in(func(a ledger.OpenRecord) string {
		said := fmt.Sprintf("open %s with grant %s, for everybody concerned to see", version(a.RecordVersion), a.Grant)
		if a.Declaration != "" {
			said += ", under emergency " + string(a.Declaration)
		}
		return said
	}),
	ledger.TxRevokeGrant: in(func(a ledger.RevokeGrant) string {
		return fmt.Sprintf("revoke grant %s for %s", a.Grant, version(a.RecordVersion))
	}),
	ledger.TxChangePolicy: in(func(a ledger.ChangePolicy) string {
		return fmt.Sprintf("have %s asked for by %s", version(a.RecordVersion), allowed(a.Policy))
	}),
	ledger.TxRotateRecord: in(func(a ledger.RotateRecord) string {
		return fmt.Sprintf("put %s under a new key as version %d, keep %d grants and end all others", version(a.RecordVersion), a.Version+1, len(a.Grants))
	}),
	ledger.TxEraseRecord: in(func(a ledger.EraseRecord) string {
		return fmt.Sprintf("erase all versions of record %s for good", a.Record)
	}),
	ledger.TxConfirmReplicas: in(func(a ledger.ConfirmReplicas) string {
		return fmt.Sprintf("say that your hospital keeps %d more ciphertexts and has lost %d", len(a.Kept), len(a.Lost))
	}),
	ledger.TxConfirmErasure: in(func(a ledger.ConfirmErasure) string {
		return fmt.Sprintf("say what became of %d ciphertexts of the erased record %s at your hospital", len(a.Contents), a.Record)
	}),
	ledger.TxReplaceKeys: in(func(a ledger.ReplaceKeys) string {
		said := fmt.Sprintf("have this certificate's key and %d others take the place of those you are registered with, ", len(a.Keys))
		if a.Replacement != "" {
			return said + "as replacement " + string(a.Replacement) + " was approved"
		}
		return said + "on the word of your verifying key"
	}),
	ledger.TxRequestKeyReplacement: in(func(a ledger.RequestKeyReplacement) string {
		return fmt.Sprintf("ask another hospital to approve, by replacement %s, this certificate's key and %d others for yourself", a.Replacement, len(a.Keys))
	}),
	ledger.TxApproveKeyReplacement: in(func(a ledger.ApproveKeyReplacement) string {
		return fmt.Sprintf("vouch that the identity key %s is that of %s, by replacement %s", a.IdentityKey, a.User, a.Replacement)
	}),
	ledger.TxRejectKeyReplacement: in(func(a ledger.RejectKeyReplacement) string {
		return fmt.Sprintf("reject the replacement %s of the keys of %s", a.Replacement, a.User)
	}),
	ledger.TxSetResponders: in(func(a ledger.SetResponders) string {
		return fmt.Sprintf("have %d physicians of your hospital respond to emergencies: %s", len(a.Listed), strings.Join(a.Listed, ", "))
	}),
	ledger.TxSetEmergencyPolicy: in(func(a ledger.SetEmergencyPolicy) string {
		said := fmt.Sprintf("have your records opened in an emergency by the rule %q", a.Records)
		if len(a.Trusted) > 0 {
			said += " for " + joined(a.Trusted)
		}
		return said
	}),
	ledger.TxDeclareBreakGlass: in(func(a ledger.DeclareBreakGlass) string {
		what := "the emergency summary"
		if a.Scope == ledger.ScopeRecords {
			what = "the records " + joined(a.Records)
		}
		return fmt.Sprintf("declare the emergency %s about %s, reason %s, to open %s; it will be reviewed", a.Declaration, a.Patient, a.Reason, what)
	}),
	ledger.TxApproveBreakGlass: in(func(a ledger.ApproveBreakGlass) string {
		return fmt.Sprintf("approve the emergency %s about %s", a.Declaration, a.Patient)
	}),
	ledger.TxCloseBreakGlass: in(func(a ledger.CloseBreakGlass) string {
		return fmt.Sprintf("end the emergency %s about %s", a.Declaration, a.Patient)
	}),
	ledger.TxReviewBreakGlass: in(func(a ledger.ReviewBreakGlass) string {
		return fmt.Sprintf("find the emergency %s about %s %s", a.Declaration, a.Patient, a.Verdict)
	}),
	ledger.TxEraseNarratives: in(func(a ledger.EraseNarratives) string {
		return fmt.Sprintf("erase what was said of the emergency %s about %s", a.Declaration, a.Patient)
	}),
	ledger.TxGrantCustodian: in(func(a ledger.GrantCustodian) string {
		return fmt.Sprintf("let the emergency desk %s pass %s on in an emergency until %s, by grant %s",
			a.Custodian, version(a.RecordVersion), moment(a.Expiry), a.Grant)
	}),
	ledger.TxIssueEmergencyGrant: in(func(a ledger.IssueEmergencyGrant) string {
		return fmt.Sprintf("pass %s on to the responder of emergency %s", version(a.RecordVersion), a.Declaration)
	}),
}

// in says something about a transaction's argument, once that is valid.
func in[A interface{ Validate() error }](say func(A) string) func(fabric.Proposal) (string, error) {
	return func(proposal fabric.Proposal) (string, error) {
		decoded, err := argument[A](proposal)
		if err != nil {
			return "", problem.WithPointer("/arguments"+refusedAt[A](proposal.Argument, err), err)
		}
		return say(decoded), nil
	}
}

func version(v ledger.RecordVersion) string {
	return fmt.Sprintf("version %d of record %s", v.Version, v.Record)
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// allowed says who may ask for a record, and what for.
func allowed(p ledger.Policy) string {
	said := fmt.Sprintf("the roles [%s] with the purposes [%s]", joined(p.Roles), joined(p.Purposes))
	if len(p.Organizations) > 0 {
		said += " at " + joined(p.Organizations)
	}
	if !p.NotAfter.IsZero() {
		said += " until " + moment(p.NotAfter)
	}
	return fmt.Sprintf("%s, kept by %d hospitals", said, p.Replicas)
}

func joined[T any](values []T) string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = fmt.Sprint(value)
	}
	return strings.Join(texts, ", ")
}
