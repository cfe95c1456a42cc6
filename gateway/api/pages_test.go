package api_test

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

var (
	routeOnPage = regexp.MustCompile(`\b(GET|POST|PUT|PATCH|DELETE|HEAD) (/[^\s,` + "`" + `]+)`)
	placeholder = regexp.MustCompile(`^(\{.*\}|[A-Z]+)$`)
)

// What the pages tell of routes and their parameters, the document has.
func TestPagesNameRoutesThatExist(t *testing.T) {
	document := load(t)
	pages, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	found := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range routeOnPage.FindAllStringSubmatch(string(text), -1) {
			found++
			if !hasRoute(document, match[1], match[2]) {
				t.Errorf("%s: no route is %s", filepath.Base(page), match[0])
			}
		}
	}
	if found == 0 {
		t.Error("the pages name no routes")
	}
}

func hasRoute(document *openapi3.T, method, address string) bool {
	path, query, _ := strings.Cut(address, "?")
	parameters, err := url.ParseQuery(query)
	if err != nil {
		return false
	}
	for template, item := range document.Paths.Map() {
		operation := item.GetOperation(method)
		if operation == nil || !isPath(template, path) {
			continue
		}
		for name := range parameters {
			if operation.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) == nil {
				return false
			}
		}
		return true
	}
	return false
}

// isPath compares segment by segment: where the template has a parameter, the page has
// something that stands for one.
func isPath(template, path string) bool {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i, segment := range want {
		if strings.HasPrefix(segment, "{") && placeholder.MatchString(got[i]) {
			continue
		}
		if segment != got[i] {
			return false
		}
	}
	return true
}
