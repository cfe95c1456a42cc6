package emergency

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/internal/direct"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/network/networktest"
	"github.com/pie-consortium/pie/test/people"
	"github.com/pie-consortium/pie/umbral"
	"github.com/pie-consortium/pie/umbral/agefile"
)

// An adversary has taken hospital B: its peer's disk, its gateway's keys, its IPFS node, and
// the entrusted desk with all that is in its home. That is one fragment of two, and opens
// nothing. With a second hospital's key it would: nothing else is missing.
func TestDisksAndKeysOfOneHospitalOpenNothing(t *testing.T) {
	custodian := the.custodian[the.record]
	keys := keysOf(t, custodian)
	ciphertext := fromNode(t, organization(t, "HospitalB"), keys.record.CID)
	found := fragmentsOnDisk(t, "HospitalB", custodian)
	own, other := proxyKey(t, "HospitalB"), proxyKey(t, "HospitalA")
	if len(found) != len(network.Organizations) {
		t.Fatalf("the peer's disk has %d fragments: this shows nothing", len(found))
	}
	for proxy, sealed := range found {
		if _, err := trust.OpenKeyFrag(sealed, own); (err == nil) != (proxy == "HospitalB") {
			t.Errorf("with HospitalB's key the fragment for %s opens: %v", proxy, err)
		}
	}
	first, again := keys.reencrypt(t, found["HospitalB"], own), keys.reencrypt(t, found["HospitalB"], own)
	for _, has := range [][]*umbral.VerifiedCapsuleFrag{nil, {first}, {first, again}} {
		if text, err := keys.open(ciphertext, has...); err == nil {
			t.Errorf("%d fragments of one hospital open %q", len(has), text)
		}
	}
	text, err := keys.open(ciphertext, first, keys.reencrypt(t, found["HospitalA"], other))
	if err != nil || !bytes.HasSuffix(text, recordText) {
		t.Errorf("two hospitals do not open it either, which shows nothing: %q, %v", text, err)
	}
}

// A hospital runs a gateway and chaincode without their checks: it re-encrypts for who
// should have nothing, and that is one fragment of two. The others refuse.
func TestGatewayWithoutChecksGivesNothingAwayAlone(t *testing.T) {
	disarm(t, organization(t, "HospitalB"))
	custodian := the.custodian[the.record]
	keys := keysOf(t, custodian)
	desk, stranger := deviceOf(t, the.desk), deviceOf(t, responder(t, "HospitalB"))
	opened := desk.open(t, "HospitalA", ledger.OpenRecord{
		RecordVersion: ledger.RecordVersion{Record: the.record, Version: 1}, Grant: custodian.ID,
	})
	wantCode(t, opened.Decision.Err(), fault.BreakGlassRefused)
	var given []*umbral.VerifiedCapsuleFrag
	for _, o := range network.Organizations {
		gateway := desk.connect(t, o.MSP)
		eventually(t, o.MSP+" has the block", func() bool { return has(t.Context(), gateway, opened.Open) })
		for _, d := range []*device{desk, stranger} {
			answer, err := d.Reencrypt(t.Context(), d.connect(t, o.MSP), o.MSP, the.record, opened.Open)
			if o.MSP != "HospitalB" {
				wantCode(t, err, fault.BreakGlassRefused)
				continue
			}
			if err != nil {
				t.Fatalf("the gateway still checks something: %v", err)
			}
			given = append(given, keys.given(t, answer, o.MSP))
		}
	}
	ciphertext := fromNode(t, organization(t, "HospitalB"), keys.record.CID)
	if text, err := keys.open(ciphertext, given...); err == nil {
		t.Errorf("what one gateway gave opens %q", text)
	}
	_, err := the.desk.Open(t.Context(), the.record, 0, filepath.Join(t.TempDir(), "out"))
	wantCode(t, err, fault.BreakGlassRefused)
}

// keys are what verifies and opens what proxies make of a custodian's grant.
type keys struct {
	record                         ledger.Record
	capsule                        *umbral.Capsule
	delegating, verifying, granted *umbral.PublicKey
	receiving                      *umbral.SecretKey // the desk's own, from its home
}

