package doors

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gossip"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// gossip makes itself known as a peer does, and asks for private data.
func (w *world) gossip(ctx context.Context, by caller, node *grpc.ClientConn) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := gossip.NewGossipClient(node).GossipStream(ctx)
	if err != nil {
		return err
	}
	if err := w.introduce(stream, by); err != nil {
		return err
	}
	const nonce = 77
	if err := stream.Send(&gossip.Envelope{Payload: pack(&gossip.GossipMessage{
		Nonce: nonce, Tag: gossip.GossipMessage_CHAN_ONLY, Channel: []byte(w.network.Channel),
		Content: &gossip.GossipMessage_PrivateReq{PrivateReq: &gossip.RemotePvtDataRequest{Digests: []*gossip.PvtDataDigest{w.private.digest}}},
	})}); err != nil {
		_, err = stream.Recv() // the reason
		return err
	}
	for {
		answer, err := stream.Recv()
		if err != nil {
			return err
		}
		var message gossip.GossipMessage
		if err := proto.Unmarshal(answer.GetPayload(), &message); err != nil {
			return err
		}
		if message.GetNonce() != nonce || message.GetPrivateRes() == nil {
			continue
		}
		if len(message.GetPrivateRes().GetElements()) == 0 {
			return errors.New("the peer gave no private data, though asked for some that it has")
		}
		return nil
	}
}

// introduce is the handshake of gossip.
func (w *world) introduce(stream grpc.BidiStreamingClient[gossip.Envelope, gossip.Envelope], by caller) error {
	id := sha256.Sum256(append([]byte(by.MSP), certificatePEM(by.Signer.Certificate.Raw)...))
	hello := pack(&gossip.GossipMessage{Tag: gossip.GossipMessage_EMPTY, Content: &gossip.GossipMessage_Conn{
		Conn: &gossip.ConnEstablish{PkiId: id[:], Identity: by.serialized(), TlsCertHash: by.shown},
	}})
	signature, err := by.Sign(hello)
	if err != nil {
		return err
	}
	if err := stream.Send(&gossip.Envelope{Payload: hello, Signature: signature}); err != nil {
		return err
	}
	if _, err := stream.Recv(); err != nil {
		return fmt.Errorf("the peer says nothing of itself: %w", err)
	}
	return nil
}

// transactionOf is the ID of a transaction in a block.
func transactionOf(envelope []byte) string {
	var signed common.Envelope
	var payload common.Payload
	var header common.ChannelHeader
	if proto.Unmarshal(envelope, &signed) != nil || proto.Unmarshal(signed.GetPayload(), &payload) != nil ||
		proto.Unmarshal(payload.GetHeader().GetChannelHeader(), &header) != nil {
		return ""
	}
	return header.GetTxId()
}
