package rest

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-contrib/cors"
	"github.com/gin-contrib/gzip"
	"github.com/gin-gonic/gin"

	"github.com/pie-consortium/pie/ledger/fault"
)

// preflightAge is how long a browser may remember what it was allowed.
const preflightAge = time.Hour

// allowOrigins lets apps in browsers and on phones call from these origins, and from no
// other; what they are refused they may read too. Tokens are sent by the app, never by the
// browser of itself, so there are no credentials to allow.
func allowOrigins(origins []string) gin.HandlerFunc {
	var schemes []string // the library knows those of the web alone
	for _, origin := range origins {
		scheme, _, _ := strings.Cut(origin, "://")
		schemes = append(schemes, scheme+"://")
	}
	allow := cors.New(cors.Config{
		AllowOrigins: origins, CustomSchemas: schemes,
		AllowMethods: []string{"DELETE", "GET", "HEAD", "PATCH", "POST"},
		AllowHeaders: []string{
			"Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID", "Range", "Traceparent", "Tracestate",
			"Tus-Resumable", "Upload-Length", "Upload-Metadata", "Upload-Offset", requestIDHeader,
		},
		ExposeHeaders: []string{
			"Content-Range", "Date", "ETag", "Location", "Retry-After", "Tus-Resumable", "Tus-Version", "Upload-Length", "Upload-Offset", requestIDHeader,
		},
		AllowPrivateNetwork: true,
		MaxAge:              preflightAge,
	})
	return func(c *gin.Context) {
		if origin := c.GetHeader("Origin"); mayCall(origin, c.Request.Host, origins) {
			allow(c)
			return
		}
		fail(c, fault.New(fault.PermissionDenied, "apps from this origin may not call; the hospital registers it in its gateway's setting origins"))
	}
}

// mayCall tells the registered origins and the gateway's own pages. Who is not a browser sends
// no origin.
func mayCall(origin, host string, origins []string) bool {
	return origin == "" || origin == "https://"+host || slices.Contains(origins, origin)
}

// incompressible is what does not shrink (ciphertext), what must not wait (events) and
// what nobody may guess from its length (tokens).
var incompressible = regexp.MustCompile(`/content(/|$)|^/v1/events$|^/oauth2/`)

// compress shortens answers for those who said that they take it.
func compress() gin.HandlerFunc {
	return gzip.Gzip(gzip.BestSpeed, gzip.WithCustomShouldCompressFn(func(c *gin.Context) bool {
		return acceptsGzip(c.GetHeader("Accept-Encoding")) && !incompressible.MatchString(c.Request.URL.Path)
	}))
}

// acceptsGzip reads Accept-Encoding (RFC 9110, section 12.5.3): a weight of zero refuses.
func acceptsGzip(header string) bool {
	for coding := range strings.SplitSeq(header, ",") {
		name, weight, weighted := strings.Cut(strings.ReplaceAll(coding, " ", ""), ";q=")
		if !strings.EqualFold(name, "gzip") {
			continue
		}
		q, err := strconv.ParseFloat(weight, 64)
		return !weighted || err == nil && q > 0
	}
	return false
}
