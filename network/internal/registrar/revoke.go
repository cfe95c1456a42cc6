package registrar

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/http"
	"net/url"

	"github.com/pie-consortium/pie/ledger/trust"
)

// Invite lets a user enrol once more, for another key, with the secret that it returns;
// an older secret is void from now on. The attributes are those that the user has.
func (a *Account) Invite(ctx context.Context, pseudonym string) (secret string, attributes map[string]string, err error) {
	certificates, err := a.certificates(ctx, pseudonym, "")
	if err != nil {
		return "", nil, err
	}
	// Each certificate took one enrolment.
	return a.renewSecret(ctx, pseudonym, len(certificates)+1)
}

// Suspend voids the secret of a user, so that nobody enrols with it.
func (a *Account) Suspend(ctx context.Context, pseudonym string) error {
	_, _, err := a.renewSecret(ctx, pseudonym, 1)
	return err
}

// renewSecret replaces the secret by a new one, good until that many enrolments in all.
func (a *Account) renewSecret(ctx context.Context, pseudonym string, enrolments int) (string, map[string]string, error) {
	secret := drawSecret()
	path := "/api/v1/identities/" + url.PathEscape(pseudonym)
	var answer struct {
		Attrs []struct{ Name, Value string }
	}
	err := a.do(ctx, http.MethodPut, path, map[string]any{"secret": secret, "max_enrollments": enrolments}, &answer)
	if err != nil {
		return "", nil, fmt.Errorf("give %s a new secret at the CA %s: %w", pseudonym, a.ca.URL, err)
	}
	attributes := map[string]string{}
	for _, attribute := range answer.Attrs {
		attributes[attribute.Name] = attribute.Value
	}
	return secret, attributes, nil
}

// Revoke revokes the user's certificates, or the one of the serial number unless that is
// nil, and returns which. What is revoked already is left alone.
func (a *Account) Revoke(ctx context.Context, pseudonym string, serial *big.Int) ([]*x509.Certificate, error) {
	certificates, err := a.certificates(ctx, pseudonym, "&notrevoked=true")
	if err != nil {
		return nil, err
	}
	var revoked []*x509.Certificate
	for _, certificate := range certificates {
		if serial != nil && certificate.SerialNumber.Cmp(serial) != 0 {
			continue
		}
		// By its number: a revoked name could never be invited again.
		err := a.do(ctx, http.MethodPost, "/api/v1/revoke", map[string]any{
			"id": pseudonym, "serial": certificate.SerialNumber.Text(16), "aki": hex.EncodeToString(certificate.AuthorityKeyId),
			"reason": "keycompromise",
		}, new(any))
		if err != nil {
			return revoked, fmt.Errorf("revoke certificate %x of %s at the CA %s: %w", certificate.SerialNumber, pseudonym, a.ca.URL, err)
		}
		revoked = append(revoked, certificate)
	}
	return revoked, nil
}

// RevocationList is the CA's list of certificates that are revoked and have not expired,
// PEM, signed by the CA.
func (a *Account) RevocationList(ctx context.Context) ([]byte, error) {
	var answer struct{ CRL string }
	if err := a.do(ctx, http.MethodPost, "/api/v1/gencrl", map[string]any{}, &answer); err != nil {
		return nil, fmt.Errorf("revocation list of the CA %s: %w", a.ca.URL, err)
	}
	list, err := base64.StdEncoding.DecodeString(answer.CRL)
	if err != nil {
		return nil, fmt.Errorf("revocation list of the CA %s: %w", a.ca.URL, err)
	}
	return list, nil
}

// certificates are those that the CA issued to the user.
func (a *Account) certificates(ctx context.Context, pseudonym, filter string) ([]*x509.Certificate, error) {
	path := "/api/v1/certificates?id=" + url.QueryEscape(pseudonym) + filter
	var answer struct{ Certs []struct{ PEM string } }
	if err := a.do(ctx, http.MethodGet, path, nil, &answer); err != nil {
		return nil, fmt.Errorf("certificates of %s at the CA %s: %w", pseudonym, a.ca.URL, err)
	}
	var certificates []*x509.Certificate
	for _, entry := range answer.Certs {
		certificate, err := trust.ParseCertificate([]byte(entry.PEM))
		if err != nil {
			return nil, fmt.Errorf("certificates of %s at the CA %s: %w", pseudonym, a.ca.URL, err)
		}
		certificates = append(certificates, certificate)
	}
	return certificates, nil
}
