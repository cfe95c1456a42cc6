// Package proxy is the gateway's role in threshold proxy re-encryption: for one open,
// asked for by the one who opened, it re-encrypts with its own fragment and forgets it.
package proxy

import (
	"context"
	"errors"
	"time"

	"filippo.io/age"
	"golang.org/x/sync/semaphore"

	"github.com/pie-consortium/pie/gateway/internal/identitykey"
	"github.com/pie-consortium/pie/gateway/internal/revocation"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/umbral"
)

// maxRequestAge bounds how long a signed request may be shown.
const maxRequestAge = 2 * time.Minute

// Proxy is the proxy of one hospital. Release asks the hospital's own peer, which
// answers only for an open that it holds valid and recent, under an active grant, with
// the fragment that the grant commits to.
type Proxy struct {
	Channel string
	MSP     string
	Bundle  *trust.Bundle
	Signer  *trust.Signer // the gateway's identity
	Key     age.Identity  // that fragments are sealed to
	Release func(context.Context, ledger.ReadRelease) (ledger.Release, error)
	Revoked *revocation.List
	// Registered are the identity keys that requests are signed with.
	Registered *identitykey.Keys
	Checks     *semaphore.Weighted // signatures of callers that are checked at the same time
	Now        func() time.Time
}

// Reencrypt answers a signed request with a signed capsule fragment, or with one for each
// segment of a stream that is named.
func (p *Proxy) Reencrypt(ctx context.Context, jws string) (string, error) {
	request, err := p.authenticate(ctx, jws)
	if err != nil {
		return "", err
	}
	release, err := p.Release(ctx, ledger.ReadRelease{Record: request.Record, Open: request.Open, Segments: request.Segments})
	if err != nil {
		return "", err
	}
	if release.Access.User.User != request.caller.User || release.Access.Certificate != request.certificate {
		return "", fault.New(fault.PermissionDenied, "the request must be signed with the key that opened the record")
	}
	if err := p.inTime(release); err != nil {
		return "", err
	}
	answer, err := p.reencrypt(release)
	if err != nil {
		return "", err
	}
	answer.Open, answer.Proxy = request.Open, p.MSP
	return p.Signer.SignReencryption(answer)
}

// request is a re-encryption request with who signed it.
type request struct {
	trust.ReencryptionRequest
	caller      ledger.Identity
	certificate ledger.Digest
}

func (p *Proxy) authenticate(ctx context.Context, jws string) (request, error) {
	if err := p.Checks.Acquire(ctx, 1); err != nil {
		return request{}, fault.New(fault.Overloaded, "too many re-encryptions are being asked for; ask again")
	}
	asked, caller, certificate, err := p.Bundle.VerifyReencryptionRequest(jws, p.Now())
	p.Checks.Release(1)
	if err != nil {
		detail := err.Error()
		if known := (*fault.Error)(nil); errors.As(err, &known) {
			detail = known.Detail
		}
		return request{}, fault.New(fault.Unauthenticated, "%s", detail)
	}
	if asked.Proxy != p.MSP {
		return request{}, fault.New(fault.InvalidArgument, "the request is for another proxy, this is %s", p.MSP)
	}
	if p.Now().Sub(asked.Issued).Abs() > maxRequestAge {
		return request{}, fault.New(fault.Unauthenticated, "the request was not signed within the last %s; check this device's clock", maxRequestAge)
	}
	if err := p.Revoked.Check(caller.User.MSP, certificate.SerialNumber); err != nil {
		return request{}, err
	}
	if err := p.Registered.Check(ctx, caller.User, trust.IdentityKeyDigest(certificate)); err != nil {
		return request{}, err
	}
	return request{asked, caller, trust.CertificateDigest(certificate)}, nil
}

