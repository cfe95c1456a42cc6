package fabric

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"

	"github.com/pie-consortium/pie/ledger/trust"
)

// FollowRevocations hands over which certificates the members have revoked, as the
// channel's configuration at this hospital's peer says: at once, and after every block that
// changes the configuration. It returns when the stream of blocks ends or something fails.
func (p *Peer) FollowRevocations(ctx context.Context, learn func(trust.Revocations)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The height first: what is committed while the configuration is read is seen again.
	height, err := p.height(ctx)
	if err != nil {
		return err
	}
	if err := p.readRevocations(ctx, learn); err != nil {
		return err
	}
	blocks, err := p.gateway.GetNetwork(p.channel).FilteredBlockEvents(ctx, client.WithStartBlock(height))
	if err != nil {
		return decodeError(err)
	}
	for block := range blocks {
		for _, transaction := range block.GetFilteredTransactions() {
			if transaction.GetType() != common.HeaderType_CONFIG {
				continue
			}
			if err := p.readRevocations(ctx, learn); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("the peer's stream of blocks has ended")
}

// height is the number of the next block at this hospital's peer.
func (p *Peer) height(ctx context.Context) (uint64, error) {
	var info common.BlockchainInfo
	err := p.evaluateSystem(ctx, systemCall{"qscc", "GetChainInfo"}, &info)
	return info.GetHeight(), err
}

func (p *Peer) readRevocations(ctx context.Context, learn func(trust.Revocations)) error {
	var configuration common.Config
	if err := p.evaluateSystem(ctx, systemCall{"cscc", "GetChannelConfig"}, &configuration); err != nil {
		return err
	}
	learn(revocationsIn(&configuration))
	return nil
}

// systemCall is a function of a chaincode that is part of every peer.
type systemCall struct{ chaincode, function string }

func (p *Peer) evaluateSystem(ctx context.Context, call systemCall, result proto.Message) error {
	answer, err := p.gateway.GetNetwork(p.channel).GetContract(call.chaincode).EvaluateWithContext(ctx, call.function,
		client.WithArguments(p.channel), client.WithEndorsingOrganizations(p.msp))
	if err != nil {
		return decodeError(err)
	}
	if err := proto.Unmarshal(answer, result); err != nil {
		return fmt.Errorf("%s of %s: decode result: %w", call.function, call.chaincode, err)
	}
	return nil
}

// revocationsIn collects the lists of all members. The channel lets nobody but a member
// write its own, and what cannot be read of one concerns that member alone.
func revocationsIn(configuration *common.Config) trust.Revocations {
	var revoked trust.Revocations
	for member, group := range configuration.GetChannelGroup().GetGroups()["Application"].GetGroups() {
		if msp, err := addRevocations(&revoked, group); err != nil {
			revoked.Refuse(cmp.Or(msp, member), err)
		}
	}
	return revoked
}

// addRevocations adds a member's lists and says which MSP it has, as far as it got.
func addRevocations(revoked *trust.Revocations, member *common.ConfigGroup) (string, error) {
	var outer msp.MSPConfig
	if err := proto.Unmarshal(member.GetValues()["MSP"].GetValue(), &outer); err != nil {
		return "", err
	}
	var inner msp.FabricMSPConfig
	if err := proto.Unmarshal(outer.GetConfig(), &inner); err != nil {
		return "", err
	}
	var faults []error
	for _, list := range inner.GetRevocationList() {
		faults = append(faults, revoked.Add(inner.GetName(), list))
	}
	return inner.GetName(), errors.Join(faults...)
}
