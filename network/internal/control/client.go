package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/pie-consortium/pie/internal/direct"
)

// Client gives orders to the supervisor of one data directory.
type Client struct {
	data string
	http *http.Client
}

// NewClient returns a client for the supervisor in data; whether there is one, the
// first call tells.
func NewClient(data string) *Client {
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dial(ctx, data)
		},
	}
	return &Client{data, direct.Client(transport)}
}

// Nodes asks for the state of the nodes; [ErrNotRunning] without a supervisor.
func (c *Client) Nodes(ctx context.Context) (Record, error) {
	response, err := c.do(ctx, http.MethodGet, "/nodes")
	if err != nil {
		return Record{}, err
	}
	defer response.Body.Close()
	var record Record
	if err := json.NewDecoder(response.Body).Decode(&record); err != nil {
		return Record{}, fmt.Errorf("the supervisor's answer: %w", err)
	}
	return record, nil
}

// Up has everything started that does not run, and passes progress on.
func (c *Client) Up(ctx context.Context, progress func(string)) error {
	response, err := c.do(ctx, http.MethodPost, "/up")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	decoder := json.NewDecoder(response.Body)
	for {
		var e event
		if err := decoder.Decode(&e); err != nil {
			return fmt.Errorf("the supervisor went away (%w); its log is %s", err, LogPath(c.data))
		}
		switch {
		case e.Error != "":
			return errors.New(e.Error)
		case e.Done:
			return nil
		default:
			progress(e.Progress)
		}
	}
}

// Down has every node stopped, and the supervisor end.
func (c *Client) Down(ctx context.Context) error {
	response, err := c.do(ctx, http.MethodPost, "/down")
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func (c *Client) do(ctx context.Context, method, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://supervisor"+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if errors.Is(err, ErrNotRunning) {
		return nil, fmt.Errorf("%w: nobody answers in %s", ErrNotRunning, c.data)
	}
	return response, err
}

// LogPath is the supervisor's own log in data.
func LogPath(data string) string { return filepath.Join(data, "logs", "supervisor.log") }

// Forget removes the record of nodes that were stopped in order.
func Forget(data string) error {
	err := os.Remove(filepath.Join(data, recordName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
