package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"golang.org/x/sync/singleflight"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/internal/direct"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

const (
	readTimeout    = 20 * time.Second // of a read
	writeTimeout   = time.Minute      // of one step of a transaction
	connectTimeout = 5 * time.Second
	answerLimit    = 24 << 20         // bytes of a JSON answer; the largest block, in base64, fits
	patience       = 10 * time.Second // longest wait that a gateway may ask for
	shunTime       = time.Minute      // how long a silent or slow gateway is asked last
	calls          = 5                // attempts at a gateway that asks to wait
)

// gateway is one hospital's door. It is asked, never believed.
type gateway struct {
	msp, url string
	signer   *trust.Signer
	user     ledger.UserID
	api      *api.Client // with a token
	open     *api.Client // without

	renewal singleflight.Group // of the token: the key has one meaning
	mu      sync.Mutex         // held for no call
	token   string
	expires time.Time

	shunned atomic.Int64 // until when it is asked last, Unix nanoseconds
}

// dialer opens connections; tests put themselves in between.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// newGateway trusts the TLS roots of the gateway's own organization only: no other
// member can stand in for it.
func newGateway(organization trust.Organization, url string, dial dialer) (*gateway, error) {
	roots := x509.NewCertPool()
	for _, root := range organization.TLSRoots {
		if !roots.AppendCertsFromPEM([]byte(root)) {
			return nil, fmt.Errorf("trust bundle: a TLS root of %s is not a PEM certificate", organization.MSP)
		}
	}
	g := &gateway{msp: organization.MSP, url: url}
	doer := direct.Client(&http.Transport{
		DialContext:           dial,
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13},
		TLSHandshakeTimeout:   connectTimeout,
		ResponseHeaderTimeout: writeTimeout,
		MaxIdleConnsPerHost:   32,
		IdleConnTimeout:       time.Minute,
	})
	var errOpen, errAPI error
	g.open, errOpen = api.NewClient(url, api.WithHTTPClient(doer))
	g.api, errAPI = api.NewClient(url, api.WithHTTPClient(doer), api.WithRequestEditorFn(g.authorize))
	return g, errors.Join(errOpen, errAPI)
}

// name is how errors and blame call the gateway.
func (g *gateway) name() string { return fmt.Sprintf("the gateway of %s (%s)", g.msp, g.url) }

// authorize puts a token on a request, and gets a new one shortly before the old
// expires.
func (g *gateway) authorize(ctx context.Context, request *http.Request) error {
	token, err := g.currentToken(ctx)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	return nil
}

// currentToken is the token there is, or one that is asked for once for all who want it
// now. Nobody's giving up ends that for the others.
func (g *gateway) currentToken(ctx context.Context) (string, error) {
	if token, good := g.kept(); good {
		return token, nil
	}
	renewed := g.renewal.DoChan("token", func() (any, error) {
		if token, good := g.kept(); good { // of the renewal right before
			return token, nil
		}
		alone, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		return g.renew(alone)
	})
	select {
	case answer := <-renewed:
		token, _ := answer.Val.(string)
		return token, answer.Err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// kept is the token, and whether it is still good.
func (g *gateway) kept() (token string, good bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.token, time.Now().Before(g.expires)
}

// renew gets a new token, and keeps it. A device whose key is not the registered one gets
// one for replacing keys, which is not kept: the next may be for all.
func (g *gateway) renew(ctx context.Context) (string, error) {
	token, err := g.issue(ctx, "")
	if fault.CodeOf(err) == fault.Unauthenticated {
		if narrow, err := g.issue(ctx, "replacement"); err == nil {
			return narrow.AccessToken, nil
		}
	}
	if err != nil {
		return "", err
	}
	const margin = 30 * time.Second
	g.mu.Lock()
	defer g.mu.Unlock()
	g.token, g.expires = token.AccessToken, time.Now().Add(time.Duration(token.ExpiresIn)*time.Second-margin)
	return g.token, nil
}

// issue asks for a token of the scope.
func (g *gateway) issue(ctx context.Context, scope string) (api.Token, error) {
	return call[api.Token](ctx, g, func(ctx context.Context) (*http.Response, error) {
		assertion, err := g.signer.SignAssertion(g.user, g.url, time.Now())
		if err != nil {
			return nil, err
		}
		return g.open.IssueTokenWithFormdataBody(ctx, api.TokenRequest{
			GrantType:           "client_credentials",
			ClientAssertionType: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
			ClientAssertion:     assertion,
			Scope:               optional(scope),
		})
	})
}

// call makes one request and decodes its answer. When the gateway asks to wait it
// waits and makes the request again, so do must be repeatable.
func call[T any](ctx context.Context, g *gateway, do func(context.Context) (*http.Response, error)) (T, error) {
	for attempt := 1; ; attempt++ {
		response, err := do(ctx)
		if err != nil {
			var none T
			return none, g.silent(ctx, err)
		}
		wait, asked := waitAsked(response)
		if !asked || attempt == calls {
			return decodeAnswer[T](g, response)
		}
		response.Body.Close()
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		}
	}
}

func waitAsked(response *http.Response) (time.Duration, bool) {
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	wait := time.Duration(max(seconds, 1)) * time.Second
	return wait, response.StatusCode == http.StatusTooManyRequests && err == nil && wait <= patience
}

// decodeAnswer reads a bounded JSON answer, or the fault that a problem document tells.
func decodeAnswer[T any](g *gateway, response *http.Response) (T, error) {
	defer response.Body.Close()
	var answer T
	if response.StatusCode != http.StatusOK {
		return answer, g.problem(response)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	if err != nil {
		return answer, g.silent(response.Request.Context(), err)
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return answer, fault.New(fault.Internal, "%s: its answer is not what its interface promises", g.name())
	}
	return answer, nil
}

// problem turns a refusal into the fault it tells of.
func (g *gateway) problem(response *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	var problem api.Problem
	if json.Unmarshal(text, &problem) == nil {
		if e, ok := fault.Parse(string(problem.Code) + ": " + printable(problem.Detail)); ok {
			return e
		}
	}
	err := fmt.Errorf("it answers %s", response.Status)
	if response.StatusCode >= http.StatusInternalServerError {
		return &silenceError{gateway: g.name(), cause: err}
	}
	return fault.New(fault.Internal, "%s: %v", g.name(), err)
}

// printable keeps a gateway's words from playing tricks on a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
}

// silent tells a gateway's silence from a caller who gave up and from errors of this
// device's own making.
func (g *gateway) silent(ctx context.Context, err error) error {
	var known *fault.Error
	if errors.As(err, &known) || errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	g.shun()
	return &silenceError{gateway: g.name(), cause: err}
}

// shun has the gateway asked last for a while.
func (g *gateway) shun() { g.shunned.Store(time.Now().Add(shunTime).UnixNano()) }
