package pressure

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"

	"github.com/pie-consortium/pie/internal/direct"
)

const (
	// slackGoroutines and slackBytes are what a gateway may have more afterwards: caches
	// of bounded size, connections between nodes.
	slackGoroutines = 40
	slackBytes      = 48 << 20
)

// state is what must not change under requests that nobody signed, by node.
type state struct{ heights, goroutines, heaps map[string]float64 }

var (
	height     = regexp.MustCompile(`(?m)^ledger_blockchain_height\{[^}]*\} (\S+)$`)
	goroutines = regexp.MustCompile(`(?m)^goroutine profile: total (\d+)$`)
	collected  = regexp.MustCompile(`(?m)^# HeapAlloc = (\d+)$`)
	heap       = regexp.MustCompile(`(?m)^go_memstats_heap_alloc_bytes (\S+)$`)
)

func measure(ctx context.Context) (state, error) {
	s := state{map[string]float64{}, map[string]float64{}, map[string]float64{}}
	for _, o := range network.Organizations {
		operations, err := network.Operations(o.Peers[0])
		if err != nil {
			return s, err
		}
		for _, m := range []struct {
			into map[string]float64
			node string
			url  string
			form *regexp.Regexp
		}{
			{s.heights, o.Peers[0], operations + "/metrics", height},
			{s.goroutines, o.Gateway, o.GatewayOperations + "/debug/pprof/goroutine?debug=1", goroutines},
			{map[string]float64{}, o.Gateway, o.GatewayOperations + "/debug/pprof/heap?debug=1&gc=1", collected}, // collects garbage
			{s.heaps, o.Gateway, o.GatewayOperations + "/metrics", heap},
		} {
			value, err := read(ctx, m.url, m.form)
			if err != nil {
				return s, fmt.Errorf("%s: %w", m.node, err)
			}
			m.into[m.node] = value
		}
	}
	return s, nil
}

// read asks a node for text and finds a number in it.
func read(ctx context.Context, url string, form *regexp.Regexp) (float64, error) {
	text, err := scrape(ctx, url)
	if err != nil {
		return 0, err
	}
	match := form.FindSubmatch(text)
	if match == nil {
		return 0, fmt.Errorf("%s shows no %s", url, form)
	}
	return strconv.ParseFloat(string(match[1]), 64)
}

func scrape(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := direct.Client(http.DefaultTransport).Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

// require waits until everything is as it was before.
func (s state) require(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	return eventually(ctx, "the ledger and the gateways are as before", func() (bool, error) {
		now, err := measure(ctx)
		if err != nil {
			return false, err
		}
		for node, before := range s.heights {
			if now.heights[node] != before {
				return false, fmt.Errorf("the ledger of %s has %.0f blocks, not %.0f", node, now.heights[node], before)
			}
		}
		for node := range s.goroutines {
			if now.goroutines[node] > s.goroutines[node]+slackGoroutines || now.heaps[node] > s.heaps[node]+slackBytes {
				return false, fmt.Errorf("%s: %w: from %.0f to %.0f goroutines, from %.0f to %.0f bytes", node, errGrown,
					s.goroutines[node], now.goroutines[node], s.heaps[node], now.heaps[node])
			}
		}
		return true, nil
	})
}

// calm reports panics in any node's log.
func calm() error {
	for _, node := range network.Nodes() {
		text, err := os.ReadFile(network.Log(node.Name))
		if err != nil {
			return err
		}
		for _, word := range []string{"panic:", "panic serving", "goroutine 1 [", "DATA RACE"} {
			if at := bytes.Index(text, []byte(word)); at >= 0 {
				return fmt.Errorf("the log of %s: %.600s", node.Name, text[max(at-200, 0):])
			}
		}
	}
	return nil
}

// logged is what gateways' logs say of a request.
func logged(requestID string) string {
	var lines string
	for _, o := range network.Organizations {
		text, err := os.ReadFile(network.Log(o.Gateway))
		if err != nil {
			return err.Error()
		}
		for line := range bytes.Lines(text) {
			if requestID != "" && bytes.Contains(line, []byte(requestID)) {
				lines += "\n" + string(line)
			}
		}
	}
	return lines
}
