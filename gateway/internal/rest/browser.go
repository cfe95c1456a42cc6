package rest

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/gin-contrib/cors"
	"github.com/gin-contrib/gzip"
	"github.com/gin-gonic/gin"
)

// preflightAge is how long a browser may remember what it was allowed.
const preflightAge = time.Hour

// allowOrigins lets apps in browsers call from these origins, and from no other; what
// they are refused they may read too. Tokens are sent by the app, never by the browser
// of itself, so there are no credentials to allow.
func allowOrigins(origins []string) gin.HandlerFunc {
	return cors.New(cors.Config{
		AllowOrigins:  origins,
		AllowMethods:  []string{"DELETE", "GET", "HEAD", "PATCH", "POST"},
		AllowHeaders:  []string{"Authorization", "Content-Type", "If-None-Match", "Last-Event-ID", "Range", "Tus-Resumable", "Upload-Length", "Upload-Metadata", "Upload-Offset"},
		ExposeHeaders: []string{"Content-Range", "ETag", "Location", "Retry-After", "Tus-Resumable", "Tus-Version", "Upload-Length", "Upload-Offset", requestIDHeader},
		MaxAge:        preflightAge,
	})
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