// inTime asks again, by the proxy's own clock, what the peer asked by the time that it was
// told: its answer may have been long on the way.
func (p *Proxy) inTime(release ledger.Release) error {
	now := p.Now()
	if !now.Before(release.Grant.Expiry) {
		return fault.New(fault.ConsentExpired, "grant %s has ended", release.Grant.ID)
	}
	if now.Sub(release.Access.Time).Abs() > ledger.MaxOpenAge {
		return fault.New(fault.StateConflict, "open %s is older than %s; open the record again", release.Access.Open, ledger.MaxOpenAge)
	}
	return nil
}

// reencrypt uses the fragment for all that is released, and says what that is.
func (p *Proxy) reencrypt(release ledger.Release) (trust.Reencryption, error) {
	r := release.Record
	answer := trust.Reencryption{Record: r.ID, Version: r.Version, Grant: release.Grant.ID}
	keyFrag, err := p.openFragment(release)
	if err != nil {
		return answer, err
	}
	if !r.Stream {
		answer.Reencrypted, err = transform(keyFrag, trust.Reencrypted{Capsule: capsuleOf(release), SHA256: r.SHA256, Commitment: r.Commitment})
		return answer, err
	}
	for _, s := range release.Segments {
		segment, err := transform(keyFrag, trust.Reencrypted{
			Number: s.Number, Capsule: s.Capsule, SHA256: s.SHA256, Commitment: s.Commitment,
		})
		if err != nil {
			return answer, err
		}
		answer.Segments = append(answer.Segments, segment)
	}
	return answer, nil
}

// transform re-encrypts one capsule.
func transform(keyFrag *umbral.VerifiedKeyFrag, of trust.Reencrypted) (trust.Reencrypted, error) {
	capsule, err := umbral.ParseCapsule(of.Capsule)
	if err != nil {
		return of, fault.New(fault.FragmentInvalid, "the record's capsule is malformed")
	}
	capsuleFrag, err := umbral.Reencrypt(nil, capsule, keyFrag)
	if err != nil {
		return of, fault.New(fault.FragmentInvalid, "the record's capsule does not verify")
	}
	of.CapsuleFrag = capsuleFrag.Bytes()
	return of, nil
}

// openFragment opens and checks the fragment, which lives no longer than its use.
func (p *Proxy) openFragment(release ledger.Release) (*umbral.VerifiedKeyFrag, error) {
	envelope, err := trust.OpenKeyFrag(release.Sealed, p.Key)
	if err != nil {
		return nil, fault.New(fault.FragmentInvalid, "%s", err)
	}
	if err := p.checkUse(envelope, release); err != nil {
		return nil, err
	}
	keys, err := p.readKeys(release)
	if err != nil {
		return nil, err
	}
	unverified, err := umbral.ParseKeyFragMsgpack(envelope.KeyFrag)
	if err != nil {
		return nil, fault.New(fault.FragmentInvalid, "the key fragment is malformed")
	}
	keyFrag, err := unverified.Verify(keys.verifying, keys.record, keys.receiving)
	if err != nil {
		return nil, fault.New(fault.FragmentInvalid, "the key fragment does not verify with the patient's, the record's and the grantee's keys")
	}
	return keyFrag, nil
}

// checkUse refuses a fragment that was sealed for any other use than this one.
func (p *Proxy) checkUse(envelope trust.KeyFragEnvelope, release ledger.Release) error {
	same := envelope.Channel == p.Channel && envelope.Proxy == p.MSP &&
		envelope.Record == release.Record.ID && envelope.Version == release.Record.Version &&
		envelope.Grant == release.Grant.ID && envelope.Grantee == release.Grant.Grantee
	if !same {
		return fault.New(fault.FragmentInvalid, "the key fragment was sealed for another record, grant, grantee or proxy")
	}
	return nil
}

// capsuleOf is what is re-encrypted: the record's capsule or, of an emergency grant, the
// one that its custodian wrapped the file key with.
func capsuleOf(release ledger.Release) []byte {
	if release.Grant.OneTimeKey != nil {
		return release.Grant.OneTimeKey.Capsule
	}
	return release.Record.Capsule
}