func keysOf(t *testing.T, grant ledger.Grant) keys {
	t.Helper()
	d := deviceOf(t, the.desk)
	gateway := d.connect(t, "HospitalB")
	view, err := people.Answer[ledger.RecordView](gateway.ReadRecord(t.Context(), grant.Record, &api.ReadRecordParams{}))
	if err != nil {
		t.Fatal(err)
	}
	patient, err := people.Answer[ledger.UserView](gateway.ReadUser(t.Context(), the.patient.MSP, the.patient.Pseudonym))
	if err != nil {
		t.Fatal(err)
	}
	k := keys{record: view.Record}
	for statement, into := range map[string]**umbral.PublicKey{view.RecordKey: &k.delegating, patient.Keys[ledger.KeyVerifying]: &k.verifying} {
		stated, err := trust.PeekKeyStatement(statement)
		if err == nil {
			*into, err = umbral.ParsePublicKey(stated.Key)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if k.capsule, err = umbral.ParseCapsule(view.Capsule); err != nil {
		t.Fatal(err)
	}
	k.receiving = receivingSecret(t, the.home(d.User))
	k.granted = k.receiving.PublicKey()
	return k
}

// receivingSecret derives the key that records are re-encrypted to, as the SDK does.
func receivingSecret(t *testing.T, home string) *umbral.SecretKey {
	t.Helper()
	var kept struct{ Seed []byte }
	text, err := os.ReadFile(filepath.Join(home, "keys.json"))
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil {
		t.Fatal(err)
	}
	factory, err := umbral.NewSecretKeyFactory(kept.Seed)
	if err != nil {
		t.Fatal(err)
	}
	return factory.SecretKey([]byte("receiving"))
}

// reencrypt does a proxy's work without one.
func (k keys) reencrypt(t *testing.T, sealed []byte, key age.Identity) *umbral.VerifiedCapsuleFrag {
	t.Helper()
	envelope, err := trust.OpenKeyFrag(sealed, key)
	if err != nil {
		t.Fatal(err)
	}
	unverified, err := umbral.ParseKeyFragMsgpack(envelope.KeyFrag)
	if err != nil {
		t.Fatal(err)
	}
	kfrag, err := unverified.Verify(k.verifying, k.delegating, k.granted)
	if err != nil {
		t.Fatal(err)
	}
	cfrag, err := umbral.Reencrypt(nil, k.capsule, kfrag)
	if err != nil {
		t.Fatal(err)
	}
	return cfrag
}

// given is the fragment in a proxy's answer.
func (k keys) given(t *testing.T, answer api.Reencryption, msp string) *umbral.VerifiedCapsuleFrag {
	t.Helper()
	bundle := deviceOf(t, the.desk).Bundle
	told, err := bundle.VerifyReencryption(answer.Reencryption, msp)
	if err != nil {
		t.Fatal(err)
	}
	unverified, err := umbral.ParseCapsuleFrag(told.CapsuleFrag)
	if err != nil {
		t.Fatal(err)
	}
	cfrag, err := unverified.Verify(k.capsule, k.verifying, k.delegating, k.granted)
	if err != nil {
		t.Fatal(err)
	}
	return cfrag
}

// open tries to decrypt: 32 random bytes, and what the record says.
func (k keys) open(ciphertext []byte, cfrags ...*umbral.VerifiedCapsuleFrag) ([]byte, error) {
	plain, err := age.Decrypt(bytes.NewReader(ciphertext), agefile.NewReencryptedIdentity(k.receiving, k.delegating, cfrags))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(plain)
}

func organization(t *testing.T, msp string) networktest.Organization {
	t.Helper()
	o, err := network.Organization(msp)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// fromNode takes a content from a hospital's own IPFS node.
func fromNode(t *testing.T, o networktest.Organization, cid string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, o.IPFSAPI+"/api/v0/cat?"+url.Values{"arg": {cid}}.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := direct.Client(http.DefaultTransport).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %.200s, %v", response.Status, text, err)
	}
	return text
}

// proxyKey is the key that a gateway keeps on its disk.
func proxyKey(t *testing.T, msp string) age.Identity {
	t.Helper()
	dir, err := network.Dir(organization(t, msp).Gateway)
	if err != nil {
		t.Fatal(err)
	}
	key := findFile(t, dir, "proxy.key")
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	identity, err := age.ParseHybridIdentity(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

// findFile is the one file or folder of a name below a directory.
func findFile(t *testing.T, dir, name string) (path string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(at string, entry os.DirEntry, err error) error {
		if err == nil && entry.Name() == name {
			path = at
		}
		return err
	})
	if err != nil || path == "" {
		t.Fatalf("no %s in %s: %v", name, dir, err)
	}
	return path
}

// fragmentsOnDisk reads a grant's sealed fragments, by proxy, from the state database of a
// hospital's peer, which does not run meanwhile.
func fragmentsOnDisk(t *testing.T, msp string, grant ledger.Grant) map[string][]byte {
	t.Helper()
	peer := organization(t, msp).Peers[0]
	dir, err := network.Dir(peer)
	if err != nil {
		t.Fatal(err)
	}
	if err := network.Stop(peer); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := network.Start(peer); err != nil {
			t.Error(err)
		}
	}()
	db, err := leveldb.OpenFile(findFile(t, dir, "stateLeveldb"), &opt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	found := map[string][]byte{}
	rows := db.NewIterator(nil, nil)
	defer rows.Release()
	for rows.Next() {
		if !bytes.Contains(rows.Key(), fmt.Appendf(nil, "$$p%s\x00fragment/", ledger.FragmentsCollection)) || !bytes.Contains(rows.Key(), []byte(grant.ID)) {
			continue
		}
		var fragment ledger.SealedFragment
		begin := max(bytes.IndexByte(rows.Value(), '{'), 0) // behind the version
		if err := json.NewDecoder(bytes.NewReader(rows.Value()[begin:])).Decode(&fragment); err != nil {
			t.Fatalf("row %q: %v", rows.Key(), err)
		}
		found[fragment.Proxy] = fragment.Sealed
	}
	if err := rows.Error(); err != nil {
		t.Fatal(err)
	}
	return found
}
