package pressure

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// slowOnes are connections that keep a gateway waiting at the same time.
const slowOnes = 100

// visit measures the gateways, lets somebody abuse one, and requires them to be as before.
func visit(t *testing.T, abuse func(ctx context.Context, gateway, token string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*deadline)
	defer cancel()
	gateway := network.Organizations[0].GatewayURL
	token, err := crowd.token(ctx, crowd.of(crowd.Physician.Identity().User), gateway)
	if err != nil {
		t.Fatal(err)
	}
	before, err := measure(ctx)
	if err != nil {
		t.Fatal(err)
	}
	abuse(ctx, gateway, token)
	if err := before.require(ctx); err != nil {
		t.Error(err)
	}
	if err := calm(); err != nil {
		t.Error(err)
	}
}

// serves requires that the gateway answers others meanwhile, who come again when its peer,
// which answers few at once here, is asked too much.
func serves(ctx context.Context, t *testing.T, gateway, token string) {
	t.Helper()
	status, err := visitOnce(ctx, gateway, token)
	for end := time.Now().Add(deadline); status == http.StatusServiceUnavailable && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		status, err = visitOnce(ctx, gateway, token)
	}
	if err != nil || status != http.StatusOK {
		t.Errorf("others get %d, %v", status, err)
	}
}

func visitOnce(ctx context.Context, gateway, token string) (int, error) {
	c, err := dial(ctx, gateway)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	a, err := c.ask(&request{method: "GET", target: "/v1/organizations", header: []string{"Authorization: Bearer " + token}, framing: plain})
	return a.status, err
}

// crowdOut opens many connections, does something slow on each, and waits until the
// gateway has ended all of them.
func crowdOut(ctx context.Context, t *testing.T, gateway, token string, slow func(*connection) error) {
	t.Helper()
	var waiting sync.WaitGroup
	begun := make(chan struct{}, slowOnes)
	var tell sync.Once // the others say the same
	for range slowOnes {
		waiting.Go(func() {
			c, err := dial(ctx, gateway)
			begun <- struct{}{}
			if err == nil {
				defer c.Close()
				err = errors.Join(c.SetDeadline(time.Now().Add(deadline)), slow(c))
			}
			if err != nil {
				tell.Do(func() { t.Error(err) })
			}
		})
	}
	for range slowOnes {
		<-begun
	}
	serves(ctx, t, gateway, token)
	waiting.Wait()
}

// dribble sends one byte after the other until the gateway ends the connection, and
// returns what it said before.
func dribble(c *connection, head string, letters string) ([]byte, error) {
	if _, err := io.WriteString(c, head); err != nil {
		return nil, err
	}
	said := make(chan []byte, 1)
	go func() {
		text, _ := io.ReadAll(c.reader) // how it ends is up to the gateway
		said <- text
	}()
	pace := time.NewTicker(250 * time.Millisecond)
	defer pace.Stop()
	for i := 0; ; i++ {
		select {
		case text := <-said:
			return text, nil
		case <-pace.C:
			_, _ = c.Write([]byte{letters[i%len(letters)]}) // it may have ended already
		}
	}
}

func TestSlowHeadsAreCutOff(t *testing.T) {
	visit(t, func(ctx context.Context, gateway, token string) {
		crowdOut(ctx, t, gateway, token, func(c *connection) error {
			text, err := dribble(c, "GET /v1/organizations HTTP/1.1\r\nHost: x\r\nX-Slow: ", "a")
			if bytes.HasPrefix(text, []byte("HTTP/1.1 2")) {
				return fmt.Errorf("half a head is answered: %.100s", text)
			}
			return err
		})
	})
}

func TestSlowBodiesAreCutOff(t *testing.T) {
	visit(t, func(ctx context.Context, gateway, token string) {
		crowdOut(ctx, t, gateway, token, func(c *connection) error {
			text, err := dribble(c, "POST /v1/transactions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer "+token+
				"\r\nContent-Length: 100000\r\n\r\n{", " ")
			if err == nil && !bytes.HasPrefix(text, []byte("HTTP/1.1 408 ")) {
				return fmt.Errorf("a body a byte at a time: %.300q", text)
			}
			return err
		})
	})
}

var requestID = regexp.MustCompile(`[A-Z2-7]{26}`)

