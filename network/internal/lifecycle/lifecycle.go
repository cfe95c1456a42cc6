// Package lifecycle puts the chaincode into force: every hospital installs and
// approves the same definition, and it is committed once.
package lifecycle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hyperledger/fabric-admin-sdk/pkg/chaincode"
	"github.com/hyperledger/fabric-admin-sdk/pkg/identity"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	lifecyclepb "github.com/hyperledger/fabric-protos-go-apiv2/peer/lifecycle"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// version names the rules in the definition; what changes it is a new sequence.
const version = "1"

// Hospital is one member's side of the lifecycle: its administrator at its peers.
type Hospital struct {
	MSP   string
	Admin identity.SigningIdentity
	// Peers are connections to the organisation's peers, one at least.
	Peers []*grpc.ClientConn
}

// Package is the chaincode as a peer installs it: nothing but the way to the
// process that serves it, which each peer's builder fills in. It is the same bytes,
// hence the same identifier, for every organisation.
type Package struct {
	ID    string
	bytes []byte
}

// NewPackage makes the package of the chaincode called name.
func NewPackage(name string) (Package, error) {
	connection, err := archive(map[string]any{"connection.json": map[string]any{
		"address": "{{.address}}", "dial_timeout": "10s", "tls_required": false,
	}})
	if err != nil {
		return Package{}, err
	}
	bytes, err := archive(map[string]any{"metadata.json": map[string]any{"type": "ccaas", "label": name}, "code.tar.gz": connection})
	if err != nil {
		return Package{}, err
	}
	return Package{chaincode.GetPackageID(name, bytes), bytes}, nil
}

// archive makes a compressed archive; a value that is not bytes is encoded as JSON.
// The order is fixed, as the identifier is a hash of the result.
func archive(files map[string]any) ([]byte, error) {
	var buffer bytes.Buffer
	compressor := gzip.NewWriter(&buffer)
	writer := tar.NewWriter(compressor)
	for _, name := range []string{"metadata.json", "connection.json", "code.tar.gz"} {
		content, ok := files[name]
		if !ok {
			continue
		}
		text, ok := content.([]byte)
		if !ok {
			var err error
			if text, err = json.Marshal(content); err != nil {
				return nil, err
			}
		}
		if err := writer.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			return nil, err
		}
		if _, err := writer.Write(text); err != nil {
			return nil, err
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	if err := compressor.Close(); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}

// Install puts the package on every peer of the hospital that lacks it.
func (h Hospital) Install(ctx context.Context, pack Package) error {
	for _, connection := range h.Peers {
		target := chaincode.NewPeer(connection, h.Admin)
		installed, err := target.QueryInstalled(ctx)
		if err != nil {
			return fmt.Errorf("ask a peer of %s for its chaincodes: %w", h.MSP, err)
		}
		if has(installed.GetInstalledChaincodes(), pack.ID) {
			continue
		}
		if _, err := target.Install(ctx, bytes.NewReader(pack.bytes)); err != nil {
			return fmt.Errorf("install the chaincode at a peer of %s: %w", h.MSP, err)
		}
	}
	return nil
}

// Commit brings the definition into force on the channel: each hospital approves,
// the first one commits. Nothing happens when that definition is in force already.
func Commit(ctx context.Context, hospitals []Hospital, definition *chaincode.Definition) error {
	first := chaincode.NewGateway(hospitals[0].Peers[0], hospitals[0].Admin)
	sequence, same, err := inForce(ctx, first, definition)
	if err != nil || same {
		return err
	}
	definition.Sequence = sequence + 1
	return approve(ctx, hospitals, definition)
}

// approve has each hospital approve, and the first one commit.
func approve(ctx context.Context, hospitals []Hospital, definition *chaincode.Definition) error {
	for _, hospital := range hospitals {
		if err := hospital.approve(ctx, definition); err != nil {
			return fmt.Errorf("approve the chaincode for %s: %w", hospital.MSP, err)
		}
	}
	if err := chaincode.NewGateway(hospitals[0].Peers[0], hospitals[0].Admin).Commit(ctx, definition); err != nil {
		return fmt.Errorf("commit the chaincode: %w", err)
	}
	return nil
}

// approve approves unless the hospital has done so before, which Fabric refuses.
func (h Hospital) approve(ctx context.Context, definition *chaincode.Definition) error {
	gateway := chaincode.NewGateway(h.Peers[0], h.Admin)
	readiness, err := gateway.CheckCommitReadiness(ctx, definition)
	if err != nil {
		return err
	}
	if readiness.GetApprovals()[h.MSP] {
		return nil
	}
	return gateway.Approve(ctx, definition)
}

// Renew brings the definition in force into force again, under the next sequence, when
// the named hospital's peers have lost their approval. Only they keep it, and Fabric
// takes none for a sequence that it has seen one for. It is an error that they have not
// seen the definition in force yet.
func Renew(ctx context.Context, hospitals []Hospital, msp string, definition *chaincode.Definition) error {
	i := slices.IndexFunc(hospitals, func(h Hospital) bool { return h.MSP == msp })
	if i < 0 {
		return fmt.Errorf("no hospital has the MSP %q", msp)
	}
	gateway := chaincode.NewGateway(hospitals[i].Peers[0], hospitals[i].Admin)
	sequence, same, err := inForce(ctx, gateway, definition)
	if err != nil {
		return err
	}
	if !same {
		return fmt.Errorf("a peer of %s has not seen the chaincode's definition yet", msp)
	}
	if _, err := gateway.QueryApproved(ctx, definition.ChannelName, definition.Name, sequence); err == nil {
		return nil
	}
	definition.Sequence = sequence + 1
	return approve(ctx, hospitals, definition)
}

// inForce returns the sequence of the committed definition, 0 for none, and whether
// it is the wanted one.
func inForce(ctx context.Context, gateway *chaincode.Gateway, definition *chaincode.Definition) (int64, bool, error) {
	committed, err := gateway.QueryCommittedWithName(ctx, definition.ChannelName, definition.Name)
	if err != nil {
		if strings.Contains(detail(err), "namespace "+definition.Name+" is not defined") {
			return 0, false, nil
		}
		return 0, false, fmt.Errorf("ask for the chaincode in force: %w", err)
	}
	same := committed.GetVersion() == definition.Version && proto.Equal(committed.GetCollections(), definition.Collections)
	return committed.GetSequence(), same, nil
}

// detail is an error's text with what the peers behind the gateway said.
func detail(err error) string {
	text := err.Error()
	for _, extra := range status.Convert(err).Details() {
		text += fmt.Sprint(" ", extra)
	}
	return text
}

// Definition is what the hospitals approve: endorsement by the channel's majority,
// and these private data collections.
func Definition(channel, name string, pack Package, collections *peer.CollectionConfigPackage) *chaincode.Definition {
	return &chaincode.Definition{
		ChannelName: channel, Name: name, Version: version, PackageID: pack.ID, Collections: collections,
	}
}

func has(installed []*lifecyclepb.QueryInstalledChaincodesResult_InstalledChaincode, id string) bool {
	return slices.ContainsFunc(installed, func(c *lifecyclepb.QueryInstalledChaincodesResult_InstalledChaincode) bool {
		return c.GetPackageId() == id
	})
}
