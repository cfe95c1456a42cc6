package rest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
)

// answering serves one JSON text, and a stream beside it.
func answering(text string) *gin.Engine {
	engine := gin.New()
	engine.Use(revalidate)
	engine.GET("/json", func(c *gin.Context) {
		c.Header("Content-Type", "application/json")
		c.Status(http.StatusOK)
		_, _ = c.Writer.WriteString(text[:1])
		_, _ = c.Writer.WriteString(text[1:])
	})
	engine.GET("/bytes", func(c *gin.Context) { c.Data(http.StatusOK, "application/octet-stream", []byte(text)) })
	engine.GET("/missing", func(c *gin.Context) { c.Data(http.StatusNotFound, "application/json", []byte(text)) })
	return engine
}

func get(engine *gin.Engine, path, ifNoneMatch string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodGet, path, nil)
	if ifNoneMatch != "" {
		request.Header.Set("If-None-Match", ifNoneMatch)
	}
	recorder := httptest.NewRecorder()
	engine.ServeHTTP(recorder, request)
	return recorder
}

func TestWhoHasAnAnswerGetsNoBody(t *testing.T) {
	engine := answering(`{"a":1}`)
	first := get(engine, "/json", "")
	tag := first.Header().Get("ETag")
	if first.Code != http.StatusOK || first.Body.String() != `{"a":1}` || tag == "" {
		t.Fatalf("got %d %q, tag %q", first.Code, first.Body, tag)
	}
	for _, list := range []string{tag, `"x", ` + tag, "*"} {
		if again := get(engine, "/json", list); again.Code != http.StatusNotModified || again.Body.Len() != 0 {
			t.Errorf("with %s: got %d %q", list, again.Code, again.Body)
		}
	}
	if changed := get(answering(`{"a":2}`), "/json", tag); changed.Code != http.StatusOK || changed.Body.String() != `{"a":2}` {
		t.Errorf("what changed: %d %q", changed.Code, changed.Body)
	}
}

func TestOnlyAnswersOfJSONHaveTags(t *testing.T) {
	engine := answering(`{"a":1}`)
	for path, status := range map[string]int{"/bytes": http.StatusOK, "/missing": http.StatusNotFound} {
		if answer := get(engine, path, "*"); answer.Code != status || answer.Header().Get("ETag") != "" || answer.Body.String() != `{"a":1}` {
			t.Errorf("%s: got %d %q, tag %q", path, answer.Code, answer.Body, answer.Header().Get("ETag"))
		}
	}
}
