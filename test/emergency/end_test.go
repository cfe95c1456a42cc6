package emergency

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/network/networktest"
	"github.com/pie-consortium/pie/test/people"
	"github.com/pie-consortium/pie/umbral"
)

// short is how long declarations last here, so that one that is declared at a time that
// the ledger still believes is over; ago is that time.
const (
	short = time.Minute
	ago   = 70 * time.Second
)

// Everybody's transactions say that they are of a time before the declaration's end: the
// ledger, which believes clocks up to two minutes, allows them, and each proxy refuses by
// its own clock. By the true time the ledger refuses them too. It is the last test, as it
// restarts the hospitals' chaincode with shorter emergencies.
func TestZEndOfADeclarationStopsEverything(t *testing.T) {
	shorten(t)
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
		RecordVersion: ledger.RecordVersion{Record: the.summary, Version: 1}, Grant: the.custody[the.summary].Grant, Declaration: name.Declaration,
	}
	opened := past(desk).open(t, "HospitalB", opening)
	servesNothing(t, desk, opened, fault.BreakGlassRefused)

	issue := issuing(t, desk, r.User, opened)
	if _, err := past(desk).Commit(t.Context(), desk.connect(t, "HospitalB"), issue()); err != nil {
		t.Fatal(err)
	}
	own := ledger.OpenRecord{RecordVersion: opening.RecordVersion, Grant: grantUnder(t, by, name).Grant}
	servesNothing(t, r, past(r).open(t, "HospitalC", own), fault.ConsentExpired)

	wantCode(t, desk.open(t, "HospitalB", opening).Decision.Err(), fault.BreakGlassRefused)
	wantCode(t, r.open(t, "HospitalC", own).Decision.Err(), fault.ConsentExpired)
	_, err := desk.Endorse(t.Context(), desk.connect(t, "HospitalB"), issue())
	wantCode(t, err, fault.BreakGlassRefused)
	if covered, err := by.EmergencyRecords(t.Context(), name); err != nil || len(covered) != 0 {
		t.Errorf("after its end it covers %d records, %v", len(covered), err)
	}
	if _, err := the.officer.ReviewEmergency(t.Context(), name, ledger.Justified, "the patient was unconscious, the ward says so"); err != nil {
		t.Errorf("one that ended by time cannot be reviewed: %v", err)
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
		Kind: ledger.OneGrantKey, Key: once.PublicKey().Bytes(), User: desk.User,
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
			Key: ledger.EmergencyKey{Key: statement, Capsule: capsule.Bytes(), Wrapped: wrapped},
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
	statement, err := d.Bundle.VerifyKeyStatement(view.Keys[ledger.ReceivingKey], ledger.ReceivingKey, user)
	if err != nil {
		t.Fatal(err)
	}
	return ledger.DigestOf(statement.Key)
}

// shorten restarts the hospitals' chaincode, built from the same source but for how long
// an emergency lasts.
func shorten(t *testing.T) {
	t.Helper()
	source, err := filepath.Abs("../../ledger/breakglass.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	constant := regexp.MustCompile(`MaxEmergency = [^\n]+`)
	if len(constant.FindAll(text, -1)) != 1 {
		t.Fatal("how long an emergency lasts is said elsewhere now")
	}
	dir := t.TempDir()
	changed, overlay, program := filepath.Join(dir, "breakglass.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "pie-chaincode")
	replaced, err := json.Marshal(map[string]any{"Replace": map[string]string{source: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string][]byte{
		changed: constant.ReplaceAll(text, fmt.Appendf(nil, "MaxEmergency = %d * time.Second", short/time.Second)), overlay: replaced,
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", program, "../../chaincode")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the chaincode: %v\n%s", err, output)
	}
	for _, o := range network.Organizations {
		replace(t, o.Chaincode, program)
	}
}

// replace restarts a node with another program in the place of its own.
func replace(t *testing.T, node, program string) {
	t.Helper()
	nodes := network.Nodes()
	i := slices.IndexFunc(nodes, func(n networktest.Node) bool { return n.Name == node })
	running, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", nodes[i].PID))
	if err != nil {
		t.Fatal(err)
	}
	if err := network.Kill(node); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(filepath.Dir(running), "pie-chaincode") // whose name has a suffix once it is replaced
	text, err := os.ReadFile(program)
	if err == nil {
		err = os.WriteFile(own+".new", text, 0o700) //nolint:gosec // a program is executable
	}
	if err == nil {
		err = os.Rename(own+".new", own)
	}
	if err == nil {
		err = network.Start(node)
	}
	if err != nil {
		t.Fatal(err)
	}
}
