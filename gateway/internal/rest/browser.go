package rest

import (
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
		AllowMethods:  []string{"GET", "POST"},
		AllowHeaders:  []string{"Authorization", "Content-Type", "If-None-Match", "Last-Event-ID", "Range"},
		ExposeHeaders: []string{"Content-Range", "ETag", "Retry-After", requestIDHeader},
		MaxAge:        preflightAge,
	})
}

// compress leaves out what does not shrink (ciphertext), what must not wait (events) and
// what nobody may guess from its length (tokens).
func compress() gin.HandlerFunc {
	return gzip.Gzip(gzip.DefaultCompression, gzip.WithExcludedPathsRegexs([]string{`/content$`, `^/v1/events$`, `^/oauth2/`}))
}
