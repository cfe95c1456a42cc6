package process

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// probeTimeout bounds one look at a node's health.
const probeTimeout = 2 * time.Second

// Probe looks once whether a node is ready. The scheme of health says how: http
// (GET), post (POST over HTTP), tcp (accepts a connection).
func Probe(ctx context.Context, health string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	scheme, rest, _ := strings.Cut(health, "://")
	if scheme == "tcp" {
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", rest)
		if err != nil {
			return err
		}
		return connection.Close()
	}
	method := http.MethodGet
	if scheme == "post" {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+rest, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 300))
		return fmt.Errorf("answers %s: %s", response.Status, strings.TrimSpace(string(text)))
	}
	return nil
}
