// Package clients is full of clients that follow redirects, and of those that do not.
package clients

import (
	"context"
	"net/http"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/internal/direct"
)

func refuse(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

type alias = http.Client

type holder struct {
	client  http.Client // want `is not a pointer`
	pointer *http.Client
}

type embeds struct {
	http.Client // want `is not a pointer`
}

var zero http.Client // want `until it has a CheckRedirect`

func ready(ctx context.Context) {
	_, _ = http.Get("http://127.0.0.1/")                     // want `http.Get follows`
	_, _ = http.Head("http://127.0.0.1/")                    // want `http.Head follows`
	_, _ = http.Post("http://127.0.0.1/", "text/plain", nil) // want `http.Post follows`
	_, _ = http.PostForm("http://127.0.0.1/", nil)           // want `http.PostForm follows`
	client := http.DefaultClient                             // want `http.DefaultClient follows`
	get := http.Get                                          // want `http.Get follows`
	_, _, _ = client, get, ctx
}

func made(transport http.RoundTripper) []*http.Client {
	var value http.Client // want `until it has a CheckRedirect`
	return []*http.Client{
		&value,
		{},                                   // want `without CheckRedirect`
		new(http.Client),                     // want `without CheckRedirect`
		new(alias),                           // want `without CheckRedirect`
		&http.Client{},                       // want `without CheckRedirect`
		&alias{Timeout: 1},                   // want `without CheckRedirect`
		&http.Client{transport, nil, nil, 0}, // want `without CheckRedirect`
		{CheckRedirect: nil},                 // want `without CheckRedirect`
		{Transport: transport},               // want `without CheckRedirect`
		{CheckRedirect: refuse},
		&http.Client{transport, refuse, nil, 0},
		direct.Client(transport),
	}
}

func gateways(url string) {
	_, _ = api.NewClient(url)              // want `NewClient without WithHTTPClient`
	_, _ = api.NewClientWithResponses(url) // want `NewClientWithResponses without WithHTTPClient`
	_, _ = api.NewClient(url, api.WithHTTPClient(direct.Client(nil)))
}

// Header is not http.Get.
func headers(h http.Header) string { return h.Get("Location") }
