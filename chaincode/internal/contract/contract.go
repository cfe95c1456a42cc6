// Package contract holds the transactions of the ledger, one file a subject. What each
// takes, reads, writes and refuses is in docs/contract.md, which a test keeps true.
package contract

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"github.com/pie-consortium/pie/chaincode/internal/state"
	"github.com/pie-consortium/pie/internal/strictjson"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// Contract is the chaincode: it implements [shim.Chaincode]. Clock only decides
// whether a transaction's own timestamp is refused.
type Contract struct {
	Clock func() time.Time
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

// Init has nothing to prepare: the ledger starts empty.
func (Contract) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

// Invoke runs one transaction. Every failure is answered as "code: detail", a panic too:
// the shim does not recover, and one bad transaction must not stop the others.
func (c Contract) Invoke(stub shim.ChaincodeStubInterface) (response *peer.Response) {
	defer func() {
		if recover() != nil {
			response = shim.Error(fault.New(fault.Internal, "the transaction failed unexpectedly").Error())
		}
	}()
	result, err := c.run(stub)
	if err != nil {
		return shim.Error(describe(err))
	}
	return shim.Success(result)
}

func (c Contract) run(stub shim.ChaincodeStubInterface) ([]byte, error) {
	ctx, err := state.NewContext(stub, c.Clock)
	if err != nil {
		return nil, err
	}
	function, arguments := stub.GetFunctionAndParameters()
	transaction, known := transactions[ledger.Transaction(function)]
	if !known {
		return nil, fault.New(fault.InvalidArgument, "there is no transaction of that name")
	}
	if len(arguments) != 1 {
		return nil, fault.New(fault.InvalidArgument, "%s takes one argument, a JSON object", function)
	}
	if err := ctx.OnlyTransient(transaction.transient...); err != nil {
		return nil, err
	}
	stub.StartWriteBatch() // the rows go to the peer together, when the transaction has not failed
	result, err := transaction.run(ctx, []byte(arguments[0]))
	if err != nil {
		return nil, err
	}
	return json.Marshal(result)
}

// describe forwards faults and withholds the text of everything else, which comes
// from the peer and may name keys.
func describe(err error) string {
	var known *fault.Error
	if errors.As(err, &known) {
		return known.Error()
	}
	return fault.New(fault.Internal, "the ledger could not be read or written").Error()
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
