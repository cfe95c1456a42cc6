package channel

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	sdk "github.com/hyperledger/fabric-admin-sdk/pkg/channel"
	"github.com/hyperledger/fabric-admin-sdk/pkg/identity"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// ReadBlock reads the channel's first block.
func ReadBlock(path string) (*common.Block, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block := &common.Block{}
	if err := proto.Unmarshal(text, block); err != nil {
		return nil, fmt.Errorf("block %s: %w", path, err)
	}
	return block, nil
}

// JoinOrderer has the ordering node whose admin interface is at url take part in the
// channel; one that does already is left alone. The certificate is an
// administrator's for TLS.
func JoinOrderer(url, name string, block *common.Block, admin *tls.Config) error {
	roots, certificate := admin.RootCAs, admin.Certificates[0]
	joined, err := ordererJoined(url, name, roots, certificate)
	if err != nil || joined {
		return err
	}
	response, err := sdk.CreateChannel(url, block, roots, certificate)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusCreated {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1000))
		return fmt.Errorf("the ordering node refused to join channel %s: %s: %s", name, response.Status, strings.TrimSpace(string(text)))
	}
	return nil
}

func ordererJoined(url, name string, roots *x509.CertPool, certificate tls.Certificate) (bool, error) {
	list, err := sdk.ListChannel(url, roots, certificate)
	if err != nil {
		return false, fmt.Errorf("ask the ordering node for its channels: %w", err)
	}
	for _, channel := range list.Channels {
		if channel.Name == name {
			return true, nil
		}
	}
	return false, nil
}

// JoinPeer has a peer take part in the channel; one that does already is left alone.
func JoinPeer(ctx context.Context, connection *grpc.ClientConn, admin identity.SigningIdentity, block *common.Block) error {
	channels, err := sdk.ListChannelOnPeer(ctx, connection, admin)
	if err != nil {
		return fmt.Errorf("ask the peer for its channels: %w", err)
	}
	// A peer of the consortium is in its one channel or in none.
	if len(channels) > 0 {
		return nil
	}
	if err := sdk.JoinChannel(ctx, connection, admin, block); err != nil {
		return fmt.Errorf("join the channel: %w", err)
	}
	return nil
}
