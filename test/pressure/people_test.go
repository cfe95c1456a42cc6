package pressure

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/internal/direct"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/network/networktest"
	cast "github.com/pie-consortium/pie/test/people"
)

// people are the main job's cast and others of several roles, with what they left on the
// ledger.
type people struct {
	*cast.Cast
	all    []*person
	record ledger.ID // shared with the colleague, and opened
	slot   ledger.ID // nobody has used it
	open   string    // the colleague's transaction

	web *http.Client // for every gateway
}

// person is somebody whose requests are written without the SDK.
type person struct {
	ledger.Identity
	creator proposal.Creator
}

// gather enrols everybody and lets the cast share a record.
func gather(ctx context.Context, dir string) (*people, error) {
	main, err := cast.Enroll(ctx, network, dir)
	if err != nil {
		return nil, err
	}
	p := &people{Cast: main}
	for name, c := range map[string]*client.Client{
		"patient": main.Patient, "physician": main.Physician, "colleague": main.Colleague, "researcher": main.Researcher,
	} {
		if err := p.add(c, main.Home(name)); err != nil {
			return nil, err
		}
	}
	for i, role := range []ledger.Role{ledger.RoleInsurer, ledger.RoleEmergency, ledger.RolePrivacyOfficer, ledger.RoleRecoveryOfficer, ledger.RoleEmergencyDesk, ledger.RolePatient} {
		if err := p.enroll(ctx, role, network.Organizations[i%3].MSP, filepath.Join(dir, fmt.Sprint("person-", i))); err != nil {
			return nil, err
		}
	}
	if err := p.addAdmin(network.Organizations[0]); err != nil {
		return nil, err
	}
	if p.web, err = browser(); err != nil {
		return nil, err
	}
	return p, p.share(ctx)
}

func (p *people) enroll(ctx context.Context, role ledger.Role, msp, home string) error {
	guest := networktest.Guest{MSP: msp, Role: role}
	if role != ledger.RolePatient {
		guest.Clearance, guest.Department, guest.Name = ledger.LevelPrivate, "surgery", "Dr. Mori"
	}
	invitation, err := network.Invite(ctx, guest)
	if err != nil {
		return fmt.Errorf("invite the %s: %w", role, err)
	}
	c, err := client.Enroll(ctx, home, &invitation, nil)
	if err != nil {
		return fmt.Errorf("enrol the %s: %w", role, err)
	}
	return p.add(c, home)
}

func (p *people) addAdmin(organization networktest.Organization) error {
	signer, err := signerOf(organization.Admin)
	if err != nil {
		return err
	}
	bundle, err := network.Bundle()
	if err != nil {
		return err
	}
	who, err := bundle.Identify(signer.Certificate, time.Now())
	if err != nil {
		return err
	}
	p.all = append(p.all, &person{who, proposal.Creator{MSP: who.User.MSP, Signer: signer}})
	return nil
}

// add reads the keys of somebody's device.
func (p *people) add(c *client.Client, home string) error {
	text, err := os.ReadFile(filepath.Join(home, "certificate.pem"))
	if err != nil {
		return err
	}
	certificate, err := trust.ParseCertificate(text)
	if err != nil {
		return err
	}
	var keys struct{ Identity []byte }
	if text, err = os.ReadFile(filepath.Join(home, "keys.json")); err != nil {
		return err
	}
	if err := json.Unmarshal(text, &keys); err != nil {
		return err
	}
	key, err := x509.ParsePKCS8PrivateKey(keys.Identity)
	if err != nil {
		return err
	}
	identity, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return fmt.Errorf("a key of the unexpected type %T", key)
	}
	signer, err := trust.NewSigner(certificate, identity)
	if err != nil {
		return err
	}
	p.all = append(p.all, &person{c.Identity(), proposal.Creator{MSP: c.Identity().User.MSP, Signer: signer}})
	return nil
}

// share leaves something of most kinds on the ledger, and waits until no hospital has
// anything left to say about it.
func (p *people) share(ctx context.Context) (err error) {
	if p.record, err = p.Publish(ctx, []byte("a finding"), ledger.ClassMedicalInformation); err != nil {
		return err
	}
	if err := p.Share(ctx, p.record, p.Colleague, ledger.PurposeTreatment); err != nil {
		return err
	}
	if _, err := p.Read(ctx, p.Colleague, p.record); err != nil {
		return err
	}
	if p.slot, err = p.Authorize(ctx, ledger.ClassMedicalInformation); err != nil {
		return err
	}
	accesses, err := p.Patient.Accesses(ctx, p.record)
	if err != nil {
		return err
	}
	p.open = accesses[0].Open
	return eventually(ctx, "every replica is kept", func() (bool, error) {
		replicas, err := p.Patient.Replicas(ctx, ledger.RecordVersion{Record: p.record, Version: 1})
		return len(replicas) == client.DefaultPolicy(ledger.ClassMedicalInformation).Replicas, err
	})
}

// eventually asks until something is so, or the context ends.
func eventually(ctx context.Context, what string, so func() (bool, error)) error {
	for {
		yes, err := so()
		if yes && err == nil {
			return nil
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("it never came to be that %s: %w", what, errors.Join(ctx.Err(), err))
		}
	}
}

func roots() (*x509.CertPool, error) {
	bundle, err := network.Bundle()
	if err != nil {
		return nil, err
	}
	return bundle.TLSPool()
}

// browser trusts the TLS roots of all members.
func browser() (*http.Client, error) {
	pool, err := roots()
	if err != nil {
		return nil, err
	}
	return direct.Client(&http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}, ForceAttemptHTTP2: true,
	}), nil
}

// token gets somebody one from any hospital's gateway.
func (p *people) token(ctx context.Context, who *person, gateway string) (string, error) {
	assertion, err := who.creator.Signer.SignAssertion(who.User, gateway, time.Now())
	if err != nil {
		return "", err
	}
	door, err := api.NewClientWithResponses(gateway, api.WithHTTPClient(p.web))
	if err != nil {
		return "", err
	}
	answer, err := door.IssueTokenWithFormdataBodyWithResponse(ctx, api.TokenRequest{
		GrantType: "client_credentials", ClientAssertion: assertion,
		ClientAssertionType: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
	})
	if err != nil {
		return "", err
	}
	if answer.JSON200 == nil {
		return "", fmt.Errorf("token of %s: %s", who.User, answer.Body)
	}
	return answer.JSON200.AccessToken, nil
}

// certificate is somebody's, PEM.
func (p *person) certificate() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.creator.Signer.Certificate.Raw}))
}

// door is a gateway's API for somebody, whose token is kept fresh.
func (p *people) door(w *wallet, who *person, gateway string) (*api.ClientWithResponses, error) {
	return api.NewClientWithResponses(gateway, api.WithHTTPClient(p.web), api.WithRequestEditorFn(
		func(ctx context.Context, r *http.Request) error {
			token, err := w.token(ctx, who, gateway)
			r.Header.Set("Authorization", "Bearer "+token)
			return err
		}))
}

// signerOf reads the files of an identity.
func signerOf(files networktest.Identity) (*trust.Signer, error) {
	pair, err := tls.LoadX509KeyPair(files.Certificate, files.Key)
	if err != nil {
		return nil, err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: a key of the unexpected type %T", files.Key, pair.PrivateKey)
	}
	return trust.NewSigner(pair.Leaf, key)
}
