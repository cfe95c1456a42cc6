package ipfs

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/pie-consortium/pie/internal/direct"
)

// SwarmKey reads the key of the private swarm at path, and draws one when there is
// none. Whoever has it can connect to the consortium's Kubo nodes.
func SwarmKey(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err == nil || !os.IsNotExist(err) {
		return text, err
	}
	key := make([]byte, 32)
	rand.Read(key)
	text = []byte("/key/swarm/psk/1.0.0/\n/base16/\n" + hex.EncodeToString(key) + "\n")
	return text, os.WriteFile(path, text, 0o600)
}

// Connect has the node with this RPC interface connect to a peer now; left to itself
// it would take ten seconds to try again when the peer started later.
func Connect(ctx context.Context, api, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, api+"/api/v0/swarm/connect?arg="+url.QueryEscape(address), nil)
	if err != nil {
		return err
	}
	response, err := direct.Client(http.DefaultTransport).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1000))
		return fmt.Errorf("connect to %s: %s: %s", address, response.Status, strings.TrimSpace(string(text)))
	}
	return nil
}
