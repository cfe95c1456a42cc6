package rest

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/gin-gonic/gin"

	"github.com/pie-consortium/pie/gateway/internal/auth"
	"github.com/pie-consortium/pie/gateway/internal/limit"
	"github.com/pie-consortium/pie/gateway/internal/problem"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

const (
	// maxBody bounds a JSON or form body, in bytes: the fragments of a full upload,
	// in base64 inside base64, stay well below.
	maxBody = 4 << 20
	// maxOpenBody bounds one that comes without a token: a signed object with its
	// certificate and 64 segments has a third of that.
	maxOpenBody = 16 << 10
	// maxHandling bounds a request that is neither content nor events. Checking a large content
	// before its registration takes longest.
	maxHandling = 2 * time.Minute
)

// gate is what every request must pass, as the OpenAPI document says.
type gate struct {
	router    routers.Router
	authority *auth.Authority
	now       func() time.Time
	held      *limit.Limit // bytes in memory

	callers *limiter // by user
	// strangers and enrolling are by connection: whoever has no token yet may share an
	// address with all of a hospital, and must not pay for the others there. Another
	// connection costs its owner no less than another answer.
	strangers, enrolling *limiter
}

func newGate(document *openapi3.T, authority *auth.Authority, now func() time.Time) (*gate, error) {
	router, err := gorillamux.NewRouter(document)
	if err != nil {
		return nil, err
	}
	callers, err := newLimiter(100, 400)
	strangers, strangersErr := newLimiter(100, 400)
	enrolling, enrollingErr := newLimiter(5, 50)
	return &gate{
		router: router, authority: authority, now: now, callers: callers, strangers: strangers, enrolling: enrolling,
	}, errors.Join(err, strangersErr, enrollingErr)
}

// pass lets a request through to its handler, or answers it.
func (g *gate) pass(c *gin.Context) {
	route, parameters, err := g.router.FindRoute(c.Request)
	if err != nil {
		fail(c, noRoute(err))
		return
	}
	for _, check := range []func(*gin.Context, *routers.Route) error{g.authenticate, g.limit, g.limitBody} {
		if err := check(c, route); err != nil {
			fail(c, err)
			return
		}
	}
	weight, err := g.weigh(c, route)
	defer weight.Shed()
	if err != nil {
		fail(c, err)
		return
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

// isPieces tells the routes of tus.
func isPieces(route *routers.Route) bool { return strings.Contains(route.Path, "/content/uploads") }

type holderKey struct{}

// forReplacement are the operations that a token for replacing keys serves for: what says
// nothing but what all users may read, and transactions, of which [mayTransact] lets few
// through.
var forReplacement = map[string]bool{
	"readUser": true, "listKeyReplacements": true, "prepareTransaction": true, "endorseTransaction": true,
	"submitTransaction": true, "readTransaction": true,
}

// replacing are the transactions that such a token serves for.
var replacing = map[ledger.Transaction]bool{
	ledger.TxRegisterUser: true, ledger.TxReplaceKeys: true, ledger.TxRequestKeyReplacement: true, ledger.TxRejectKeyReplacement: true,
}

// isOpen tells the routes that need no token.
func isOpen(route *routers.Route) bool {
	security := route.Operation.Security
	return security != nil && len(*security) == 0
}

// authenticate finds out whose token it is, where the document asks for one. What others
// behind the same address sent before does not matter.
func (g *gate) authenticate(c *gin.Context, route *routers.Route) error {
	if isOpen(route) {
		return nil
	}
	token, given := bearerOf(c.Request)
	if !given {
		c.Header("WWW-Authenticate", "Bearer")
		return fault.New(fault.Unauthenticated, "a bearer token is needed; get one from /oauth2/token")
	}
	holder, err := g.authority.Verify(c.Request.Context(), token)
	if fault.CodeOf(err) == fault.Unauthenticated {
		c.Header("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	if err != nil {
		return err
	}
	if holder.Scope == auth.ScopeReplacement && !forReplacement[route.Operation.OperationID] {
		c.Header("WWW-Authenticate", `Bearer error="insufficient_scope"`)
		return onlyReplacing()
	}
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), holderKey{}, holder))
	return nil
}

// mayTransact refuses transactions that the caller's token does not serve for.
func mayTransact(ctx context.Context, name ledger.Transaction) error {
	if holderOf(ctx).Scope == auth.ScopeReplacement && !replacing[name] {
		return onlyReplacing()
	}
	return nil
}

func onlyReplacing() error {
	return fault.New(fault.PermissionDenied, "the token is for replacing keys alone; use the device with the registered keys, or replace them: pie recovery")
}

// bearerOf is the token that came with a request.
func bearerOf(r *http.Request) (token string, given bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "Bearer")
}

// callerOf is the identity of the token; only routes without one have the zero value.
func callerOf(ctx context.Context) ledger.Identity { return holderOf(ctx).Identity }

func holderOf(ctx context.Context) auth.Holder {
	holder, _ := ctx.Value(holderKey{}).(auth.Holder)
	return holder
}

func (g *gate) limit(c *gin.Context, route *routers.Route) error {
	switch {
	case !isOpen(route):
		return g.take(c, g.callers, callerOf(c.Request.Context()).User.String())
	case route.Operation.OperationID == "enroll":
		return g.take(c, g.enrolling, c.Request.RemoteAddr)
	}
	return g.take(c, g.strangers, c.Request.RemoteAddr)
}

func (g *gate) take(c *gin.Context, l *limiter, caller string) error {
	pause := l.take(caller, g.now())
	if pause == 0 {
		return nil
	}
	c.Header("Retry-After", strconv.Itoa(int(math.Ceil(pause.Seconds()))))
	return fault.New(fault.RateLimited, "too many calls; wait as long as Retry-After says")
}
