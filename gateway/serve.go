package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"github.com/pie-consortium/pie/gateway/internal/health"
	"github.com/pie-consortium/pie/gateway/internal/limit"
)

const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	// maxHeader bounds a request's head, in bytes; nobody is known by then.
	maxHeader = 16 << 10
	// shutdownTimeout is how long requests under way may take to end.
	shutdownTimeout = 10 * time.Second
	// maxConnections are open at the same time, maxConnectionsEach from one address: a
	// whole hospital may stand behind one.
	maxConnections, maxConnectionsEach = 8192, 2048
)

// serve runs until the context ends, then lets requests under way finish.
func (g *gateway) serve(ctx context.Context) error {
	listener, err := g.listen(ctx)
	if err != nil {
		return err
	}
	operations, err := new(net.ListenConfig).Listen(ctx, "tcp", g.config.Operations)
	if err != nil {
		return errors.Join(fmt.Errorf("listen for operations: %w", err), listener.Close())
	}
	g.log.Info("gateway is up", "url", g.config.URL, "operations", g.config.Operations)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return serveUntil(ctx, listener, g.api) })
	group.Go(func() error { return serveUntil(ctx, operations, g.operations()) })
	group.Go(func() error { return g.replicas.Run(ctx) })
	group.Go(func() error { g.events.Run(ctx); return nil })
	group.Go(func() error { g.webhooks.Run(ctx); return nil })
	group.Go(func() error { g.registration.Run(ctx); return nil })
	group.Go(func() error { g.revoked.Run(ctx, g.peer, g.log); return nil })
	group.Go(func() error { g.pins.Run(ctx); return nil })
	group.Go(func() error { g.partial.Run(ctx); return nil })
	err = errors.Join(group.Wait(), g.peer.Close())
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if unsent := g.traces.Close(ending); unsent != nil {
		g.log.Warn("some traces are lost", "error", unsent)
	}
	g.log.Info("gateway is down")
	return err
}

func (g *gateway) listen(ctx context.Context) (net.Listener, error) {
	settings := g.tls.TLS()
	settings.NextProtos = []string{"h2", "http/1.1"}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", g.config.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	bounded := &limit.Listener{Listener: listener, Room: limit.New(maxConnections, maxConnectionsEach)}
	return tls.NewListener(bounded, settings), nil
}

func serveUntil(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		stopped <- errors.Join(server.Shutdown(ending), server.Close())
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// operations is for the hospital's own operators; it listens on an address of its own.
func (g *gateway) operations() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", health.Live)
	mux.Handle("GET /readyz", g.checks())
	mux.Handle("GET /metrics", promhttp.HandlerFor(g.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	return mux
}
