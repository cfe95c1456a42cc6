// Package rest serves the gateway's OpenAPI document over HTTP. What every request must
// pass (token, rate, size, content type, schema) stands in [gate]; handlers come after.
package rest

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.0 --config server.yaml ../../api/openapi.yaml

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"
	"golang.org/x/sync/semaphore"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/gateway/internal/auth"
	"github.com/pie-consortium/pie/gateway/internal/content"
	"github.com/pie-consortium/pie/gateway/internal/enrollment"
	"github.com/pie-consortium/pie/gateway/internal/fabric"
	"github.com/pie-consortium/pie/gateway/internal/feed"
	"github.com/pie-consortium/pie/gateway/internal/ipfs"
	"github.com/pie-consortium/pie/gateway/internal/limit"
	"github.com/pie-consortium/pie/gateway/internal/partial"
	"github.com/pie-consortium/pie/gateway/internal/pins"
	"github.com/pie-consortium/pie/gateway/internal/proxy"
	"github.com/pie-consortium/pie/gateway/internal/telemetry"
	"github.com/pie-consortium/pie/ledger"
)

// How many contents are taken, how many are read again before their registration, and how
// many certificates are asked for, at the same time: in all, and for each user.
const (
	maxUploads, maxUploadsEach             = 128, 64
	maxVerifications, maxVerificationsEach = 32, 16
	maxEnrollments                         = 16
)

// API is everything that the handlers need.
type API struct {
	Authority *auth.Authority
	CA        *enrollment.CA
	Peer      *fabric.Peer
	Node      *ipfs.Node
	Pins      *pins.Pins
	Recent    *content.Recent // what the node was given through this gateway
	Partial   *partial.Uploads
	Proxy     *proxy.Proxy
	Events    *feed.Feed
	// Owed lists the declarations that a privacy officer is to review, the first due first.
	Owed      func(context.Context, ledger.Identity) ([]ledger.Declaration, error)
	Bookmarks *Bookmarks
	Origins   []string // of apps in browsers that may call

	Log      *slog.Logger
	Requests *telemetry.Requests
	Traces   *telemetry.Traces
	Now      func() time.Time

	held                            *limit.Limit        // bytes in memory, by user or network
	uploads, verifications, streams *limit.Limit        // by user
	enrollments                     *semaphore.Weighted // that the CA is asked for at the same time

	beat time.Duration // the longest that a stream of events says nothing
	page []byte        // the document for people
}

var _ StrictServerInterface = (*API)(nil)

// Handler serves the API.
func (a *API) Handler() (http.Handler, error) { return a.engine() }

func (a *API) engine() (*gin.Engine, error) {
	document, err := openapi3.NewLoader().LoadFromData(api.Document)
	if err != nil {
		return nil, fmt.Errorf("openapi document: %w", err)
	}
	if a.page, err = renderPage(document); err != nil {
		return nil, fmt.Errorf("openapi document: %w", err)
	}
	gate, err := newGate(document, a.Authority, a.Now)
	if err != nil {
		return nil, fmt.Errorf("openapi document: %w", err)
	}
	a.held = limit.New(maxHeld, maxHeldEach)
	gate.held = a.held
	a.uploads = limit.New(maxUploads, maxUploadsEach)
	a.verifications = limit.New(maxVerifications, maxVerificationsEach)
	a.enrollments = semaphore.NewWeighted(maxEnrollments)
	a.streams, a.beat = limit.New(maxStreams, maxStreamsEach), beat
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.ContextWithFallback = true
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash = false
	engine.Use(a.observe, waitForReader)
	if len(a.Origins) > 0 {
		engine.Use(allowOrigins(a.Origins))
	}
	engine.Use(compress(), gate.pass, revalidate)
	RegisterHandlersWithOptions(engine, NewStrictHandlerWithOptions(a, nil, StrictGinServerOptions{
		RequestErrorHandlerFunc:  refuse,
		HandlerErrorFunc:         failHandling,
		ResponseErrorHandlerFunc: fail,
	}), GinServerOptions{ErrorHandler: func(c *gin.Context, err error, _ int) { refuse(c, err) }})
	return engine, nil
}
