package proposal_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"testing"
	"time"

	"crypto/ecdsa"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/ledger"
)

var asked = proposal.Invocation{
	Channel: "pie", Transaction: ledger.TxRequestAccess,
	Arguments: json.RawMessage(`{"record":"a","version":1,"purpose":"TREAT"}`),
	Transient: map[string][]byte{"one": []byte("1"), "two": []byte("2"), "three": []byte("3")},
}

func newProposal(t testing.TB, c *consortium) *proposal.Proposal {
	t.Helper()
	p, err := proposal.New(c.user, asked, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOwnProposalPassesTheCheck(t *testing.T) {
	c := newConsortium(t)
	p := newProposal(t, c)
	got, err := proposal.Check(p.Bytes, c.user, asked, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if got.TransactionID != p.TransactionID || !bytes.Equal(got.Bytes, p.Bytes) {
		t.Error("the check returned another proposal")
	}
}

func TestTransactionIDIsBoundToNonceAndCreator(t *testing.T) {
	c := newConsortium(t)
	p := newProposal(t, c)
	parts := open(t, p.Bytes)
	sum := sha256.Sum256(append(parts.signature.Nonce, parts.signature.Creator...))
	if want := hex.EncodeToString(sum[:]); p.TransactionID != want || parts.channel.TxId != want {
		t.Errorf("got %s and %s in the header, want %s", p.TransactionID, parts.channel.TxId, want)
	}
	if again := newProposal(t, c); again.TransactionID == p.TransactionID {
		t.Error("two proposals have the same ID")
	}
}

func TestOtherSpellingOfTheSameArgumentsPasses(t *testing.T) {
	c := newConsortium(t)
	parts := open(t, newProposal(t, c).Bytes)
	parts.args([]byte("RequestAccess"), []byte(`{ "purpose": "TREAT", "version": 1, "record": "a" }`))
	text := parts.close(t)
	p, err := proposal.Check(text, c.user, asked, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.CheckEnvelope(c.envelopeOf(t, p).bytes(t), c.bundle); err != nil {
		t.Errorf("its envelope: %v", err)
	}
}

// parts is a proposal that tests spoil.
type parts struct {
	whole     peer.Proposal
	header    common.Header
	channel   common.ChannelHeader
	signature common.SignatureHeader
	payload   peer.ChaincodeProposalPayload
	input     peer.ChaincodeInvocationSpec
}

func open(t testing.TB, text []byte) *parts {
	t.Helper()
	p := &parts{}
	unmarshal(t, text, &p.whole)
	unmarshal(t, p.whole.Header, &p.header)
	unmarshal(t, p.header.ChannelHeader, &p.channel)
	unmarshal(t, p.header.SignatureHeader, &p.signature)
	unmarshal(t, p.whole.Payload, &p.payload)
	unmarshal(t, p.payload.Input, &p.input)
	return p
}

func (p *parts) close(t testing.TB) []byte {
	t.Helper()
	p.header.ChannelHeader = marshal(t, &p.channel)
	p.header.SignatureHeader = marshal(t, &p.signature)
	p.payload.Input = marshal(t, &p.input)
	p.whole.Header, p.whole.Payload = marshal(t, &p.header), marshal(t, &p.payload)
	return marshal(t, &p.whole)
}

func (p *parts) args(args ...[]byte) { p.input.ChaincodeSpec.Input.Args = args }

// nonce replaces the nonce and makes the transaction ID fit.
func (p *parts) nonce(nonce []byte) {
	p.signature.Nonce = nonce
	sum := sha256.Sum256(append(bytes.Clone(nonce), p.signature.Creator...))
	p.channel.TxId = hex.EncodeToString(sum[:])
}

// unknown adds a field that the message does not describe.
func unknown(m proto.Message) {
	extra := protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1)
	m.ProtoReflect().SetUnknown(extra)
}

// forgedProposals spoil a proposal in every way there is.
func forgedProposals(t testing.TB) map[string]func(*parts) {
	foreign := open(t, newProposal(t, newConsortium(t)).Bytes)
	arguments := []byte(asked.Arguments)
	call := []byte(asked.Transaction)
	return map[string]func(*parts){
		"another channel":       func(p *parts) { p.channel.ChannelId = "other" },
		"another type":          func(p *parts) { p.channel.Type = int32(common.HeaderType_CONFIG_UPDATE) },
		"another ID":            func(p *parts) { p.channel.TxId = foreign.channel.TxId },
		"an epoch":              func(p *parts) { p.channel.Epoch = 1 },
		"another chaincode":     func(p *parts) { p.channel.Extension = extension(t, "lscc") },
		"an old time":           func(p *parts) { p.channel.Timestamp = timestamppb.New(time.Now().Add(-time.Hour)) },
		"a future time":         func(p *parts) { p.channel.Timestamp = timestamppb.New(time.Now().Add(time.Hour)) },
		"no time":               func(p *parts) { p.channel.Timestamp = nil },
		"another creator":       func(p *parts) { p.signature.Creator = foreign.signature.Creator },
		"a short nonce":         func(p *parts) { p.nonce([]byte{1}) },
		"another chaincode run": func(p *parts) { p.input.ChaincodeSpec.ChaincodeId.Name = "lscc" },
		"another type of code":  func(p *parts) { p.input.ChaincodeSpec.Type = peer.ChaincodeSpec_JAVA },
		"another function":      func(p *parts) { p.args([]byte("GrantAccess"), arguments) },
		"another argument":      func(p *parts) { p.args(call, []byte(`{"record":"b","version":1,"purpose":"TREAT"}`)) },
		"an argument more":      func(p *parts) { p.args(call, arguments, []byte("{}")) },
		"no argument":           func(p *parts) { p.args(call) },
		"a name more":           func(p *parts) { p.args(call, []byte(`{"record":"a","version":1,"purpose":"TREAT","x":1}`)) },
		"a name twice":          func(p *parts) { p.args(call, []byte(`{"record":"b","version":1,"purpose":"TREAT","record":"a"}`)) },
		"a name in other case":  func(p *parts) { p.args(call, []byte(`{"Record":"b","version":1,"purpose":"TREAT","record":"a"}`)) },
		"two values":            func(p *parts) { p.args(call, append(bytes.Clone(arguments), arguments...)) },
		"another transient":     func(p *parts) { p.payload.TransientMap["one"] = []byte("x") },
		"a transient more":      func(p *parts) { p.payload.TransientMap["x"] = []byte("x") },
		"a transient less":      func(p *parts) { delete(p.payload.TransientMap, "one") },
		"an extension":          func(p *parts) { p.whole.Extension = []byte("x") },
		"unknown in proposal":   func(p *parts) { unknown(&p.whole) },
		"unknown in header":     func(p *parts) { unknown(&p.header) },
		"unknown in channel":    func(p *parts) { unknown(&p.channel) },
		"unknown in signature":  func(p *parts) { unknown(&p.signature) },
		"unknown in payload":    func(p *parts) { unknown(&p.payload) },
		"unknown in input":      func(p *parts) { unknown(&p.input) },
		"unknown in spec":       func(p *parts) { unknown(p.input.ChaincodeSpec) },
		"unknown in arguments":  func(p *parts) { unknown(p.input.ChaincodeSpec.Input) },
		"unknown in time":       func(p *parts) { unknown(p.channel.Timestamp) },
	}
}

func TestForgedProposalsAreRefused(t *testing.T) {
	c := newConsortium(t)
	for name, spoil := range forgedProposals(t) {
		t.Run(name, func(t *testing.T) {
			p := open(t, newProposal(t, c).Bytes)
			p.payload.TransientMap = maps.Clone(p.payload.TransientMap)
			spoil(p)
			if _, err := proposal.Check(p.close(t), c.user, asked, time.Now()); !errors.Is(err, proposal.ErrForged) {
				t.Errorf("got %v, want %v", err, proposal.ErrForged)
			}
		})
	}
}

func extension(t testing.TB, chaincode string) []byte {
	return marshal(t, &peer.ChaincodeHeaderExtension{ChaincodeId: &peer.ChaincodeID{Name: chaincode}})
}

func TestHonestEnvelopeYieldsTheResult(t *testing.T) {
	c := newConsortium(t)
	p := newProposal(t, c)
	result, err := p.CheckEnvelope(c.envelopeOf(t, p).bytes(t), c.bundle)
	if err != nil {
		t.Fatal(err)
	}
	if string(result) != `{"done":true}` {
		t.Errorf("got %s", result)
	}
}

// forgedEnvelopes spoil what an envelope carries.
func forgedEnvelopes(t testing.TB, c *consortium) map[string]func(*envelope) {
	foreign := c.envelopeOf(t, newProposal(t, c))
	return map[string]func(*envelope){
		"another transaction's":   func(e *envelope) { *e = *foreign },
		"another's header":        func(e *envelope) { e.header = foreign.header },
		"another's action header": func(e *envelope) { e.header2 = foreign.header.SignatureHeader },
		"another's proposal hash": func(e *envelope) { e.response.ProposalHash = foreign.response.ProposalHash },
		"another call":            func(e *envelope) { e.call.Input = []byte("x") },
		"transient data in it":    func(e *envelope) { e.call.TransientMap = asked.Transient },
		"two actions":             func(e *envelope) { e.actions = 2 },
		"no action":               func(e *envelope) { e.actions = 0 },
		"another chaincode":       func(e *envelope) { e.outcome.ChaincodeId.Name = "lscc" },
		"a failure":               func(e *envelope) { e.outcome.Response.Status = 500 },
		"no response":             func(e *envelope) { e.outcome.Response = nil },
		"unknown in header":       func(e *envelope) { unknown(e.header) },
		"unknown in response":     func(e *envelope) { unknown(e.response) },
		"no endorser":             func(e *envelope) { e.endorsers = nil },
	}
}

// forgedEndorsements spoil who vouches for it.
func forgedEndorsements(t testing.TB, c *consortium) map[string]func(*envelope) {
	stranger := newConsortium(t)
	return map[string]func(*envelope){
		"no majority":              func(e *envelope) { e.endorsers = e.endorsers[:1] },
		"one member twice":         func(e *envelope) { e.endorsers[1] = e.endorsers[0] },
		"a user as endorser":       func(e *envelope) { e.endorsers[1] = endorsement{"HospitalC", c.staff} },
		"a peer of somebody else":  func(e *envelope) { e.endorsers[1] = endorsement{"HospitalB", stranger.peers["HospitalB"]} },
		"a peer of the past":       func(e *envelope) { e.endorsers[1] = endorsement{"HospitalC", c.past} },
		"a peer under other names": func(e *envelope) { e.endorsers[1] = endorsement{"HospitalC", c.peers["HospitalB"]} },
		"no member's peer":         func(e *envelope) { e.endorsers[1] = endorsement{"Elsewhere", c.peers["HospitalB"]} },
	}
}

func TestForgedEnvelopesAreRefused(t *testing.T) {
	c := newConsortium(t)
	p := newProposal(t, c)
	forged := forgedEnvelopes(t, c)
	maps.Copy(forged, forgedEndorsements(t, c))
	for name, spoil := range forged {
		t.Run(name, func(t *testing.T) {
			e := c.envelopeOf(t, p)
			spoil(e)
			if _, err := p.CheckEnvelope(e.bytes(t), c.bundle); !errors.Is(err, proposal.ErrForged) {
				t.Errorf("got %v, want %v", err, proposal.ErrForged)
			}
		})
	}
}

func TestResultOtherThanEndorsedIsRefused(t *testing.T) {
	c := newConsortium(t)
	p := newProposal(t, c)
	text := c.envelopeOf(t, p).bytes(t)
	forged := bytes.Replace(text, []byte(`{"done":true}`), []byte(`{"done":fals}`), 1)
	if _, err := p.CheckEnvelope(forged, c.bundle); !errors.Is(err, proposal.ErrForged) {
		t.Errorf("got %v, want %v", err, proposal.ErrForged)
	}
}

func TestSignaturesAreLowS(t *testing.T) {
	c := newConsortium(t)
	message := []byte("proposal bytes")
	digest := sha256.Sum256(message)
	for range 16 { // each of them would be high with a chance of one half
		signature, err := c.user.Sign(message)
		if err != nil {
			t.Fatal(err)
		}
		if !ecdsa.VerifyASN1(&c.user.Signer.Key.PublicKey, digest[:], signature) || !lowS(t, signature) {
			t.Fatal("the signature does not verify or has a high S")
		}
	}
}

func FuzzCheck(f *testing.F) {
	c := newConsortium(f)
	p := newProposal(f, c)
	now := time.Now()
	f.Add(p.Bytes)
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := proposal.Check(text, c.user, asked, now)
		if err == nil && !bytes.Equal(got.Bytes, text) {
			t.Error("the check passed one proposal and returned another")
		}
		if err != nil && !errors.Is(err, proposal.ErrForged) {
			t.Errorf("got %v, want %v", err, proposal.ErrForged)
		}
	})
}

func FuzzCheckEnvelope(f *testing.F) {
	c := newConsortium(f)
	p := newProposal(f, c)
	text := c.envelopeOf(f, p).bytes(f)
	f.Add(text)
	f.Fuzz(func(t *testing.T, forged []byte) {
		result, err := p.CheckEnvelope(forged, c.bundle)
		if err == nil && string(result) != `{"done":true}` {
			t.Errorf("the forged result %q passed", result)
		}
		if err != nil && !errors.Is(err, proposal.ErrForged) {
			t.Errorf("got %v, want %v", err, proposal.ErrForged)
		}
	})
}
