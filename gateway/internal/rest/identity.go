package rest

import (
	"context"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/gateway/internal/auth"
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

// IssueToken exchanges an assertion for a token.
func (a *API) IssueToken(ctx context.Context, request IssueTokenRequestObject) (IssueTokenResponseObject, error) {
	token, err := a.Authority.Issue(ctx, request.Body.ClientAssertion, optional(request.Body.Scope))
	if err != nil {
		return nil, err
	}
	return IssueToken200JSONResponse(api.Token{
		AccessToken: token, TokenType: "Bearer", ExpiresIn: int(auth.Lifetime.Seconds()),
	}), nil
}

// Reencrypt answers as this hospital's proxy.
func (a *API) Reencrypt(ctx context.Context, request ReencryptRequestObject) (ReencryptResponseObject, error) {
	answer, err := a.Proxy.Reencrypt(ctx, request.Body.Request)
	if err != nil {
		return nil, err
	}
	return Reencrypt200JSONResponse{Reencryption: answer}, nil
}
