package emergency

import (
	"fmt"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/test/people"
	"github.com/pie-consortium/pie/umbral"
)

// short is how long declarations last here, so that one that is declared at a time that
// the ledger still believes is over; ago is that time.
const (
	short = time.Minute
	ago   = 70 * time.Second
)

func TestEndOfADeclaration(t *testing.T) {
	shorten(t)
	t.Run("stops everything", endStopsEverything)
	t.Run("stops a session", endStopsASession)
}

// Everybody's transactions say that they are of a time before the declaration's end: the
// ledger, which believes clocks up to two minutes, allows them, and each proxy refuses by
// its own clock. By the true time the ledger refuses them too.
func endStopsEverything(t *testing.T) {
	by := responder(t, "HospitalC")
	r, desk := deviceOf(t, by), deviceOf(t, the.desk)
	past := func(d *device) *device {
		back := *d
		back.Clock = func() time.Time { return time.Now().Add(-ago) }
		return &back
	}
	arguments := declaring()
	if _, err := past(r).Commit(t.Context(), r.connect(t, "HospitalC"), narrated(arguments)); err != nil {
		t.Fatal(err)
	}
	name := ledger.DeclarationName{Patient: the.patient, Declaration: arguments.Declaration}
	opening := ledger.OpenRecord{
		RecordVersion: ledger.RecordVersion{Record: the.summary, Version: 1}, Grant: the.custodian[the.summary].ID, Declaration: name.Declaration,
	}
	opened := past(desk).open(t, "HospitalB", opening)
	servesNothing(t, desk, opened, fault.BreakGlassRefused)

	issue := issuing(t, desk, r.User, opened)
	if _, err := past(desk).Commit(t.Context(), desk.connect(t, "HospitalB"), issue()); err != nil {
		t.Fatal(err)
	}
	own := ledger.OpenRecord{RecordVersion: opening.RecordVersion, Grant: grantUnder(t, by, name).ID}
	servesNothing(t, r, past(r).open(t, "HospitalC", own), fault.ConsentExpired)

	wantCode(t, desk.open(t, "HospitalB", opening).Decision.Err(), fault.BreakGlassRefused)
	wantCode(t, r.open(t, "HospitalC", own).Decision.Err(), fault.ConsentExpired)
	_, err := desk.Endorse(t.Context(), desk.connect(t, "HospitalB"), issue())
	wantCode(t, err, fault.BreakGlassRefused)
	if covered, err := by.EmergencyRecords(t.Context(), name); err != nil || len(covered) != 0 {
		t.Errorf("after its end it covers %d records, %v", len(covered), err)
	}
	if _, err := the.officer.ReviewEmergency(t.Context(), name, ledger.VerdictJustified, "the patient was unconscious, the ward says so"); err != nil {
		t.Errorf("one that ended by time cannot be reviewed: %v", err)
	}
}

// A responder does nothing but ask all proxies for what they opened, until the emergency is
// over: from then on no proxy answers with a fragment, though the opening is young enough.
func endStopsASession(t *testing.T) {
	attend(t)
	by := responder(t, "HospitalC")
	name := declare(t, by)
	hammers, stop := hammering(t, deviceOf(t, by), opens(t, by, name, summaryText).Open)
	declaration, err := by.Emergency(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	end := declaration.Expiry
	for _, h := range hammers {
		eventually(t, h.msp+" is asked after the end", func() bool { return len(h.since(end)) >= 30 })
	}
	stop()
	for _, h := range hammers {
		after := h.since(end)
		for _, a := range after {
			if code := fault.CodeOf(a.err); a.err == nil || code != fault.ConsentExpired && code != fault.BreakGlassRefused {
				t.Errorf("%s answered %v to a request after the end", h.msp, a.err)
			}
		}
		t.Logf("%s: %d fragments before, %d refusals after the end", h.msp, h.fragments(), len(after))
	}
	err = tryOpening(t, by, name)
	if code := fault.CodeOf(err); err == nil || code != fault.ConsentExpired && code != fault.BreakGlassRefused {
		t.Errorf("after the end: %v", err)
	}
}

// servesNothing wants an opening that the ledger allowed to be refused by every proxy.
func servesNothing(t *testing.T, d *device, opened ledger.Access, want fault.Code) {
	t.Helper()
	if err := opened.Decision.Err(); err != nil {
		t.Fatalf("the ledger refused already, this shows nothing: %v", err)
	}
	for _, o := range network.Organizations {
		gateway := d.connect(t, o.MSP)
		eventually(t, o.MSP+" has the block", func() bool { return has(t.Context(), gateway, opened.Open) })
		_, err := d.Reencrypt(t.Context(), gateway, o.MSP, opened.Record, opened.Open)
		wantCode(t, err, want)
	}
}

// issuing is what the desk signs for the responder; what is sealed is of no matter here.
func issuing(t *testing.T, desk *device, responder ledger.UserID, opened ledger.Access) func() people.Call {
	t.Helper()
	once, err := umbral.GenerateSecretKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	capsule, wrapped, err := umbral.Encrypt(nil, once.PublicKey(), []byte("the file key"))
	if err != nil {
		t.Fatal(err)
	}
	statement, err := desk.Creator.Signer.SignKeyStatement(trust.KeyStatement{
		Kind: ledger.KeyOneTime, Key: once.PublicKey().Bytes(), User: desk.User,
		Record: opened.Record, Version: opened.Version, Issued: time.Now().Add(-ago).UTC(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() people.Call {
		v := ledger.RecordVersion{Record: opened.Record, Version: opened.Version}
		grant := ledger.EmergencyGrantID(opened.Declaration, v, desk.User)
		fragments := ledger.Fragments{ReceivingKey: receivingKey(t, responder), Threshold: ledger.Threshold(len(network.Organizations))}
		var sealed []ledger.SealedFragment
		for _, o := range network.Organizations {
			text := fmt.Appendf(nil, "for %s under %s", o.MSP, grant)
			fragments.Proxies = append(fragments.Proxies, ledger.FragmentDigest{Proxy: o.MSP, SHA256: ledger.DigestOf(text)})
			sealed = append(sealed, ledger.SealedFragment{Grant: grant, Proxy: o.MSP, Salt: ledger.NewSalt(), Sealed: text})
		}
		return people.Call{Transaction: ledger.TxIssueEmergencyGrant, Arguments: ledger.IssueEmergencyGrant{
			RecordVersion: v, Declaration: opened.Declaration,
			Open: opened.Open, Fragments: fragments,
			Key: ledger.OneTimeKey{Key: statement, Capsule: capsule.Bytes(), Wrapped: wrapped},
		}, Private: map[string]any{ledger.TransientFragments: sealed}}
	}
}

// receivingKey is the digest of somebody's key, by their own statement.
func receivingKey(t *testing.T, user ledger.UserID) ledger.Digest {
	t.Helper()
	d := deviceOf(t, the.author)
	view, err := people.Answer[ledger.UserView](d.connect(t, "HospitalA").ReadUser(t.Context(), user.MSP, user.Pseudonym))
	if err != nil {
		t.Fatal(err)
	}
	statement, err := d.Bundle.VerifyKeyStatement(view.Keys[ledger.KeyReceiving], ledger.KeyReceiving, user)
	if err != nil {
		t.Fatal(err)
	}
	return ledger.DigestOf(statement.Key)
}
