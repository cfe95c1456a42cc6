package receipt

import (
	"bytes"
	"crypto/sha256"
	"encoding/asn1"
	"math/big"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
)

// block is a block whose envelopes are those that its header fixes.
type block struct {
	number     uint64
	header     []byte // as it is hashed and signed
	envelopes  [][]byte
	signatures []byte // metadata: what the ordering nodes signed besides, and their signatures
}

func readBlock(text []byte) (block, error) {
	var whole common.Block
	if err := proto.Unmarshal(text, &whole); err != nil || whole.Header == nil {
		return block{}, unproven("it holds no block")
	}
	header, err := headerBytes(whole.Header)
	if err != nil {
		return block{}, unproven("its block has no header that can be hashed")
	}
	b := block{number: whole.Header.Number, header: header, envelopes: whole.GetData().GetData()}
	if digest := sha256.Sum256(bytes.Join(b.envelopes, nil)); !bytes.Equal(digest[:], whole.Header.DataHash) {
		return block{}, unproven("the transactions in its block are not those that the block's header fixes")
	}
	if metadata := whole.GetMetadata().GetMetadata(); len(metadata) > int(common.BlockMetadataIndex_SIGNATURES) {
		b.signatures = metadata[common.BlockMetadataIndex_SIGNATURES]
	}
	return b, nil
}

// headerBytes is the form in which a header is hashed and signed, in ASN.1.
func headerBytes(header *common.BlockHeader) ([]byte, error) {
	return asn1.Marshal(struct {
		Number                 *big.Int
		PreviousHash, DataHash []byte
	}{new(big.Int).SetUint64(header.Number), header.PreviousHash, header.DataHash})
}

// endorsedBy returns the members whose peers endorsed the access. Which of several
// envelopes of one transaction took effect nobody signs; one that proves the access is
// enough.
func (b block) endorsedBy(access ledger.Access, bundle *trust.Bundle) ([]string, error) {
	missing := unproven("its block has no transaction %.64s", access.Open)
	for _, envelope := range b.envelopes {
		t, err := readTransaction(envelope)
		if err != nil || t.channel.GetTxId() != access.Open {
			continue // the other transactions of the moment are not asked about
		}
		members, err := t.prove(access, bundle)
		if err == nil {
			return members, nil
		}
		missing = err
	}
	return nil, missing
}
