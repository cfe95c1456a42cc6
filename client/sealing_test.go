package client

import (
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// minted has the user's own hospital certify another key in their name, as its CA could do
// without them.
func minted(t *testing.T, user ledger.UserID) *trust.Signer {
	t.Helper()
	invitation, err := network.InviteAgain(t.Context(), user, "")
	if err != nil {
		t.Fatal(err)
	}
	e, err := enter(filepath.Join(t.TempDir(), "minted"), &invitation, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.certify(t.Context()); err != nil {
		t.Fatal(err)
	}
	certificate, err := readCertificate(e.store)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := trust.NewSigner(certificate, e.keys.Identity)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// forgery is the registration of a user as their hospital could make one up: keys of its
// own, stated with a certificate that it issued, and registered as if they were the user's.
func forgery(t *testing.T, user ledger.UserID) tamper {
	t.Helper()
	signer := minted(t, user)
	jws, err := signer.SignKeyStatement(trust.KeyStatement{
		Kind: ledger.KeyReceiving, Key: newSecret(t).PublicKey().Bytes(), User: user, Issued: time.Now().UTC(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return rewrite(t, "/v1/users/"+user.MSP+"/"+user.Pseudonym, func(view *ledger.UserView) {
		view.Keys[ledger.KeyReceiving], view.IdentityKey = jws, trust.IdentityKeyDigest(signer.Certificate)
	})
}

// watchBlame collects whom the client names.
func watchBlame(c *Client) func() []*AlteredError {
	var mutex sync.Mutex
	var alterations []*AlteredError
	c.Altered = func(alteration *AlteredError) {
		mutex.Lock()
		defer mutex.Unlock()
		alterations = append(alterations, alteration)
	}
	return func() []*AlteredError {
		mutex.Lock()
		defer mutex.Unlock()
		return slices.Clone(alterations)
	}
}

// A hospital whose CA and gateway work together can make up a statement of a key of one of
// its users. What no ledger compares afterwards is not sealed to it.
func TestNothingIsSealedToAKeyThatOneHospitalMakesUp(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	guardian := enroll(t, physicianOfA).identity.User
	n := p.newRecord(t, "", []byte("emr"))
	for name, use := range map[string]struct {
		by  *Client
		of  ledger.UserID // whose key is made up
		try func() error
	}{
		"a guardian's share": {p.patient, guardian, func() error {
			shares, err := p.patient.SplitSeed(t.Context(), Guardians{Shares: 2, Threshold: 2, Users: []ledger.UserID{guardian}})
			if err != nil && len(shares) > 0 {
				t.Errorf("%d shares in spite of %v", len(shares), err)
			}
			return err
		}},
		"the escrow of an unattended record": {p.author, p.patient.identity.User, func() error {
			_, err := p.author.UploadUnattended(t.Context(), n)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			forged, honest := forgery(t, use.of), use.by.bundle
			betray(t, use.by, "HospitalA", forged)
			wantAltered(t, use.try(), "HospitalA")
			use.by.bundle = honest
			betray(t, use.by, "HospitalC", forged)
			blamed := watchBlame(use.by)
			if err := use.try(); err != nil {
				t.Fatal(err)
			}
			for len(blamed()) == 0 { // which may have told too late to be heard
				if _, err := use.by.sealingKey(t.Context(), use.of, ledger.KeyReceiving); err != nil {
					t.Fatal(err)
				}
			}
			wantAltered(t, blamed()[0], "HospitalC")
		})
	}
}

// A gateway can state another key for its own proxy, properly signed, and name another of
// its hospital's identities as the proxy. Fragments are sealed to what the ledger holds.
func TestNoFragmentIsSealedToAKeyThatOneHospitalMakesUp(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	key, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	gateway := ledger.UserID{MSP: "HospitalA", Pseudonym: "gateway"}
	jws, err := gatewaySigner(t, "HospitalA").SignKeyStatement(trust.KeyStatement{
		Kind: ledger.KeyProxy, Key: []byte(key.Recipient().String()), User: gateway, Issued: time.Now().UTC(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]tamper{
		"another key":   rewrite(t, "/v1/users/HospitalA/gateway", func(view *ledger.UserView) { view.Keys[ledger.KeyProxy] = jws }),
		"another proxy": rewrite(t, "/v1/organizations", func(list *ledger.List[ledger.Organization]) { list.Rows[0].Proxy.Pseudonym += "2" }),
	} {
		t.Run(name, func(t *testing.T) {
			betray(t, p.patient, "HospitalA", change)
			_, err := p.patient.Authorize(t.Context(), Authorization{
				Author: ledger.PersonSubject(p.author.identity.User), Policy: DefaultPolicy(ledger.ClassImaging), Expiry: time.Now().Add(time.Hour),
			})
			wantAltered(t, err, "HospitalA")
		})
	}
}

// A majority's word is not enough either: who signed must be who is registered.
func TestOnlyTheRegisteredIdentityKeyStatesAKey(t *testing.T) {
	t.Parallel()
	c := enroll(t, patientOfA)
	p, err := c.person(t.Context(), c.identity.User)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.pinnedKey(p.view.User, c.identity.User, ledger.KeyReceiving); err != nil {
		t.Fatal(err)
	}
	p.view.Keys[ledger.KeyReceiving], err = minted(t, c.identity.User).SignKeyStatement(trust.KeyStatement{
		Kind: ledger.KeyReceiving, Key: newSecret(t).PublicKey().Bytes(), User: c.identity.User, Issued: time.Now().UTC(),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.pinnedKey(p.view.User, c.identity.User, ledger.KeyReceiving)
	wantCode(t, err, fault.Altered)
}

// After a replacement the new device's statements count, and the old one's no more.
func TestSealedToTheKeysAfterAReplacement(t *testing.T) {
	t.Parallel()
	patient, old := enroll(t, patientOfA), enroll(t, physicianOfB)
	before, err := patient.sealingKey(t.Context(), old.identity.User, ledger.KeyReceiving)
	if err != nil {
		t.Fatal(err)
	}
	found := recovered(t, old)
	after, err := patient.sealingKey(t.Context(), old.identity.User, ledger.KeyReceiving)
	if err != nil {
		t.Fatal(err)
	}
	if !after.Issued.After(before.Issued) || string(after.Key) != string(found.keys.receiving().PublicKey().Bytes()) {
		t.Errorf("the statement of %s counts, that of %s was made before", after.Issued, before.Issued)
	}
}

// recovered enrols another device of the user's with the seed of the first, as guardians
// give it back.
func recovered(t *testing.T, old *Client) *Client {
	t.Helper()
	name := ""
	if old.identity.Role.Professional() {
		name = physicianOfB.Name
	}
	invitation, err := network.InviteAgain(t.Context(), old.identity.User, name)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "recovered")
	shares, err := old.SplitSeed(t.Context(), Guardians{Shares: 2, Threshold: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := Recover(dir, []string{string(shares[0].Text), string(shares[1].Text)}, nil); err != nil {
		t.Fatal(err)
	}
	c, err := Enroll(t.Context(), dir, &invitation, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
