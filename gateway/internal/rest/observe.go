package rest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/pie-consortium/pie/gateway/internal/auth"
	"github.com/pie-consortium/pie/gateway/internal/problem"
	"github.com/pie-consortium/pie/gateway/internal/telemetry"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

const (
	requestIDHeader = "X-Request-ID"
	// retryAfter is what somebody is told to wait who came when all were busy, in seconds.
	retryAfter = "2"
)

// observe gives the request its ID and its span, answers a panic, and writes log line and
// metric.
func (a *API) observe(c *gin.Context) {
	began := a.Now()
	c.Header(requestIDHeader, rand.Text())
	if c.Request.URL.Path == auth.TokenPath {
		c.Header("Cache-Control", "no-store") // RFC 6749, section 5.1
	}
	var end func(operation string, status int, requestID string)
	c.Request, end = a.Traces.Request(c.Request)
	func() {
		defer func() {
			if reason := recover(); reason != nil {
				fail(c, fmt.Errorf("panic: %v", reason))
			}
		}()
		c.Next()
	}()
	a.record(c, a.Now().Sub(began))
	end(telemetry.Method(c.Request)+" "+operationOf(c), c.Writer.Status(), c.Writer.Header().Get(requestIDHeader))
}

// record names the operation by its route, never by its path or query: those say whose
// record somebody looked for.
func (a *API) record(c *gin.Context, took time.Duration) {
	status, method, operation := c.Writer.Status(), telemetry.Method(c.Request), operationOf(c)
	a.Requests.Observe(method+" "+operation, strconv.Itoa(status), took)
	log := a.Log.With("requestID", c.Writer.Header().Get(requestIDHeader), "method", method,
		"route", operation, "status", status, "milliseconds", took.Milliseconds(), "caller", callerOf(c.Request.Context()).User)
	if id := c.Param("transactionID"); transactionID.MatchString(id) {
		log = log.With("transactionID", id) // by which the logs of peers and orderers go on
	}
	if err := c.Errors.Last(); err != nil && status >= http.StatusInternalServerError {
		log.Error("request failed", "error", err.Err)
		return
	}
	log.Info("request")
}

var transactionID = regexp.MustCompile(`^[0-9a-f]{64}$`)

// operationOf is the route.
func operationOf(c *gin.Context) string {
	if c.FullPath() == "" {
		return "unknown"
	}
	return c.FullPath()
}

// fail answers with a problem, unless the answer is under way: then the connection ends
// short of the announced length, which tells the caller.
func fail(c *gin.Context, err error) {
	_ = c.Error(err)
	c.Abort()
	if c.Writer.Written() {
		return
	}
	status := problem.Status(err)
	passes := status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
	if passes && c.Writer.Header().Get("Retry-After") == "" {
		c.Header("Retry-After", pauseBefore(err))
	}
	write := problem.Write
	if c.Request.URL.Path == auth.TokenPath {
		write = problem.WriteToken
	}
	write(c.Writer, c.Writer.Header().Get(requestIDHeader), err)
}

// tomorrow is a refusal by one of the ledger's quotas of a day: to come back sooner is in vain.
type tomorrow struct{ error }

func (t tomorrow) Unwrap() error { return t.error }

// pauseBefore is how long to wait before what failed is tried again, in seconds.
func pauseBefore(err error) string {
	if !errors.As(err, new(tomorrow)) {
		return retryAfter
	}
	now := time.Now()
	return strconv.Itoa(int(math.Ceil(ledger.NextDay(now).Sub(now).Seconds())))
}

// failHandling answers what a handler could not do. That a caller hung up, and so ended
// what was under way for them, is not a failure of a neighbour's.
func failHandling(c *gin.Context, err error) {
	if errors.Is(c.Request.Context().Err(), context.Canceled) {
		err = errors.Join(fault.New(fault.InvalidArgument, "the caller hung up before the answer was ready"), err)
	}
	fail(c, err)
}

// refuse answers what could not be decoded. The decoder's text may repeat the body.
func refuse(c *gin.Context, err error) {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		fail(c, bodyTooLarge(tooLarge.Limit))
		return
	}
	fail(c, fault.New(fault.InvalidArgument, "a parameter or the body is malformed; compare it with the API's document"))
}

func bodyTooLarge(limit int64) error {
	return problem.WithStatus(http.StatusRequestEntityTooLarge,
		fault.New(fault.InvalidArgument, "the body is larger than %d bytes", limit))
}
