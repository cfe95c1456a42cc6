package problem_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/gateway/internal/problem"
	"github.com/pie-consortium/pie/ledger/fault"
)

func written(t *testing.T, err error) (int, api.Problem) {
	t.Helper()
	recorder := httptest.NewRecorder()
	problem.Write(recorder, "r1", err)
	if got := recorder.Header().Get("Content-Type"); got != problem.ContentType {
		t.Errorf("content type %q", got)
	}
	var document api.Problem
	if err := json.Unmarshal(recorder.Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	return recorder.Code, document
}

// The published examples are what callers program against.
func TestCodesAnswerAsPublished(t *testing.T) {
	document, err := openapi3.NewLoader().LoadFromData(api.Document)
	if err != nil {
		t.Fatal(err)
	}
	examples := document.Components.Responses["Problem"].Value.Content.Get(problem.ContentType).Examples
	for _, code := range fault.Codes() {
		example := examples[string(code)].Value.Value.(map[string]any)
		status, got := written(t, fmt.Errorf("outer: %w", fault.New(code, "why")))
		if float64(status) != example["status"] || got.Title != example["title"] || got.Retryable != example["retryable"] {
			t.Errorf("%s answers %d %q retryable %t, published is %v", code, status, got.Title, got.Retryable, example)
		}
		if got.Code != code || got.RequestID != "r1" {
			t.Errorf("%s answers code %s, request %s", code, got.Code, got.RequestID)
		}
	}
}

var errorRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([0-9]+) \\| (yes|no) \\| .+ \\|$")

// The table that developers of apps go by has every code once, as it is answered.
func TestTableOfErrorsIsTrue(t *testing.T) {
	page, err := os.ReadFile("../../../docs/patient-app.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[fault.Code]int{}
	for _, row := range errorRow.FindAllStringSubmatch(string(page), -1) {
		code := fault.Code(row[1])
		listed[code]++
		status, got := written(t, fault.New(code, "why"))
		if strconv.Itoa(status) != row[2] || got.Retryable != (row[3] == "yes") {
			t.Errorf("the page says %s, answered are %d and retryable %t", row[0], status, got.Retryable)
		}
	}
	for _, code := range fault.Codes() {
		if listed[code] != 1 {
			t.Errorf("%s stands in the page's table %d times", code, listed[code])
		}
	}
	if len(listed) != len(fault.Codes()) {
		t.Errorf("the page's table has codes that there are not: %v", listed)
	}
}

func TestInternalTextIsWithheld(t *testing.T) {
	for _, err := range []error{errors.New("dial tcp 10.0.0.7: refused"), fault.New(fault.Internal, "dial tcp 10.0.0.7: refused")} {
		if _, got := written(t, err); strings.Contains(got.Detail, "10.0.0.7") || got.Code != fault.Internal {
			t.Errorf("detail %q of code %s", got.Detail, got.Code)
		}
	}
}

func TestStatusAndTransactionAreCarried(t *testing.T) {
	err := problem.WithTransaction("ab12", problem.WithStatus(413, fault.New(fault.InvalidArgument, "too large")))
	status, got := written(t, err)
	if status != 413 || got.TransactionID != "ab12" || got.Code != fault.InvalidArgument || got.Detail != "too large" {
		t.Errorf("%d %+v", status, got)
	}
}
