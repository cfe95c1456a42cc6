package channel

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"time"

	sdk "github.com/hyperledger/fabric-admin-sdk/pkg/channel"
	"github.com/hyperledger/fabric-admin-sdk/pkg/identity"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pie-consortium/pie/ledger/trust"
)

// Names in a channel's configuration.
const (
	applicationGroup = "Application"
	ordererGroup     = "Orderer"
	mspValue         = "MSP"
)

// ReadConfiguration asks a peer what the channel's configuration is.
func ReadConfiguration(ctx context.Context, peer *grpc.ClientConn, admin identity.SigningIdentity, name string) (*common.Config, error) {
	block, err := sdk.GetConfigBlock(ctx, peer, admin, name)
	if err != nil {
		return nil, fmt.Errorf("read the configuration of channel %s: %w", name, err)
	}
	var envelope common.Envelope
	var payload common.Payload
	var configuration common.ConfigEnvelope
	if len(block.GetData().GetData()) != 1 {
		return nil, fmt.Errorf("read the configuration of channel %s: the peer gave no configuration block", name)
	}
	if err := proto.Unmarshal(block.GetData().GetData()[0], &envelope); err != nil {
		return nil, err
	}
	if err := proto.Unmarshal(envelope.GetPayload(), &payload); err != nil {
		return nil, err
	}
	err = proto.Unmarshal(payload.GetData(), &configuration)
	return configuration.GetConfig(), err
}

// Revocation is the change of the configuration after which list (a certificate
// revocation list, PEM or DER) is the one that nodes hold the member's certificates against; nil
// when all on it is revoked already. It touches nothing but the member's own description,
// so that the member's administrator alone can sign it.
func Revocation(name string, configuration *common.Config, member string, list []byte) (*common.ConfigUpdate, error) {
	description, err := described(configuration, member)
	if err != nil {
		return nil, err
	}
	done, err := revoked(member, description.GetRevocationList(), list)
	if err != nil || done {
		return nil, err
	}
	description.RevocationList = [][]byte{list}
	inner, err := proto.Marshal(description)
	if err != nil {
		return nil, err
	}
	value, err := proto.Marshal(&msp.MSPConfig{Config: inner})
	if err != nil {
		return nil, err
	}
	return describe(name, configuration.GetChannelGroup(), member, value), nil
}

// revoked reports whether the member's published lists hold all that is on the list.
func revoked(member string, published [][]byte, list []byte) (bool, error) {
	var known, wanted trust.Revocations
	if err := wanted.Add(member, list); err != nil {
		return false, err
	}
	for _, old := range published {
		if known.Add(member, old) != nil {
			return false, nil //nolint:nilerr // nobody can read it, so it is to be replaced
		}
	}
	return known.Includes(wanted), nil
}

// describe is the change that gives a member another description.
func describe(name string, root *common.ConfigGroup, member string, description []byte) *common.ConfigUpdate {
	update := &common.ConfigUpdate{ChannelId: name, ReadSet: sameVersion(root), WriteSet: sameVersion(root)}
	// Both groups describe the member, and must do it alike.
	for _, group := range []string{applicationGroup, ordererGroup} {
		members := root.GetGroups()[group]
		old, found := members.GetGroups()[member]
		if !found {
			continue
		}
		read, written := sameVersion(members), sameVersion(members)
		read.Groups[member], written.Groups[member] = sameVersion(old), sameVersion(old)
		was := old.GetValues()[mspValue]
		written.Groups[member].Values[mspValue] = &common.ConfigValue{Version: was.GetVersion() + 1, Value: description, ModPolicy: was.GetModPolicy()}
		update.ReadSet.Groups[group], update.WriteSet.Groups[group] = read, written
	}
	return update
}

// described is what the configuration says of a member's certificates.
func described(configuration *common.Config, member string) (*msp.FabricMSPConfig, error) {
	group, found := configuration.GetChannelGroup().GetGroups()[applicationGroup].GetGroups()[member]
	if !found {
		return nil, fmt.Errorf("the channel has no member %s", member)
	}
	var outer msp.MSPConfig
	if err := proto.Unmarshal(group.GetValues()[mspValue].GetValue(), &outer); err != nil {
		return nil, err
	}
	var inner msp.FabricMSPConfig
	return &inner, proto.Unmarshal(outer.GetConfig(), &inner)
}

// sameVersion names a group in a change without changing it.
func sameVersion(group *common.ConfigGroup) *common.ConfigGroup {
	return &common.ConfigGroup{
		Version: group.GetVersion(),
		Groups:  map[string]*common.ConfigGroup{}, Values: map[string]*common.ConfigValue{}, Policies: map[string]*common.ConfigPolicy{},
	}
}

// Submit has an ordering node take a change that the administrator signs.
func Submit(ctx context.Context, node *grpc.ClientConn, admin identity.SigningIdentity, update *common.ConfigUpdate) error {
	envelope, err := signedUpdate(admin, update)
	if err != nil {
		return err
	}
	stream, err := orderer.NewAtomicBroadcastClient(node).Broadcast(ctx)
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
	if answer.GetStatus() != common.Status_SUCCESS {
		return fmt.Errorf("the ordering node refused the change of channel %s: %s %s", update.GetChannelId(), answer.GetStatus(), answer.GetInfo())
	}
	return stream.CloseSend()
}

func signedUpdate(admin identity.SigningIdentity, update *common.ConfigUpdate) (*common.Envelope, error) {
	text, err := proto.Marshal(update)
	if err != nil {
		return nil, err
	}
	header, err := signatureHeader(admin)
	if err != nil {
		return nil, err
	}
	signature, err := admin.Sign(append(bytes.Clone(header), text...))
	if err != nil {
		return nil, err
	}
	data, err := proto.Marshal(&common.ConfigUpdateEnvelope{
		ConfigUpdate: text, Signatures: []*common.ConfigSignature{{SignatureHeader: header, Signature: signature}},
	})
	if err != nil {
		return nil, err
	}
	return signedEnvelope(admin, update.GetChannelId(), data)
}

func signedEnvelope(admin identity.SigningIdentity, name string, data []byte) (*common.Envelope, error) {
	channelHeader, err := proto.Marshal(&common.ChannelHeader{
		Type: int32(common.HeaderType_CONFIG_UPDATE), ChannelId: name, Timestamp: timestamppb.New(time.Now()),
	})
	if err != nil {
		return nil, err
	}
	header, err := signatureHeader(admin)
	if err != nil {
		return nil, err
	}
	payload, err := proto.Marshal(&common.Payload{Header: &common.Header{ChannelHeader: channelHeader, SignatureHeader: header}, Data: data})
	if err != nil {
		return nil, err
	}
	signature, err := admin.Sign(payload)
	return &common.Envelope{Payload: payload, Signature: signature}, err
}

func signatureHeader(admin identity.SigningIdentity) ([]byte, error) {
	creator, err := proto.Marshal(&msp.SerializedIdentity{Mspid: admin.MspID(), IdBytes: admin.Credentials()})
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, 24)
	rand.Read(nonce)
	return proto.Marshal(&common.SignatureHeader{Creator: creator, Nonce: nonce})
}
