package proposal

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
)

// ErrForged says that bytes to be signed are not what was asked for. Whoever
// prepared them wants the user's name under something else.
var ErrForged = errors.New("the bytes to sign are not what was asked for")

// Check decodes a proposal that a gateway prepared, and returns it only if signing it
// does exactly what was asked: channel, chaincode, function, arguments, transient map
// and creator are those of the invocation, the time is now (within
// [trust.ClockSkew]), and there is nothing else in it. Arguments may differ in
// the order of their names and in white space. Errors wrap [ErrForged].
func Check(text []byte, creator Creator, invocation Invocation, now time.Time) (*Proposal, error) {
	got, err := parse(text)
	if err != nil {
		return nil, err
	}
	if len(got.signature.Nonce) < nonceSize {
		return nil, forged("its nonce is too short")
	}
	if age := now.Sub(got.channel.Timestamp.AsTime()).Abs(); age > trust.ClockSkew {
		return nil, forged("its time is not now")
	}
	if invocation.Arguments, err = got.arguments(invocation); err != nil {
		return nil, err
	}
	at := timestamppb.New(got.channel.Timestamp.AsTime()) // without unknown fields
	want, err := build(creator, invocation, got.signature.Nonce, at)
	if err != nil {
		return nil, err
	}
	if err := got.compare(want); err != nil {
		return nil, err
	}
	want.Bytes, want.header = text, got.header
	return want, nil
}

// prepared is somebody else's proposal, decoded.
type prepared struct {
	header    *common.Header
	channel   *common.ChannelHeader
	signature *common.SignatureHeader
	payload   *peer.ChaincodeProposalPayload
	input     *peer.ChaincodeInvocationSpec
	extension []byte
}

func parse(text []byte) (*prepared, error) {
	var whole peer.Proposal
	if err := decode(text, &whole); err != nil {
		return nil, err
	}
	p := &prepared{
		header: &common.Header{}, channel: &common.ChannelHeader{}, signature: &common.SignatureHeader{},
		payload: &peer.ChaincodeProposalPayload{}, input: &peer.ChaincodeInvocationSpec{},
		extension: whole.Extension,
	}
	return p, errors.Join(
		decode(whole.Header, p.header), decode(p.header.ChannelHeader, p.channel),
		decode(p.header.SignatureHeader, p.signature),
		decode(whole.Payload, p.payload), decode(p.payload.Input, p.input))
}

// arguments returns the proposal's own spelling of the arguments asked for.
func (p *prepared) arguments(want Invocation) ([]byte, error) {
	arguments := p.input.GetChaincodeSpec().GetInput().GetArgs()
	if len(arguments) != 2 {
		return nil, forged("its call does not have exactly one argument")
	}
	if function := ledger.Transaction(arguments[0]); function != want.Transaction {
		return nil, forged(fmt.Sprintf("it calls %.64q instead of %s", function, want.Transaction))
	}
	if !sameJSON(arguments[1], want.Arguments) {
		return nil, forged("its arguments are others")
	}
	return arguments[1], nil
}

// compare holds a proposal against the one that this device would build with the
// same nonce and time.
func (p *prepared) compare(want *Proposal) error {
	var channel common.ChannelHeader
	var signature common.SignatureHeader
	var input peer.ChaincodeInvocationSpec
	if err := errors.Join(decode(want.header.ChannelHeader, &channel), decode(want.header.SignatureHeader, &signature),
		decode(want.payload.Input, &input)); err != nil {
		return err
	}
	transient := &peer.ChaincodeProposalPayload{Input: p.payload.Input, TransientMap: want.payload.TransientMap}
	switch {
	case p.channel.ChannelId != channel.ChannelId:
		return forged(fmt.Sprintf("it is for the channel %.64q", p.channel.ChannelId))
	case !proto.Equal(p.channel, &channel):
		return forged("its channel header names another chaincode, transaction or type")
	case !bytes.Equal(p.signature.Creator, signature.Creator):
		return forged("it is in somebody else's name")
	case !proto.Equal(p.signature, &signature) || !proto.Equal(p.input, &input) || len(p.extension) > 0:
		return forged("there is more in it than was asked for")
	case !proto.Equal(p.payload, transient):
		return forged("its transient map is another")
	}
	return nil
}

// decode is strict about what the message itself does not describe: unknown fields
// differ from a message without them under proto.Equal, and trailing bytes are unknown
// fields or an error.
func decode(text []byte, message proto.Message) error {
	if err := proto.Unmarshal(text, message); err != nil {
		return forged(fmt.Sprintf("a %s does not parse", message.ProtoReflect().Descriptor().Name()))
	}
	if len(message.ProtoReflect().GetUnknown()) > 0 {
		return forged(fmt.Sprintf("a %s has unknown fields", message.ProtoReflect().Descriptor().Name()))
	}
	return nil
}

func forged(why string) error { return fmt.Errorf("%w: %s", ErrForged, why) }
