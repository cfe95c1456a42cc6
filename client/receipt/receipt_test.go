package receipt

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

func TestAReceiptProvesItsAccess(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*scene){
		"as it is":                   func(*scene) {},
		"refused":                    func(s *scene) { s.refuse() },
		"with no word of hospitals":  func(s *scene) { s.commit = nil },
		"with all ordering nodes":    func(s *scene) { s.orderers = append(s.orderers, signing{4, w.orderers[3]}) },
		"with an ordering node more": func(s *scene) { s.orderers = append(s.orderers, signing{9, w.outsider}) },
		"with all endorsers":         func(s *scene) { s.endorsers = append(s.endorsers, w.peers["HospitalB"]) },
		"told in another zone":       func(s *scene) { s.shown.Time = s.shown.Time.In(time.FixedZone("JST", 9*3600)) },
		// What somebody could add to their own transaction so that no receipt proves it.
		"with an endorsement of no member": func(s *scene) { s.endorsers = append(s.endorsers, w.outsider) },
		"with unknown fields":              func(s *scene) { s.unknown = true },
		"with its envelope twice":          func(s *scene) { s.twice = [][]byte{s.envelope()} },
		"behind a bad one of its ID": func(s *scene) {
			bad := *s
			bad.endorsers = nil
			s.twice = [][]byte{bad.envelope()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := w.newScene()
			change(s)
			proof, err := s.receipt().Verify(w.bundle)
			if err != nil {
				t.Fatal(err)
			}
			if proof.Block != 7 || !slices.Contains(proof.Endorsers, "HospitalA") || len(proof.Orderers) < 3 || proof.Orderers[0] != "HospitalA" {
				t.Errorf("proof %+v", proof)
			}
		})
	}
}

// refuse makes the access one that the ledger refused.
func (s *scene) refuse() {
	s.written.Decision = ledger.Decision{Code: fault.ConsentExpired, Rule: "grant-end"}
	s.shown.Decision = s.written.Decision
}

// reasons are words of what the checks of each subject say.
var reasons = map[string]string{
	"header": "ordering nodes", "orderers": "ordering nodes", "data": "header fixes", "block": "has no transaction",
	"signature": "signature of", "creator": "creator", "name": "was made by", "endorsers": "endorsed",
	"channel": "channel", "chaincode": "chaincode", "writes": "no such entry", "entry": "entry", "commit": "hospitals say",
}

func TestForgedReceiptsProveNothing(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*scene){
		"header: the block's number is another":         func(s *scene) { s.header = func(h *common.BlockHeader) { h.Number = 8 } },
		"header: the block before is another":           func(s *scene) { s.header = func(h *common.BlockHeader) { h.PreviousHash[0]++ } },
		"data: the data hash is another":                func(s *scene) { s.before = func(h *common.BlockHeader) { h.DataHash[0]++ } },
		"data: a transaction was changed":               func(s *scene) { s.data = func(d *common.BlockData) { d.Data[1][0]++ } },
		"data: a transaction was added":                 func(s *scene) { s.data = func(d *common.BlockData) { d.Data = append(d.Data, []byte("x")) } },
		"data: the transaction was taken out":           func(s *scene) { s.data = func(d *common.BlockData) { d.Data = d.Data[1:] } },
		"block: it is another transaction's":            func(s *scene) { s.shown.Open = strings.Repeat("0", 64) },
		"orderers: below the quorum":                    func(s *scene) { s.orderers = s.orderers[:2] },
		"orderers: none":                                func(s *scene) { s.orderers = nil },
		"orderers: one signed twice":                    func(s *scene) { s.orderers[2] = s.orderers[1] },
		"orderers: one signed as another":               func(s *scene) { s.orderers[2].by = w.orderers[1] },
		"orderers: one is not in the bundle":            func(s *scene) { s.orderers[2] = signing{5, w.orderers[2]} },
		"orderers: one is somebody else":                func(s *scene) { s.orderers[2].by = w.outsider },
		"orderers: they signed another configuration":   func(s *scene) { s.metadata = func([]byte) []byte { return []byte("other") } },
		"signature: somebody else signed":               func(s *scene) { s.signer = w.colleague },
		"creator: the ID is not of this creator":        func(s *scene) { s.creator, s.signer = w.colleague, w.colleague },
		"creator: the ID is not of this nonce":          func(s *scene) { s.nonce = []byte("another nonce, which is longer") },
		"name: the entry names somebody else":           func(s *scene) { s.rename("kim") },
		"name: the entry tells of another role":         func(s *scene) { s.written.User.Role = ledger.RoleInsurer; s.shown = s.written },
		"name: the entry names another certificate":     func(s *scene) { s.written.Certificate[0]++; s.shown = s.written },
		"endorsers: below the majority":                 func(s *scene) { s.endorsers = s.endorsers[:1] },
		"endorsers: one member twice":                   func(s *scene) { s.endorsers[1] = s.endorsers[0] },
		"endorsers: one is of no member":                func(s *scene) { s.endorsers[1] = w.outsider },
		"endorsers: one claims to be of a member":       func(s *scene) { s.endorsers[1] = w.posing("HospitalC") },
		"endorsers: one is not a peer":                  func(s *scene) { s.endorsers[1] = w.user },
		"endorsers: they signed something else":         func(s *scene) { s.response = []byte("something else") },
		"endorsers: they endorsed another proposal":     func(s *scene) { s.proposal = []byte("another proposal") },
		"endorsers: they endorsed a failure":            func(s *scene) { s.status = 500 },
		"endorsers: their certificates were over":       func(s *scene) { s.at(time.Now().Add(2 * time.Hour)) },
		"channel: it is another":                        func(s *scene) { s.channel = "other" },
		"chaincode: it is another":                      func(s *scene) { s.chaincode = "other" },
		"writes: into another chaincode's name space":   func(s *scene) { s.namespace = "other" },
		"writes: the row is missing":                    func(s *scene) { s.key = accessKey(s.written.Record, strings.Repeat("0", 64)) },
		"writes: the row is another record's":           func(s *scene) { s.key = accessKey(ledger.NewID(), s.written.Open) },
		"writes: the row is deleted":                    func(s *scene) { s.removed = true },
		"entry: shown as refused":                       func(s *scene) { s.shown.Decision = ledger.Decision{Code: fault.PermissionDenied, Rule: "grant"} },
		"entry: shown as allowed, and was refused":      func(s *scene) { shown := s.shown; s.refuse(); s.shown = shown },
		"entry: shown with another purpose":             func(s *scene) { s.shown.Purpose = ledger.PurposeResearch },
		"entry: shown at another time":                  func(s *scene) { s.shown.Time = s.shown.Time.Add(time.Second) },
		"entry: shown under another grant":              func(s *scene) { s.shown.Grant = ledger.NewID() },
		"entry: shown under another request":            func(s *scene) { s.shown.Request = "" },
		"entry: shown of another record":                func(s *scene) { s.shown.Record = ledger.NewID() },
		"entry: shown of another version":               func(s *scene) { s.shown.Version = 2 },
		"commit: the hospitals say it took no effect":   func(s *scene) { s.commit.Code = "MVCC_READ_CONFLICT" },
		"commit: the hospitals say it is in another":    func(s *scene) { s.commit.Block = 6 },
		"commit: the hospitals say it was a repetition": func(s *scene) { s.commit.Code = "DUPLICATE_TXID" },
	} {
		t.Run(name, func(t *testing.T) {
			s := w.newScene()
			change(s)
			proof, err := s.receipt().Verify(w.bundle)
			subject, _, _ := strings.Cut(name, ":")
			if fault.CodeOf(err) != fault.Altered || !strings.Contains(err.Error(), reasons[subject]) {
				t.Errorf("got %+v, %v, want a word of %q", proof, err, reasons[subject])
			}
		})
	}
}

