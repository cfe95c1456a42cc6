package settings

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/pie-consortium/pie/internal/direct"
)

// probeTimeout bounds one look at a node's health.
const probeTimeout = 2 * time.Second

// Ready looks once whether the node is ready; the error says why it is not.
func (n Node) Ready(ctx context.Context) error {
	for _, health := range n.Health {
		if err := probe(ctx, health); err != nil {
			return err
		}
	}
	return nil
}

func probe(ctx context.Context, health string) error {
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
	response, err := direct.Client(http.DefaultTransport).Do(request)
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
