package rest

import (
	"context"
	"errors"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/gin-gonic/gin"

	"github.com/pie-consortium/pie/gateway/internal/auth"
	"github.com/pie-consortium/pie/gateway/internal/problem"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

const (
	// maxBody bounds a JSON or form body, in bytes: the fragments of a full upload,
	// in base64 inside base64, stay well below.
	maxBody = 4 << 20
	// maxHandling bounds a request that is neither content nor events. Checking a large content
	// before its registration takes longest.
	maxHandling = 2 * time.Minute
)

// gate is what every request must pass, as the OpenAPI document says.
type gate struct {
	router    routers.Router
	authority *auth.Authority
	callers   *limiter // by user, or by address where there is no token
	enrolling *limiter // by address: secrets could be guessed there
	failing   *limiter // by address: only tokens that turn out bad take from it
	now       func() time.Time
}

func newGate(document *openapi3.T, authority *auth.Authority, now func() time.Time) (*gate, error) {
	router, err := gorillamux.NewRouter(document)
	if err != nil {
		return nil, err
	}
	return &gate{
		router: router, authority: authority, now: now,
		callers: newLimiter(100, 400), enrolling: newLimiter(5, 50), failing: newLimiter(20, 200),
	}, nil
}

// pass lets a request through to its handler, or answers it.
func (g *gate) pass(c *gin.Context) {
	route, parameters, err := g.router.FindRoute(c.Request)
	if err != nil {
		fail(c, noRoute(err))
		return
	}
	for _, check := range []func(*gin.Context, *routers.Route) error{g.limitEnrolling, g.authenticate, g.limit, limitBody} {
		if err := check(c, route); err != nil {
			fail(c, err)
			return
		}
	}
	if !isContent(route) && route.Operation.OperationID != "streamEvents" {
		ctx, cancel := context.WithTimeout(c.Request.Context(), maxHandling)
		defer cancel()
		c.Request = c.Request.WithContext(ctx)
	}
	if err := validate(c.Request, route, parameters); err != nil {
		fail(c, err)
		return
	}
	c.Next()
}

func noRoute(err error) error {
	if errors.Is(err, routers.ErrMethodNotAllowed) {
		return problem.WithStatus(http.StatusMethodNotAllowed, fault.New(fault.InvalidArgument, "this resource does not take that method"))
	}
	return fault.New(fault.NotFound, "there is no such resource")
}

// isContent tells the routes whose bodies are ciphertext: they stream, and take as long
// as they take.
func isContent(route *routers.Route) bool {
	return strings.HasSuffix(route.Path, "/content") || strings.HasSuffix(route.Path, "/content/uploads/{upload}")
}

type identityKey struct{}

// authenticate finds out whose token it is, where the document asks for one. An address
// that keeps sending bad ones waits before another signature is checked for it.
func (g *gate) authenticate(c *gin.Context, route *routers.Route) error {
	if security := route.Operation.Security; security != nil && len(*security) == 0 {
		return nil
	}
	token, given := bearerOf(c.Request)
	if !given {
		c.Header("WWW-Authenticate", "Bearer")
		return fault.New(fault.Unauthenticated, "a bearer token is needed; get one from /oauth2/token")
	}
	address := addressOf(c.Request)
	if pause := g.failing.pause(address, g.now()); pause > 0 {
		return tooMany(c, pause)
	}
	identity, err := g.authority.Verify(token)
	if err != nil {
		g.failing.take(address, g.now())
		c.Header("WWW-Authenticate", `Bearer error="invalid_token"`)
		return err
	}
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), identityKey{}, identity))
	return nil
}

// bearerOf is the token that came with a request.
func bearerOf(r *http.Request) (token string, given bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "Bearer")
}

// callerOf is the identity of the token; only routes without one have the zero value.
func callerOf(ctx context.Context) ledger.Identity {
	identity, _ := ctx.Value(identityKey{}).(ledger.Identity)
	return identity
}

func (g *gate) limitEnrolling(c *gin.Context, route *routers.Route) error {
	if route.Operation.OperationID != "enroll" {
		return nil
	}
	return g.take(c, g.enrolling, addressOf(c.Request))
}

func (g *gate) limit(c *gin.Context, _ *routers.Route) error {
	caller := addressOf(c.Request)
	if identity := callerOf(c.Request.Context()); identity.User != (ledger.UserID{}) {
		caller = identity.User.String()
	}
	return g.take(c, g.callers, caller)
}

func (g *gate) take(c *gin.Context, l *limiter, caller string) error {
	if pause := l.take(caller, g.now()); pause > 0 {
		return tooMany(c, pause)
	}
	return nil
}

func tooMany(c *gin.Context, pause time.Duration) error {
	c.Header("Retry-After", strconv.Itoa(int(math.Ceil(pause.Seconds()))))
	return fault.New(fault.RateLimited, "too many calls; wait as long as Retry-After says")
}

func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
