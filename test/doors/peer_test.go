package doors

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/discovery"
	gatewaypb "github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/gossip"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// door is one way into a node.
type door struct {
	name string
	// method is what it is to gRPC.
	method string
	// opens says who has its key, at whose hand the same call is not refused.
	opens holder
	try   func(ctx context.Context, by caller, node *grpc.ClientConn) error
}

// peerDoors are those of a peer of this hospital that are shut to users.
func (w *world) peerDoors(msp string) []door {
	doors := w.systemDoors(msp)
	for name, stream := range map[string]func(context.Context, *grpc.ClientConn) (blocks, error){
		"Deliver": func(ctx context.Context, c *grpc.ClientConn) (blocks, error) {
			return peer.NewDeliverClient(c).Deliver(ctx)
		},
		"DeliverFiltered": func(ctx context.Context, c *grpc.ClientConn) (blocks, error) {
			return peer.NewDeliverClient(c).DeliverFiltered(ctx)
		},
		"DeliverWithPrivateData": func(ctx context.Context, c *grpc.ClientConn) (blocks, error) {
			return peer.NewDeliverClient(c).DeliverWithPrivateData(ctx)
		},
	} {
		doors = append(doors, door{name, "/protos.Deliver/" + name, gateway, func(ctx context.Context, by caller, node *grpc.ClientConn) error {
			_, err := w.deliver(ctx, by, func(ctx context.Context) (blocks, error) { return stream(ctx, node) })
			return err
		}})
	}
	return append(doors,
		door{"commit status", "/gateway.Gateway/CommitStatus", gateway, w.commitStatus},
		door{"chaincode events", "/gateway.Gateway/ChaincodeEvents", gateway, w.chaincodeEvents},
		w.discover("configuration", gateway, &discovery.Query{Channel: w.network.Channel, Query: &discovery.Query_ConfigQuery{ConfigQuery: &discovery.ConfigQuery{}}}),
		w.discover("peers", gateway, &discovery.Query{Channel: w.network.Channel, Query: &discovery.Query_PeerQuery{PeerQuery: &discovery.PeerMembershipQuery{}}}),
		w.discover("endorsers", gateway, &discovery.Query{Channel: w.network.Channel, Query: &discovery.Query_CcQuery{CcQuery: &discovery.ChaincodeQuery{
			Interests: []*peer.ChaincodeInterest{{Chaincodes: []*peer.ChaincodeCall{{Name: w.network.Chaincode}}}},
		}}}),
		w.discover("own peers", admin, &discovery.Query{Query: &discovery.Query_LocalPeers{LocalPeers: &discovery.LocalPeerQuery{}}}),
		door{"gossip", "/gossip.Gossip/GossipStream", peer0, w.gossip},
		door{"make a snapshot", "/protos.Snapshot/Generate", admin, w.snapshot(func(ctx context.Context, s peer.SnapshotClient, r *peer.SignedSnapshotRequest) error {
			_, err := s.Generate(ctx, r)
			return err
		})},
		door{"cancel a snapshot", "/protos.Snapshot/Cancel", admin, w.snapshot(func(ctx context.Context, s peer.SnapshotClient, r *peer.SignedSnapshotRequest) error {
			_, err := s.Cancel(ctx, r)
			return err
		})},
		door{"pending snapshots", "/protos.Snapshot/QueryPendings", admin, w.snapshot(func(ctx context.Context, s peer.SnapshotClient, r *peer.SignedSnapshotRequest) error {
			_, err := s.QueryPendings(ctx, r)
			return err
		})},
	)
}

