package matrix

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"time"

	"filippo.io/age"
	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/internal/direct"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/network/networktest"
	"github.com/pie-consortium/pie/umbral"
)

// person is somebody with a certificate of a hospital's CA, and a device that does
// whatever its owner wants.
type person struct {
	ledger.Identity
	creator              proposal.Creator
	bundle               *trust.Bundle
	receiving, verifying *umbral.SecretKey
	statements           []string        // of the keys that the person registered
	profile              *ledger.Profile // a professional's card
}

// certify has a hospital's CA certify somebody with this name, role and clearance.
func (w *world) certify(ctx context.Context, who ledger.Identity) (*person, error) {
	attributes := map[string]string{trust.RoleAttribute: string(who.Role)}
	if who.Clearance != "" {
		attributes[trust.ClearanceAttribute] = string(who.Clearance)
	}
	secret, err := w.registrars[who.User.MSP].Register(ctx, who.User.Pseudonym, attributes)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	certificate, err := w.enroll(ctx, who.User, secret, key)
	if err != nil {
		return nil, fmt.Errorf("enrol %s: %w", who.User, err)
	}
	signer, err := trust.NewSigner(certificate, key)
	if err != nil {
		return nil, err
	}
	bundle, err := w.network.Bundle()
	if err != nil {
		return nil, err
	}
	p := &person{Identity: who, creator: proposal.Creator{MSP: who.User.MSP, Signer: signer}, bundle: &bundle}
	if found, err := bundle.Identify(certificate, time.Now()); err != nil || found != who {
		return nil, fmt.Errorf("the CA certified %+v as %+v: %w", who, found, err)
	}
	return p, p.equip()
}

// equip makes the keys and the statements about them.
func (p *person) equip() (err error) {
	if p.receiving, err = umbral.GenerateSecretKey(nil); err != nil {
		return err
	}
	if p.verifying, err = umbral.GenerateSecretKey(nil); err != nil {
		return err
	}
	statements := []trust.KeyStatement{
		{Kind: ledger.KeyReceiving, Key: p.receiving.PublicKey().Bytes()},
		{Kind: ledger.KeyVerifying, Key: p.verifying.PublicKey().Bytes()},
	}
	if p.Role == ledger.RoleGateway {
		proxy, err := age.GenerateHybridIdentity()
		if err != nil {
			return err
		}
		statements = []trust.KeyStatement{{Kind: ledger.KeyProxy, Key: []byte(proxy.Recipient().String())}}
	}
	for _, statement := range statements {
		jws, err := p.state(statement)
		if err != nil {
			return err
		}
		p.statements = append(p.statements, jws)
	}
	if !p.Role.Professional() {
		return nil
	}
	card := trust.Card{User: p.User, Role: p.Role, Name: "Dr. " + p.User.Pseudonym, Department: p.Department, Issued: time.Now().UTC()}
	jws, err := p.creator.Signer.SignCard(card) // devices would not believe it; the ledger does not know
	p.profile = &ledger.Profile{Salt: ledger.NewSalt(), Card: jws}
	return err
}

// registration is what the person registers with.
func (p *person) registration() call {
	return call{tx: ledger.TxRegisterUser, argument: ledger.RegisterUser{Keys: p.statements}, transient: p.carded()}
}

func (p *person) carded() map[string]any {
	if p.profile == nil {
		return nil
	}
	return map[string]any{ledger.TransientProfile: *p.profile}
}

func (p *person) state(statement trust.KeyStatement) (string, error) {
	statement.User, statement.Issued = p.User, time.Now().UTC()
	return p.creator.Signer.SignKeyStatement(statement)
}

// enroll asks the CA itself, as a Fabric client does.
func (w *world) enroll(ctx context.Context, user ledger.UserID, secret string, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	organization, err := w.network.Organization(user.MSP)
	if err != nil {
		return nil, err
	}
	csr, err := request(user.Pseudonym, key)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]string{"certificate_request": csr})
	if err != nil {
		return nil, err
	}
	enrolment, err := http.NewRequestWithContext(ctx, http.MethodPost, organization.CAURL+"/api/v1/enroll", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	enrolment.SetBasicAuth(user.Pseudonym, secret)
	response, err := w.web.Do(enrolment)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var answer struct{ Result struct{ Cert []byte } }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, err
	}
	return trust.ParseCertificate(answer.Result.Cert)
}

// request is a certificate request, PEM.
func request(name string, key *ecdsa.PrivateKey) (string, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), err
}

// httpClient trusts the TLS roots of all members.
func httpClient(network *networktest.Network) (*http.Client, error) {
	bundle, err := network.Bundle()
	if err != nil {
		return nil, err
	}
	roots, err := bundle.TLSPool()
	if err != nil {
		return nil, err
	}
	return direct.Client(&http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}, ForceAttemptHTTP2: true,
	}), nil
}
