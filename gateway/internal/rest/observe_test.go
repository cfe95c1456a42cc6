package rest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/pie-consortium/pie/gateway/internal/problem"
	"github.com/pie-consortium/pie/ledger/fault"
)

// What passes says when to come back, and nothing else does.
func TestRetryAfter(t *testing.T) {
	for _, code := range fault.Codes() {
		recorder := httptest.NewRecorder()
		c, _ := gin.CreateTestContext(recorder)
		err := fault.New(code, "why")
		fail(c, err)
		status := problem.Status(err)
		passes := status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
		if said := recorder.Header().Get("Retry-After"); passes != (said != "") {
			t.Errorf("%s: Retry-After %q", code, said)
		}
	}
}
