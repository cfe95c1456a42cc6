package rest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/gateway/internal/auth"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// exchange asks for a token with a form, as OAuth libraries do.
func (f *fixture) exchange(form url.Values, header http.Header) (int, http.Header, api.TokenProblem) {
	sent := http.Header{"Content-Type": {"application/x-www-form-urlencoded;charset=UTF-8"}, "Accept": {"application/json"}}
	for name, values := range header {
		sent[name] = values
	}
	answer := f.ask(http.MethodPost, "/oauth2/token", strings.NewReader(form.Encode()), sent)
	var told api.TokenProblem
	_ = json.Unmarshal(answer.Body.Bytes(), &told)
	return answer.Code, answer.Header(), told
}

func (f *fixture) tokenForm(t *testing.T) url.Values {
	t.Helper()
	assertion, err := f.hospital.Issue("7f3k", ledger.RolePatient, "").SignAssertion(f.user, gatewayURL, f.now)
	if err != nil {
		t.Fatal(err)
	}
	form, err := url.ParseQuery(assertionForm(assertion))
	if err != nil {
		t.Fatal(err)
	}
	return form
}

// Whoever gets no token is told why as RFC 6749, section 5.2, has it, whatever refused
// them, and nobody stores an answer.
func TestTokenErrorsAreOfOAuth(t *testing.T) {
	other := func(name, value string) func(url.Values) { return func(v url.Values) { v.Set(name, value) } }
	for name, c := range map[string]struct {
		change func(url.Values)
		header http.Header
		status int
		error  string
		code   fault.Code
	}{
		"another grant type":     {other("grant_type", "password"), nil, 400, "unsupported_grant_type", fault.InvalidArgument},
		"another scope":          {other("scope", "system/*.rs offline_access"), nil, 400, "invalid_scope", fault.InvalidArgument},
		"no assertion":           {func(v url.Values) { v.Del("client_assertion") }, nil, 400, "invalid_request", fault.InvalidArgument},
		"another assertion type": {other("client_assertion_type", "saml"), nil, 400, "invalid_request", fault.InvalidArgument},
		"a bad assertion":        {other("client_assertion", "a\"b\\c"), nil, 401, "invalid_client", fault.Unauthenticated},
		"another client":         {other("client_id", "HospitalA/other"), nil, 401, "invalid_client", fault.Unauthenticated},
		"JSON":                   {func(url.Values) {}, http.Header{"Content-Type": {"application/json"}}, 415, "invalid_request", fault.InvalidArgument},
		"another origin":         {func(url.Values) {}, http.Header{"Origin": {"https://elsewhere.example"}}, 403, "unauthorized_client", fault.PermissionDenied},
		"too large":              {other("x", strings.Repeat("x", maxOpenBody)), nil, 413, "invalid_request", fault.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			form := f.tokenForm(t)
			c.change(form)
			status, header, told := f.exchange(form, c.header)
			if status != c.status || told.Error != c.error || told.Code != c.code || told.Status != status || told.RequestID == "" {
				t.Errorf("got %d %+v, want %d %s %s", status, told, c.status, c.error, c.code)
			}
			if header.Get("Content-Type") != "application/json" || header.Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", header)
			}
			if told.ErrorDescription == "" || strings.ContainsAny(told.ErrorDescription, "\"\\") {
				t.Errorf("described as %q", told.ErrorDescription)
			}
		})
	}
}

func TestTokenErrorsOfTheCrowd(t *testing.T) {
	f := newFixture(t)
	for range 1000 {
		status, header, told := f.exchange(url.Values{}, nil)
		if status == http.StatusTooManyRequests {
			if told.Error != "temporarily_unavailable" || header.Get("Retry-After") == "" {
				t.Errorf("%+v, Retry-After %q", told, header.Get("Retry-After"))
			}
			return
		}
	}
	t.Error("a thousand requests at once were answered")
}

// Parameters that the gateway does not know do not matter (RFC 6749, section 3.2).
func TestTokensForOthersLibraries(t *testing.T) {
	f := newFixture(t)
	form := f.tokenForm(t)
	form.Set("client_id", f.user.String())
	form.Set("resource", gatewayURL)
	status, header, told := f.exchange(form, nil)
	if status != http.StatusOK || header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %d %v: %+v", status, header, told)
	}
}

// The scope of a token is that which the answer names, whatever was asked for.
func TestScopesThatAreAskedFor(t *testing.T) {
	for asked, want := range map[string]string{
		"": "registered", "registered": "registered", "system/*.rs system/Patient.read?status=x": "registered",
		"replacement": "replacement", "system/*.rs replacement": "replacement",
	} {
		f := newFixture(t)
		form := f.tokenForm(t)
		form.Set("scope", asked)
		answer := f.ask(http.MethodPost, "/oauth2/token", strings.NewReader(form.Encode()), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
		var token api.Token
		if err := json.Unmarshal(answer.Body.Bytes(), &token); err != nil || token.Scope != want {
			t.Errorf("%q was answered %d %+v, %v", asked, answer.Code, token, err)
		}
		holder, err := f.api.Authority.Verify(t.Context(), token.AccessToken)
		if err != nil || (holder.Scope == auth.ScopeReplacement) != (want == auth.ScopeReplacement) {
			t.Errorf("%q: the token's scope is %q, %v", asked, holder.Scope, err)
		}
	}
}

// Both documents name the endpoint, and the one way that it takes.
func TestAuthorizationServerIsDescribed(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/.well-known/oauth-authorization-server", "/.well-known/smart-configuration"} {
		answer := f.ask(http.MethodGet, path, nil, http.Header{"Authorization": nil})
		var told api.AuthorizationServer
		if err := json.Unmarshal(answer.Body.Bytes(), &told); err != nil || answer.Header().Get("Content-Type") != "application/json" {
			t.Fatalf("%s: %d %v %v", path, answer.Code, answer.Header(), err)
		}
		if told.Issuer != gatewayURL || told.TokenEndpoint != gatewayURL+"/oauth2/token" ||
			told.TokenEndpointAuthMethodsSupported[0] != "private_key_jwt" || told.TokenEndpointAuthSigningAlgValuesSupported[0] != "ES256" {
			t.Errorf("%s: %+v", path, told)
		}
	}
}
