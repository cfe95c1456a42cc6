package rest

import (
	"context"
	"strings"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/gateway/internal/auth"
	"github.com/pie-consortium/pie/gateway/internal/problem"
	"github.com/pie-consortium/pie/ledger/fault"
)

// Enroll passes a certificate request to the hospital's CA.
func (a *API) Enroll(ctx context.Context, request EnrollRequestObject) (EnrollResponseObject, error) {
	if err := a.enrollments.Acquire(ctx, 1); err != nil {
		return nil, fault.New(fault.Overloaded, "too many certificates are being asked for; ask again")
	}
	defer a.enrollments.Release(1)
	certificate, err := a.CA.Enroll(ctx, *request.Body)
	if err != nil {
		return nil, err
	}
	return Enroll200JSONResponse{Certificate: certificate}, nil
}

// ReadAuthorizationServer says where and how clients get tokens.
func (a *API) ReadAuthorizationServer(context.Context, ReadAuthorizationServerRequestObject) (ReadAuthorizationServerResponseObject, error) {
	return ReadAuthorizationServer200JSONResponse(a.authorizationServer()), nil
}

// ReadSMARTConfiguration says the same to clients of SMART Backend Services.
func (a *API) ReadSMARTConfiguration(context.Context, ReadSMARTConfigurationRequestObject) (ReadSMARTConfigurationResponseObject, error) {
	return ReadSMARTConfiguration200JSONResponse(a.authorizationServer()), nil
}

func (a *API) authorizationServer() api.AuthorizationServer {
	return api.AuthorizationServer{
		Issuer: a.Authority.URL, TokenEndpoint: a.Authority.URL + auth.TokenPath,
		GrantTypesSupported:                        []string{clientCredentials},
		ResponseTypesSupported:                     []string{},
		ScopesSupported:                            []string{scopeRegistered, auth.ScopeReplacement},
		TokenEndpointAuthMethodsSupported:          []string{"private_key_jwt"},
		TokenEndpointAuthSigningAlgValuesSupported: []string{"ES256"},
		ServiceDocumentation:                       a.Authority.URL + "/docs",
		Capabilities:                               []string{"client-confidential-asymmetric"},
		CodeChallengeMethodsSupported:              []string{"S256"},
	}
}

// clientCredentials is the grant type of RFC 6749, section 4.4, the only one.
const clientCredentials = "client_credentials"

// IssueToken exchanges an assertion for a token.
func (a *API) IssueToken(ctx context.Context, request IssueTokenRequestObject) (IssueTokenResponseObject, error) {
	if request.Body.GrantType != clientCredentials {
		return nil, problem.WithTokenError("unsupported_grant_type", fault.New(fault.InvalidArgument, "grant_type must be %s", clientCredentials))
	}
	scope, err := scopeOf(optional(request.Body.Scope))
	if err != nil {
		return nil, err
	}
	wanted := auth.Request{Assertion: request.Body.ClientAssertion, Client: optional(request.Body.ClientID)}
	if scope == auth.ScopeReplacement {
		wanted.Scope = scope
	}
	token, err := a.Authority.Issue(ctx, wanted)
	if err != nil {
		return nil, err
	}
	return IssueToken200JSONResponse(api.Token{
		AccessToken: token, TokenType: "Bearer", ExpiresIn: int(auth.Lifetime.Seconds()), Scope: scope,
	}), nil
}

// scopeRegistered is the scope of tokens for the registered key, which do all that their
// holder may.
const scopeRegistered = "registered"

// scopeOf is the scope of the token that somebody gets who asks for these. Clients of
// SMART Backend Services cannot leave theirs out: they are passed over, and the answer
// tells what it is instead (RFC 6749, section 3.3).
func scopeOf(asked string) (string, error) {
	scope := scopeRegistered
	for _, one := range strings.Fields(asked) {
		switch {
		case one == auth.ScopeReplacement:
			scope = one
		case one != scopeRegistered && !strings.HasPrefix(one, "system/"):
			return "", problem.WithTokenError("invalid_scope", fault.New(fault.InvalidArgument,
				"the scopes are %s, which is that of who names none, and %s; those of SMART's system/ are passed over", scopeRegistered, auth.ScopeReplacement))
		}
	}
	return scope, nil
}

// Reencrypt answers as this hospital's proxy.
func (a *API) Reencrypt(ctx context.Context, request ReencryptRequestObject) (ReencryptResponseObject, error) {
	answer, err := a.Proxy.Reencrypt(ctx, request.Body.Request)
	if err != nil {
		return nil, err
	}
	return Reencrypt200JSONResponse{Reencryption: answer}, nil
}
