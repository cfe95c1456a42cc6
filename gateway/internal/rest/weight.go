package rest

import (
	"context"
	"errors"
	"net/http"

	"github.com/getkin/kin-openapi/routers"
	"github.com/gin-gonic/gin"

	"github.com/pie-consortium/pie/gateway/internal/limit"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// What requests hold in memory, in bytes: in all, and for each user or, without a token,
// each network. A body that is decoded has its size several times.
const (
	maxHeld, maxHeldEach = 256 << 20, 32 << 20
	// baseWeight is what every request holds: its head, and buffers for either way.
	baseWeight = 32 << 10
)

type weightKey struct{}

// weigh counts a request with its body, before any of that is read. Contents pass through.
// The caller sheds the weight when the request ends.
func (g *gate) weigh(c *gin.Context, route *routers.Route) (*limit.Weight, error) {
	weight := g.held.Weigh(shareOf(c.Request))
	c.Writer = &weighedWriter{c.Writer, weight}
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), weightKey{}, weight))
	places := int64(baseWeight)
	if route.Operation.RequestBody != nil && !isContent(route) {
		limit := limitOf(route)
		if announced := c.Request.ContentLength; announced >= 0 {
			limit = min(limit, announced)
		}
		places += limit
	}
	return weight, addTo(weight, int(places))
}

// shareOf names whose share a request takes from.
func shareOf(r *http.Request) string {
	if user := callerOf(r.Context()).User; user != (ledger.UserID{}) {
		return user.String()
	}
	return limit.Network(r.RemoteAddr)
}

// weightOf is what a request that passed the gate holds.
func weightOf(ctx context.Context) *limit.Weight {
	weight, _ := ctx.Value(weightKey{}).(*limit.Weight)
	return weight
}

// hold counts bytes that a request is about to hold, until it ends.
func hold(ctx context.Context, bytes int) error { return addTo(weightOf(ctx), bytes) }

func addTo(weight *limit.Weight, bytes int) error {
	err := weight.Add(bytes)
	switch {
	case errors.Is(err, limit.ErrShare):
		return busy("large or slow requests of yours")
	case errors.Is(err, limit.ErrFull):
		return fault.New(fault.Overloaded, "the gateway holds as much as it may for others; ask again as Retry-After says")
	}
	return err
}

// weighedWriter counts an answer that is in memory as a whole while it is taken.
type weighedWriter struct {
	gin.ResponseWriter
	weight *limit.Weight
}

func (w *weighedWriter) Write(b []byte) (int, error) {
	if len(b) <= pieceSize {
		return w.ResponseWriter.Write(b)
	}
	if err := addTo(w.weight, len(b)); err != nil {
		return 0, err
	}
	defer w.weight.Drop(len(b))
	return w.ResponseWriter.Write(b)
}

// WriteString is Write: the embedded one would not count.
func (w *weighedWriter) WriteString(s string) (int, error) { return w.Write([]byte(s)) }
