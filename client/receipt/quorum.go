package receipt

import (
	"bytes"
	"crypto/x509"
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/pie-consortium/pie/ledger/trust"
)

// quorum is how many of n ordering nodes must sign a block: any two quorums have an
// honest node in common while less than a third of the nodes are faulty.
func quorum(n int) int {
	faulty := (n - 1) / 3
	return (n + faulty + 2) / 2
}

// orderedBy returns the MSPs of the ordering nodes that signed the block, in the order of
// their IDs, when they are a quorum.
func (b block) orderedBy(orderers []trust.Orderer) ([]string, error) {
	var metadata common.Metadata
	if err := proto.Unmarshal(b.signatures, &metadata); err != nil {
		return nil, unproven("its block's signatures do not parse")
	}
	signed := map[int]string{}
	for _, signature := range metadata.Signatures {
		var signer common.IdentifierHeader
		if proto.Unmarshal(signature.GetIdentifierHeader(), &signer) != nil {
			continue
		}
		id := int(signer.Identifier)
		i := slices.IndexFunc(orderers, func(o trust.Orderer) bool { return o.ID == id })
		if i < 0 {
			continue
		}
		message := bytes.Join([][]byte{metadata.Value, signature.IdentifierHeader, b.header}, nil)
		if signedBy(orderers[i], message, signature.Signature) {
			signed[id] = orderers[i].MSP
		}
	}
	if need := quorum(len(orderers)); len(signed) < need {
		return nil, unproven("%d of the %d ordering nodes that the trust bundle names signed its block, and it takes %d; if these have changed, ask for a new invitation", len(signed), len(orderers), need)
	}
	return names(orderers, signed), nil
}

func names(orderers []trust.Orderer, signed map[int]string) []string {
	var msps []string
	for _, o := range orderers {
		if msp, did := signed[o.ID]; did {
			msps = append(msps, msp)
		}
	}
	return msps
}

// signedBy takes the certificate as the bundle has it: whether it is still valid today
// does not matter to a block of the past.
func signedBy(orderer trust.Orderer, message, signature []byte) bool {
	certificate, err := trust.ParseCertificate([]byte(orderer.Certificate))
	return err == nil && certificate.CheckSignature(x509.ECDSAWithSHA256, message, signature) == nil
}
