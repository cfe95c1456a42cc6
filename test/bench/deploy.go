package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/hyperledger/fabric-admin-sdk/pkg/chaincode"
	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	pb "github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/pie-consortium/pie/ledger"
)

// floorName is the name of the floor's chaincode on the channel.
const floorName = "floor"

// floorChaincode is the floor's chaincode, served by this process to all peers, with
// the same endorsement policy and private data collections as PIE's.
type floorChaincode struct {
	server *grpc.Server
}

func (f *floorChaincode) close() { f.server.Stop() }

func deployFloor(ctx context.Context, s *stage) (*floorChaincode, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	pack, err := packageOf(listener.Addr().String())
	if err != nil {
		return nil, err
	}
	id := chaincode.GetPackageID(floorName, pack)
	floor := &floorChaincode{serveRules(listener, id)}
	collections, err := floorCollections(s)
	if err != nil {
		return floor, err
	}
	definition := &chaincode.Definition{
		ChannelName: s.network.Channel, Name: floorName, Version: "1", Sequence: 1, PackageID: id, Collections: collections,
	}
	var last *chaincode.Gateway
	for _, p := range s.peers {
		if _, err := chaincode.NewPeer(p.connection, p.admin).Install(ctx, bytes.NewReader(pack)); err != nil {
			return floor, describe(err)
		}
		last = chaincode.NewGateway(p.connection, p.admin)
		if err := last.Approve(ctx, definition); err != nil {
			return floor, describe(err)
		}
	}
	return floor, describe(last.Commit(ctx, definition))
}

// serveRules serves the floor's chaincode as the one with the ID.
func serveRules(listener net.Listener, id string) *grpc.Server {
	server := grpc.NewServer()
	pb.RegisterChaincodeServer(server, &shim.ChaincodeServer{CCID: id, CC: rules{}})
	go func() { _ = server.Serve(listener) }()
	return server
}

// packageOf is a package that leads every peer to the address.
func packageOf(address string) ([]byte, error) {
	connection, err := json.Marshal(map[string]any{"address": address, "dial_timeout": "10s", "tls_required": false})
	if err != nil {
		return nil, err
	}
	code, err := archive("connection.json", connection, "", nil)
	if err != nil {
		return nil, err
	}
	metadata, err := json.Marshal(map[string]string{"type": "ccaas", "label": floorName})
	if err != nil {
		return nil, err
	}
	return archive("metadata.json", metadata, "code.tar.gz", code)
}

// archive makes a compressed archive of one file or two.
func archive(first string, one []byte, second string, two []byte) ([]byte, error) {
	var buffer bytes.Buffer
	compressor := gzip.NewWriter(&buffer)
	writer := tar.NewWriter(compressor)
	for _, file := range []struct {
		name    string
		content []byte
	}{{first, one}, {second, two}} {
		if file.name == "" {
			continue
		}
		if err := writer.WriteHeader(&tar.Header{Name: file.name, Mode: 0o644, Size: int64(len(file.content))}); err != nil {
			return nil, err
		}
		if _, err := writer.Write(file.content); err != nil {
			return nil, err
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	err := compressor.Close()
	return buffer.Bytes(), err
}

// floorCollections are PIE's.
func floorCollections(s *stage) (*pb.CollectionConfigPackage, error) {
	var members []string
	for msp := range s.peers {
		members = append(members, "'"+msp+".member'")
	}
	policy, err := chaincode.NewApplicationPolicy("OR("+strings.Join(members, ",")+")", "")
	if err != nil {
		return nil, err
	}
	collections := &pb.CollectionConfigPackage{}
	for _, name := range []string{ledger.MetadataCollection, ledger.FragmentsCollection} {
		collections.Config = append(collections.Config, &pb.CollectionConfig{Payload: &pb.CollectionConfig_StaticCollectionConfig{
			StaticCollectionConfig: &pb.StaticCollectionConfig{
				Name: name, MaximumPeerCount: int32(len(members) - 1), MemberOnlyRead: true, MemberOnlyWrite: true,
				MemberOrgsPolicy: &pb.CollectionPolicyConfig{Payload: &pb.CollectionPolicyConfig_SignaturePolicy{
					SignaturePolicy: policy.GetSignaturePolicy(),
				}},
			},
		}})
	}
	return collections, nil
}

// commit has one row committed at a hospital: the least that a transaction can do.
func (s *stage) commit(ctx context.Context, msp string) error {
	rows := []row{{Key: string(ledger.NewID()), Value: []byte{0}}}
	return s.peers[msp].submit(ctx, call{chaincode: floorName, function: "put", arguments: []string{"{}"}, private: rows})
}

// ready waits until the chaincode of the name answers at every peer, which connects to
// it at the first call.
func (s *stage) ready(ctx context.Context, asked call) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, p := range s.peers {
		for {
			_, err := p.evaluate(ctx, asked)
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("the chaincode does not answer at the peer of %s: %w", p.msp, err)
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	return nil
}

// describe adds to an error what the peers behind the gateway said.
func describe(err error) error {
	if err == nil {
		return nil
	}
	for _, detail := range status.Convert(err).Details() {
		err = fmt.Errorf("%w; %v", err, detail)
	}
	return err
}