// rename makes ledger and receipt name somebody else than the creator.
func (s *scene) rename(pseudonym string) {
	s.written.User.User.Pseudonym = pseudonym
	s.shown = s.written
}

// at is when the transaction was made.
func (s *scene) at(when time.Time) {
	s.written.Time, s.shown.Time = when.UTC(), when.UTC()
}

// posing is an outsider who says that they are a member's peer.
func (w *world) posing(mspID string) *holder {
	posing := *w.outsider
	posing.msp = mspID
	return &posing
}

func TestARepeatedAnswerIsNoProofOfAnother(t *testing.T) {
	w := newWorld(t)
	first, second := w.newScene(), w.newScene()
	second.nonce = []byte("another nonce, which is longer")
	receipt := first.receipt()
	receipt.Access = second.written
	if _, err := receipt.Verify(w.bundle); fault.CodeOf(err) != fault.Altered {
		t.Error(err)
	}
}

func TestBytesThatAreNoBlock(t *testing.T) {
	w := newWorld(t)
	for _, text := range [][]byte{nil, {}, []byte("junk"), {0x0a, 0x00}} {
		r := w.newScene().receipt()
		r.Block = text
		if _, err := r.Verify(w.bundle); fault.CodeOf(err) != fault.Altered {
			t.Errorf("%x: %v", text, err)
		}
	}
}

func TestOldBundlesAskForANewInvitation(t *testing.T) {
	w := newWorld(t)
	old := *w.bundle
	old.Orderers = nil
	_, err := w.newScene().receipt().Verify(&old)
	if fault.CodeOf(err) != fault.StateConflict || !strings.Contains(err.Error(), "ask for a new invitation") {
		t.Error(err)
	}
}

func TestQuorum(t *testing.T) {
	for nodes, want := range []int{1: 1, 2: 2, 3: 2, 4: 3, 5: 4, 6: 4, 7: 5, 10: 7} {
		if nodes > 0 && want > 0 && quorum(nodes) != want {
			t.Errorf("quorum of %d: %d, want %d", nodes, quorum(nodes), want)
		}
	}
}

// The file in testdata is of a network of real nodes: three hospitals, four ordering nodes.
func TestAReceiptOfARealNetwork(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "receipt.json"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := trust.LoadBundle(filepath.Join("testdata", "bundle.json"))
	if err != nil {
		t.Fatal(err)
	}
	proof, err := r.Verify(bundle)
	if err != nil || proof.Block != r.Commit.Block || len(proof.Orderers) < 3 || len(proof.Endorsers) < 2 {
		t.Fatalf("%+v, %v", proof, err)
	}
	if card, known := r.Who(bundle); !known || card.User != r.Access.User.User {
		t.Errorf("card %+v", card)
	}
	for i := range r.Block { // no bit of what is signed can change
		if i%17 != 0 {
			continue
		}
		spoilt := r
		spoilt.Block = slices.Clone(r.Block)
		spoilt.Block[i] ^= 1
		if got, err := spoilt.Verify(bundle); err == nil && got.Header != proof.Header {
			t.Errorf("byte %d: %+v", i, got)
		}
	}
}

func TestParse(t *testing.T) {
	r := newWorld(t).newScene().receipt()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := Parse(text); err != nil || !same(back.Access, r.Access) || string(back.Block) != string(r.Block) {
		t.Errorf("%+v, %v", back, err)
	}
	for _, text := range []string{"", "[]", `{"block": 7}`, `{"access": {"open": []}}`, "{} {}"} {
		if _, err := Parse([]byte(text)); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("%q: %v", text, err)
		}
	}
}