// systemDoors are the functions of the chaincodes that are part of every peer, asked for
// at the endorser and at the gateway service.
func (w *world) systemDoors(msp string) []door {
	name, zero, empty := []byte(w.network.Channel), []byte("0"), []byte{}
	some := []byte(strings.Repeat("ab", 32))
	var doors []door
	add := func(opens holder, local bool, chaincode, function string, arguments ...[]byte) {
		i := invocation{w.network.Channel, chaincode, append([][]byte{[]byte(function)}, arguments...)}
		doors = append(doors,
			door{chaincode + " " + function, "/protos.Endorser/ProcessProposal", opens, func(ctx context.Context, by caller, node *grpc.ClientConn) error {
				_, err := propose(ctx, by, node, i)
				return err
			}},
			door{chaincode + " " + function + ", evaluated", "/gateway.Gateway/Evaluate", opens, func(ctx context.Context, by caller, node *grpc.ClientConn) error {
				err := evaluate(ctx, by, node, i, msp)
				return err
			}})
		if !local {
			return
		}
		ofNone := invocation{"", chaincode, i.arguments}
		doors = append(doors, door{chaincode + " " + function + ", of no channel", "/protos.Endorser/ProcessProposal", opens, func(ctx context.Context, by caller, node *grpc.ClientConn) error {
			_, err := propose(ctx, by, node, ofNone)
			return err
		}})
	}
	add(gateway, true, "qscc", "GetChainInfo", name)
	add(gateway, true, "qscc", "GetBlockByNumber", name, zero)
	add(gateway, true, "qscc", "GetBlockByHash", name, some)
	add(gateway, true, "qscc", "GetTransactionByID", name, some)
	add(gateway, true, "qscc", "GetBlockByTxID", name, some)
	add(gateway, true, "cscc", "GetConfigBlock", name)
	add(gateway, true, "cscc", "GetChannelConfig", name)
	add(admin, true, "cscc", "GetChannels")
	add(admin, true, "cscc", "JoinChain", w.private.first)
	add(admin, true, "cscc", "JoinChainBySnapshot", []byte("/nowhere"))
	add(admin, true, "cscc", "JoinBySnapshotStatus")
	for _, function := range []string{"InstallChaincode", "QueryInstalledChaincode", "GetInstalledChaincodePackage", "QueryInstalledChaincodes",
		"ApproveChaincodeDefinitionForMyOrg", "QueryApprovedChaincodeDefinition", "QueryApprovedChaincodeDefinitions"} {
		add(admin, true, "_lifecycle", function, empty)
	}
	add(admin, false, "_lifecycle", "CommitChaincodeDefinition", empty)
	for _, function := range []string{"QueryChaincodeDefinition", "QueryChaincodeDefinitions", "CheckCommitReadiness"} {
		add(gateway, false, "_lifecycle", function, empty)
	}
	return doors
}

// blocks is a stream of them.
type blocks interface {
	Send(*common.Envelope) error
	Recv() (*peer.DeliverResponse, error)
}

// deliver asks for all blocks that there are, and returns what comes until their end.
func (w *world) deliver(ctx context.Context, by caller, open func(context.Context) (blocks, error)) ([]*peer.DeliverResponse, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := open(ctx)
	if err != nil {
		return nil, err
	}
	envelope, err := w.seek(by)
	if err != nil {
		return nil, err
	}
	if err := stream.Send(envelope); err != nil {
		return nil, err
	}
	var got []*peer.DeliverResponse
	for {
		answer, err := stream.Recv()
		if err != nil {
			return got, err
		}
		if done, ok := answer.GetType().(*peer.DeliverResponse_Status); ok {
			if done.Status != common.Status_SUCCESS {
				return got, errors.New(done.Status.String())
			}
			return got, nil
		}
		got = append(got, answer)
	}
}

// seek is the question for all blocks that there are.
func (w *world) seek(by caller) (*common.Envelope, error) {
	payload := pack(&common.Payload{
		Header: &common.Header{
			ChannelHeader: pack(&common.ChannelHeader{
				Type: int32(common.HeaderType_DELIVER_SEEK_INFO), Timestamp: timestamppb.New(time.Now()), ChannelId: w.network.Channel, TlsCertHash: by.shown,
			}),
			SignatureHeader: pack(&common.SignatureHeader{Creator: by.serialized(), Nonce: random()}),
		},
		Data: pack(&orderer.SeekInfo{
			Start: &orderer.SeekPosition{Type: &orderer.SeekPosition_Oldest{Oldest: &orderer.SeekOldest{}}},
			Stop:  &orderer.SeekPosition{Type: &orderer.SeekPosition_Newest{Newest: &orderer.SeekNewest{}}},
		}),
	})
	signature, err := by.Sign(payload)
	return &common.Envelope{Payload: payload, Signature: signature}, err
}

func (w *world) commitStatus(ctx context.Context, by caller, node *grpc.ClientConn) error {
	request := pack(&gatewaypb.CommitStatusRequest{TransactionId: w.private.transaction, ChannelId: w.network.Channel, Identity: by.serialized()})
	signature, err := by.Sign(request)
	if err != nil {
		return err
	}
	_, err = gatewaypb.NewGatewayClient(node).CommitStatus(ctx, &gatewaypb.SignedCommitStatusRequest{Request: request, Signature: signature})
	return err
}

