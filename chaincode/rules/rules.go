// Package rules is what each transaction and query of the ledger does, one file a noun, over
// an interface of state: a peer's, or whatever else holds the same rows. What each takes,
// reads, writes and refuses is in docs/contract.md, which a test keeps true.
package rules

import (
	"errors"

	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/internal/strictjson"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// Run runs one transaction or query with its argument, the JSON of the type of package
// ledger that has its name, and returns its result. What it wrote counts only when it does
// not fail.
func Run(ctx *state.Context, name ledger.Transaction, argument []byte) (any, error) {
	transaction, known := transactions[name]
	if !known {
		return nil, fault.New(fault.InvalidArgument, "there is no transaction of that name")
	}
	if err := ctx.OnlyTransient(transaction.transient...); err != nil {
		return nil, err
	}
	return transaction.run(ctx, argument)
}

// Transactions are all that [Run] knows, and the transient entries that each takes.
func Transactions() map[ledger.Transaction][]string {
	all := map[ledger.Transaction][]string{}
	for name, transaction := range transactions {
		all[name] = transaction.transient
	}
	return all
}

// transactions is every function of the chaincode.
var transactions = map[ledger.Transaction]handler{
	ledger.TxRegisterOrganization: handle(registerOrganization),
	ledger.TxRegisterUser:         handle(registerUser, ledger.TransientProfile),
	ledger.TxReplaceCard:          handle(replaceCard, ledger.TransientProfile),
	ledger.TxAuthorizeSlots:       handle(authorizeSlots, ledger.TransientFragments),
	ledger.TxRegisterRecord:       handle(registerRecord, ledger.TransientMetadata),
	ledger.TxRegisterUnattended:   handle(registerUnattended, ledger.TransientMetadata, ledger.TransientFragments, ledger.TransientEscrow),
	ledger.TxConfirmRecord:        handle(confirmRecord),
	ledger.TxDisputeRecord:        handle(disputeRecord),
	ledger.TxRequestAccess:        handle(requestAccess),
	ledger.TxGrantAccess:          handle(grantAccess, ledger.TransientFragments),
	ledger.TxDenyAccess:           handle(denyAccess),
	ledger.TxOpenRecord:           handle(openRecord),
	ledger.TxSetResponders:        handle(setResponders),
	ledger.TxSetEmergencyPolicy:   handle(setEmergencyPolicy),
	ledger.TxDeclareBreakGlass:    handle(declareBreakGlass, ledger.TransientNarrative),
	ledger.TxApproveBreakGlass:    handle(approveBreakGlass),
	ledger.TxCloseBreakGlass:      handle(closeBreakGlass),
	ledger.TxReviewBreakGlass:     handle(reviewBreakGlass, ledger.TransientNarrative),
	ledger.TxEraseNarratives:      handle(eraseNarratives),
	ledger.TxGrantCustodian:       handle(grantCustodian, ledger.TransientFragments),
	ledger.TxIssueEmergencyGrant:  handle(issueEmergencyGrant, ledger.TransientFragments),
	ledger.TxReadDeclaration:      handle(readDeclaration),
	ledger.TxListDeclarations:     handle(listDeclarations),
	ledger.TxListEmergencyRecords: handle(listEmergencyRecords),
	ledger.TxRevokeGrant:          handle(revokeGrant),
	ledger.TxAppendSegments:       handle(appendSegments, ledger.TransientMetadata),
	ledger.TxConfirmReplicas:      handle(confirmReplicas),
	ledger.TxConfirmErasure:       handle(confirmErasure),
	ledger.TxChangePolicy:         handle(changePolicy),
	ledger.TxRotateRecord:         handle(rotateRecord, ledger.TransientMetadata, ledger.TransientSalt, ledger.TransientFragments),
	ledger.TxEraseRecord:          handle(eraseRecord, ledger.TransientMetadata),

	ledger.TxReplaceKeys:           handle(replaceKeys),
	ledger.TxRequestKeyReplacement: handle(requestKeyReplacement),
	ledger.TxApproveKeyReplacement: handle(approveKeyReplacement),
	ledger.TxRejectKeyReplacement:  handle(rejectKeyReplacement),
	ledger.TxListKeyReplacements:   handle(listKeyReplacements),

	ledger.TxReadOrganizations: handle(readOrganizations),
	ledger.TxReadUser:          handle(readUser),
	ledger.TxReadRecord:        handle(readRecord),
	ledger.TxSearchRecords:     handle(searchRecords),
	ledger.TxReadHistory:       handle(readHistory),
	ledger.TxReadContent:       handle(readContent),
	ledger.TxListSlots:         handle(listSlots),
	ledger.TxReadKeyEscrow:     handle(readKeyEscrow),
	ledger.TxReadSlot:          handle(readSlot),
	ledger.TxReadReplicas:      handle(readReplicas),
	ledger.TxListRequests:      handle(listRequests),
	ledger.TxReadRequest:       handle(readRequest),
	ledger.TxListGrants:        handle(listGrants),
	ledger.TxListGivenGrants:   handle(listGivenGrants),
	ledger.TxListAnswers:       handle(listAnswers),
	ledger.TxListAccesses:      handle(listAccesses),
	ledger.TxListDisclosures:   handle(listDisclosures),
	ledger.TxReadAccess:        handle(readAccess),
	ledger.TxReadRelease:       handle(readRelease),
	ledger.TxListSegments:      handle(listSegments),
	ledger.TxWhoCanRead:        handle(whoCanRead),

	ledger.TxReadErasure:           handle(readErasure),
	ledger.TxReadContentReferences: handle(readContentReferences),
}

// handler is a transaction, and the names of the transient entries that it takes.
type handler struct {
	run       func(ctx *state.Context, argument []byte) (any, error)
	transient []string
}

// handle decodes a transaction's argument strictly and checks it before the
// transaction sees it.
func handle[A interface{ Validate() error }, R any](transact func(*state.Context, A) (R, error), transient ...string) handler {
	run := func(ctx *state.Context, text []byte) (any, error) {
		var argument A
		if err := strictjson.Decode(text, &argument); err != nil {
			if known := (*fault.Error)(nil); errors.As(err, &known) {
				return nil, known
			}
			return nil, fault.New(fault.InvalidArgument, "the argument is not the JSON object that this transaction takes: %s", err)
		}
		if err := argument.Validate(); err != nil {
			return nil, err
		}
		return transact(ctx, argument)
	}
	return handler{run, transient}
}
