package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"strconv"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/pie-consortium/pie/gateway/internal/config"
)

// timeout bounds one attempt, as Standard Webhooks recommend.
const timeout = 20 * time.Second

// maxAnswer bounds what is read of an answer, in bytes, to use the connection again.
const maxAnswer = 4 << 10

// clientOf speaks TLS with the receiver alone: it follows no redirect and uses no proxy.
func clientOf(target config.Webhook) (*http.Client, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if target.TLSRoot != "" {
		roots, err := config.Roots(target.TLSRoot)
		if err != nil {
			return nil, err
		}
		settings.RootCAs = roots
	}
	return &http.Client{
		Timeout:       timeout,
		Transport:     &http.Transport{TLSClientConfig: settings, ForceAttemptHTTP2: true, MaxIdleConns: 1, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// post makes one attempt. Every answer of 200 to 299 is an acceptance.
func (r *receiver) post(ctx context.Context, id string, body []byte) error {
	now := time.Now()
	signature, err := r.signer.Sign(id, now, body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.target.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(standardwebhooks.HeaderWebhookID, id)
	request.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	request.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	response, err := r.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer)) // what it says does not matter
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return status(response.StatusCode)
	}
	return nil
}