func (w *world) chaincodeEvents(ctx context.Context, by caller, node *grpc.ClientConn) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request := pack(&gatewaypb.ChaincodeEventsRequest{
		ChannelId: w.network.Channel, ChaincodeId: w.network.Chaincode, Identity: by.serialized(),
		StartPosition: &orderer.SeekPosition{Type: &orderer.SeekPosition_Oldest{Oldest: &orderer.SeekOldest{}}},
	})
	signature, err := by.Sign(request)
	if err != nil {
		return err
	}
	stream, err := gatewaypb.NewGatewayClient(node).ChaincodeEvents(ctx, &gatewaypb.SignedChaincodeEventsRequest{Request: request, Signature: signature})
	if err != nil {
		return err
	}
	_, err = stream.Recv()
	return err
}

func (w *world) discover(what string, opens holder, query *discovery.Query) door {
	return door{"discovery of " + what, "/discovery.Discovery/Discover", opens, func(ctx context.Context, by caller, node *grpc.ClientConn) error {
		payload := pack(&discovery.Request{
			Authentication: &discovery.AuthInfo{ClientIdentity: by.serialized(), ClientTlsCertHash: by.shown}, Queries: []*discovery.Query{query},
		})
		signature, err := by.Sign(payload)
		if err != nil {
			return err
		}
		answer, err := discovery.NewDiscoveryClient(node).Discover(ctx, &discovery.SignedRequest{Payload: payload, Signature: signature})
		if err != nil {
			return err
		}
		if refusal := answer.GetResults()[0].GetError(); refusal != nil {
			return errors.New(refusal.GetContent())
		}
		return nil
	}}
}

// snapshot asks for what is of no use: the first block's snapshot.
func (w *world) snapshot(ask func(context.Context, peer.SnapshotClient, *peer.SignedSnapshotRequest) error) func(context.Context, caller, *grpc.ClientConn) error {
	return func(ctx context.Context, by caller, node *grpc.ClientConn) error {
		// A query has the same first fields.
		request := pack(&peer.SnapshotRequest{
			SignatureHeader: &common.SignatureHeader{Creator: by.serialized(), Nonce: random()}, ChannelId: w.network.Channel, BlockNumber: 1,
		})
		signature, err := by.Sign(request)
		if err != nil {
			return err
		}
		return ask(ctx, peer.NewSnapshotClient(node), &peer.SignedSnapshotRequest{Request: request, Signature: signature})
	}
}

// private is where some private data stand on the ledger, and the ledger's first block.
type private struct {
	first       []byte
	transaction string
	digest      *gossip.PvtDataDigest
}

// findPrivate reads the ledger as a gateway may.
func (w *world) findPrivate(ctx context.Context) (private, error) {
	organization, err := w.network.Organization("HospitalA")
	if err != nil {
		return private{}, err
	}
	by, err := officer("gateway", organization.MSP, organization.GatewayIdentity)
	if err != nil {
		return private{}, err
	}
	settings, err := organization.TLS(organization.GatewayTLS)
	if err != nil {
		return private{}, err
	}
	node, shown, err := connect(organization.PeerAddress, settings)
	if err != nil {
		return private{}, err
	}
	defer node.Close()
	by.shown = shown
	got, err := w.deliver(ctx, by, func(ctx context.Context) (blocks, error) {
		return peer.NewDeliverClient(node).DeliverWithPrivateData(ctx)
	})
	if err != nil {
		return private{}, err
	}
	found := private{first: pack(got[0].GetBlockAndPrivateData().GetBlock())}
	for _, answer := range got {
		block := answer.GetBlockAndPrivateData()
		for sequence, rows := range block.GetPrivateDataMap() {
			for _, row := range rows.GetNsPvtRwset() {
				found.transaction = transactionOf(block.GetBlock().GetData().GetData()[sequence])
				found.digest = &gossip.PvtDataDigest{
					TxId: found.transaction, Namespace: row.GetNamespace(), Collection: row.GetCollectionPvtRwset()[0].GetCollectionName(),
					BlockSeq: block.GetBlock().GetHeader().GetNumber(), SeqInBlock: sequence,
				}
			}
		}
	}
	if found.digest == nil {
		return private{}, fmt.Errorf("there are no private data on the ledger, so that nobody could get at any")
	}
	return found, nil
}
