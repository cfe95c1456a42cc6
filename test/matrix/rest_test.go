package matrix

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/pie-consortium/pie/gateway/api"
)

// client is a hospital's gateway for whoever has the token; an empty one is none.
func (w *world) client(msp, token string) (*api.ClientWithResponses, error) {
	organization, err := w.network.Organization(msp)
	if err != nil {
		return nil, err
	}
	return api.NewClientWithResponses(organization.GatewayURL, api.WithHTTPClient(w.web),
		api.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			return nil
		}))
}

// token gets one from the person's own hospital's gateway.
func (w *world) token(ctx context.Context, p *person) (string, error) {
	organization, err := w.network.Organization(p.User.MSP)
	if err != nil {
		return "", err
	}
	assertion, err := p.creator.Signer.SignAssertion(p.User, organization.GatewayURL, time.Now())
	if err != nil {
		return "", err
	}
	client, err := w.client(p.User.MSP, "")
	if err != nil {
		return "", err
	}
	answer, err := client.IssueTokenWithFormdataBodyWithResponse(ctx, api.TokenRequest{
		GrantType: "client_credentials", ClientAssertion: assertion,
		ClientAssertionType: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
	})
	if err != nil {
		return "", err
	}
	if answer.JSON200 == nil {
		return "", fmt.Errorf("token of %s: %s", p.User, answer.Body)
	}
	return answer.JSON200.AccessToken, nil
}