// A sender who will send no more is answered, or hung up on; neither takes long, and
// nothing is left of it.
func TestHalfClosedConnectionsEnd(t *testing.T) {
	for name, text := range map[string]string{
		"after nothing":      "",
		"in the head":        "GET /v1/organizations HTTP/1.1\r\nHost: x\r\n",
		"in the body":        "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\ngrant_type",
		"after a request":    "GET /v1/organizations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n\r\n",
		"in a content":       "POST /v1/records/RECORD/content HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nAuthorization: Bearer TOKEN\r\nContent-Length: 1000000\r\n\r\nabc",
		"within one's chunk": "POST /v1/records/RECORD/content HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nAuthorization: Bearer TOKEN\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc",
	} {
		t.Run(name, func(t *testing.T) {
			visit(t, func(ctx context.Context, gateway, token string) {
				text := strings.NewReplacer("TOKEN", token, "RECORD", string(crowd.slot)).Replace(text)
				crowdOut(ctx, t, gateway, token, func(c *connection) error {
					if _, err := io.WriteString(c, text); err != nil {
						return err
					}
					if err := c.CloseWrite(); err != nil {
						return err
					}
					said, err := io.ReadAll(c.reader)
					failed := bytes.Contains(said, []byte(`"status":5`)) && !bytes.Contains(said, []byte(`"code":"overloaded"`))
					if failed || strings.Contains(name, "in") && bytes.HasPrefix(said, []byte("HTTP/1.1 2")) {
						return fmt.Errorf("%.300q, %w%s", said, err, logged(requestID.FindString(string(said))))
					}
					return nil // how the connection ends does not matter
				})
			})
		})
	}
}

// endlessly writes until the other side takes no more, and says how much it took.
func endlessly(c *connection, part []byte, most int64) (taken int64) {
	for taken < most {
		n, err := c.Write(part)
		taken += int64(n)
		if err != nil {
			return taken
		}
	}
	return taken
}

const (
	tenGigabytes = 10 << 30
	// buffered is what a refused sender may get rid of before it notices.
	buffered = 64 << 20
)

// Ten bytes are announced, ten gigabytes come: what is more than announced is not a request.
func TestBodiesLargerThanAnnouncedEnd(t *testing.T) {
	for _, target := range []string{"/v1/transactions", "/v1/records/" + string(crowd.slot) + "/content"} {
		visit(t, func(ctx context.Context, gateway, token string) {
			c, err := dial(ctx, gateway)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			kind := "application/json"
			if strings.HasSuffix(target, "content") {
				kind = "application/octet-stream"
			}
			fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nAuthorization: Bearer %s\r\nContent-Length: 10\r\n\r\n", target, kind, token)
			if taken := endlessly(c, bytes.Repeat([]byte("x"), 1<<20), tenGigabytes); taken > buffered {
				t.Errorf("%s: %d bytes are taken", target, taken)
			}
			serves(ctx, t, gateway, token)
		})
	}
}

// A body of an announced or an unknown length ends where the gateway's bound is.
func TestBodiesAreBoundedOnTheWire(t *testing.T) {
	for name, framing := range map[string]string{"announced": fmt.Sprintf("Content-Length: %d\r\n\r\n", int64(tenGigabytes)), "unknown": "Transfer-Encoding: chunked\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			visit(t, func(ctx context.Context, gateway, token string) {
				c, err := dial(ctx, gateway)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				fmt.Fprintf(c, "POST /v1/transactions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\n%s", token, framing)
				part := bytes.Repeat([]byte(" "), 1<<20)
				if name == "unknown" {
					part = fmt.Appendf(nil, "%x\r\n%s\r\n", len(part), part)
				}
				sent := make(chan int64, 1)
				go func() { sent <- endlessly(c, part, tenGigabytes) }()
				response, err := http.ReadResponse(c.reader, nil)
				if err != nil {
					t.Fatal(err)
				}
				if response.StatusCode != http.StatusRequestEntityTooLarge {
					t.Errorf("status %d", response.StatusCode)
				}
				if taken := <-sent; taken > buffered {
					t.Errorf("%d bytes are taken", taken)
				}
			})
		})
	}
}

// Nothing that is sent is unpacked.
func TestBombsStayPacked(t *testing.T) {
	var bomb bytes.Buffer
	packer, err := gzip.NewWriterLevel(&bomb, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	for range 256 {
		if _, err := packer.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := packer.Close(); err != nil {
		t.Fatal(err)
	}
	visit(t, func(ctx context.Context, gateway, token string) {
		for target, kind := range map[string]string{
			"/v1/transactions": "application/json", "/oauth2/token": "application/x-www-form-urlencoded",
			"/v1/reencryptions": "application/json", "/v1/records/" + string(crowd.slot) + "/content": "application/octet-stream",
		} {
			c, err := dial(ctx, gateway)
			if err != nil {
				t.Fatal(err)
			}
			a, err := c.ask(&request{method: "POST", target: target, framing: plain, body: bomb.Bytes(), header: []string{
				"Content-Type: " + kind, "Content-Encoding: gzip", "Authorization: Bearer " + token,
			}})
			c.Close()
			// A route that asks for no token refuses what is large before what is packed.
			if a.status != http.StatusUnsupportedMediaType && a.status != http.StatusRequestEntityTooLarge {
				t.Errorf("%s: status %d, %v", target, a.status, err)
			}
		}
	})
}
