package rest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// revalidate gives every JSON answer to a read an ETag, and answers 304 without a body
// to somebody who has it already (RFC 9110, section 8.8.3). The tag is weak: compression
// comes after it.
func revalidate(c *gin.Context) {
	if c.Request.Method != http.MethodGet {
		return
	}
	answer := &held{ResponseWriter: c.Writer}
	c.Writer = answer
	defer func() { c.Writer = answer.ResponseWriter }()
	c.Next()
	if answer.body.Len() == 0 {
		return
	}
	digest := sha256.Sum256(answer.body.Bytes())
	tag := `W/"` + hex.EncodeToString(digest[:16]) + `"`
	answer.Header().Set("ETag", tag)
	answer.Header().Set("Cache-Control", "private, no-cache")
	if known(c.GetHeader("If-None-Match"), tag) {
		answer.Header().Del("Content-Type")
		answer.WriteHeader(http.StatusNotModified)
		return
	}
	if _, err := answer.ResponseWriter.Write(answer.body.Bytes()); err != nil {
		answer.Header().Del("ETag")
		fail(c, err)
	}
}

// known reports whether a list of tags has this one, compared weakly.
func known(list, tag string) bool {
	for candidate := range strings.SplitSeq(list, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// held keeps the body of a JSON answer back until all of it is known, and lets everything
// else through, also an answer that brings its tag and is too large to be kept.
type held struct {
	gin.ResponseWriter
	body bytes.Buffer
}

func (h *held) Write(text []byte) (int, error) {
	if h.Status() == http.StatusOK && h.Header().Get("ETag") == "" && h.Header().Get("Content-Type") == "application/json" {
		return h.body.Write(text)
	}
	return h.ResponseWriter.Write(text)
}

func (h *held) WriteString(text string) (int, error) { return h.Write([]byte(text)) }
