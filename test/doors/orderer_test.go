package doors

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// ordererDoors are those of an ordering node that are shut to users.
func (w *world) ordererDoors() []door {
	return []door{
		{"Deliver", "/orderer.AtomicBroadcast/Deliver", gateway, w.deliverOrdered},
		{"a change of the configuration", "/orderer.AtomicBroadcast/Broadcast", nobody, w.reconfigure},
		{"ordering itself", "/orderer.ClusterNodeService/Step", nobody, w.step},
		{"ordering by Raft", "/orderer.Cluster/Step", nobody, w.stepOfRaft},
	}
}

func (w *world) deliverOrdered(ctx context.Context, by caller, node *grpc.ClientConn) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := orderer.NewAtomicBroadcastClient(node).Deliver(ctx)
	if err != nil {
		return err
	}
	envelope, err := w.seek(by)
	if err != nil {
		return err
	}
	if err := stream.Send(envelope); err != nil {
		return err
	}
	answer, err := stream.Recv()
	if err != nil {
		return err
	}
	if answer.GetBlock() == nil {
		return errors.New(answer.GetStatus().String())
	}
	return nil
}

// reconfigure has the channel's configuration name a policy anew, which takes a majority
// of administrators.
func (w *world) reconfigure(ctx context.Context, by caller, node *grpc.ClientConn) error {
	application := func(version uint64) *common.ConfigGroup {
		return &common.ConfigGroup{Groups: map[string]*common.ConfigGroup{"Application": {Version: version, ModPolicy: "Admins"}}}
	}
	update := pack(&common.ConfigUpdate{ChannelId: w.network.Channel, ReadSet: application(0), WriteSet: application(1)})
	header := pack(&common.SignatureHeader{Creator: by.serialized(), Nonce: random()})
	signature, err := by.Sign(append(append([]byte{}, header...), update...))
	if err != nil {
		return err
	}
	payload := pack(&common.Payload{
		Header: &common.Header{
			ChannelHeader: pack(&common.ChannelHeader{
				Type: int32(common.HeaderType_CONFIG_UPDATE), ChannelId: w.network.Channel, Timestamp: timestamppb.New(time.Now()), TlsCertHash: by.shown,
			}),
			SignatureHeader: header,
		},
		Data: pack(&common.ConfigUpdateEnvelope{ConfigUpdate: update, Signatures: []*common.ConfigSignature{{SignatureHeader: header, Signature: signature}}}),
	})
	if signature, err = by.Sign(payload); err != nil {
		return err
	}
	return broadcast(ctx, node, &common.Envelope{Payload: payload, Signature: signature})
}

func broadcast(ctx context.Context, node *grpc.ClientConn, envelope *common.Envelope) error {
	stream, err := orderer.NewAtomicBroadcastClient(node).Broadcast(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(envelope); err != nil {
		return err
	}
	answer, err := stream.Recv()
	if err == nil && answer.GetStatus() != common.Status_SUCCESS {
		err = fmt.Errorf("%s: %s", answer.GetStatus(), answer.GetInfo())
	}
	return err
}

// step makes itself known as an ordering node does.
func (w *world) step(ctx context.Context, by caller, node *grpc.ClientConn) error {
	stream, err := orderer.NewClusterNodeServiceClient(node).Step(ctx)
	if err != nil {
		return err
	}
	signature, err := by.Sign(by.serialized())
	if err != nil {
		return err
	}
	if err := stream.Send(&orderer.ClusterNodeServiceStepRequest{Payload: &orderer.ClusterNodeServiceStepRequest_NodeAuthrequest{
		NodeAuthrequest: &orderer.NodeAuthRequest{FromId: 1, ToId: 2, Channel: w.network.Channel, Signature: signature, Timestamp: timestamppb.Now()},
	}}); err != nil {
		return err
	}
	_, err = stream.Recv()
	return err
}

// stepOfRaft hands in a transaction as an ordering node of the other kind does.
func (w *world) stepOfRaft(ctx context.Context, by caller, node *grpc.ClientConn) error {
	stream, err := orderer.NewClusterClient(node).Step(ctx)
	if err != nil {
		return err
	}
	envelope, err := w.seek(by)
	if err != nil {
		return err
	}
	if err := stream.Send(&orderer.StepRequest{Payload: &orderer.StepRequest_SubmitRequest{
		SubmitRequest: &orderer.SubmitRequest{Channel: w.network.Channel, Payload: envelope},
	}}); err != nil {
		return err
	}
	_, err = stream.Recv()
	return err
}

func random() []byte {
	nonce := make([]byte, 24)
	rand.Read(nonce)
	return nonce
}
