package fabric

import (
	"context"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/pie-consortium/pie/gateway/internal/config"
	"github.com/pie-consortium/pie/gateway/internal/testpki"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// connect prepares a connection that no test here uses.
func connect(t testing.TB, hospital *testpki.Hospital) *Peer {
	t.Helper()
	gateway := hospital.Issue("gateway", ledger.RoleGateway, "")
	certificate, key := testpki.Write(t, gateway)
	p, err := Connect(&config.Config{
		MSP: hospital.MSP, Channel: "pie", Chaincode: "pie",
		Peer: config.Peer{Address: "127.0.0.1:1", TLSRoot: certificate, Client: config.KeyPair{Certificate: certificate, Key: key}},
	}, gateway, func(ctx context.Context, method string, request, answer any, c *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		return invoke(ctx, method, request, answer, c, options...)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func propose(t testing.TB, p *Peer, device *trust.Signer) Proposal {
	t.Helper()
	proposal, err := p.Propose("HospitalA", device.Certificate, Intent{
		Transaction: ledger.TxOpenRecord, Argument: []byte(`{"record":"x"}`), Transient: map[string][]byte{"a": []byte("b")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return proposal
}

func TestProposalSaysWhatWasAsked(t *testing.T) {
	hospital := testpki.New(t, "HospitalA")
	device := hospital.Issue("7f3k", ledger.RolePhysician, ledger.LevelPrivate)
	p := connect(t, hospital)
	got := propose(t, p, device)
	if got.Transaction != ledger.TxOpenRecord || string(got.Argument) != `{"record":"x"}` ||
		got.Channel != "pie" || got.Chaincode != "pie" || got.MSP != "HospitalA" || !got.Creator.Equal(device.Certificate) {
		t.Errorf("%+v", got)
	}
	user := ledger.UserID{MSP: "HospitalA", Pseudonym: "7f3k"}
	if err := p.IsFor(got, user); err != nil {
		t.Error(err)
	}
	if err := p.IsFor(got, ledger.UserID{MSP: "HospitalB", Pseudonym: "7f3k"}); fault.CodeOf(err) != fault.PermissionDenied {
		t.Errorf("another hospital's user of that pseudonym: %v", err)
	}
	got.Channel = "other"
	if err := p.IsFor(got, user); fault.CodeOf(err) != fault.InvalidArgument {
		t.Errorf("another channel: %v", err)
	}
	got.Channel, got.Chaincode = "pie", "lscc"
	if err := p.IsFor(got, user); fault.CodeOf(err) != fault.InvalidArgument {
		t.Errorf("another chaincode: %v", err)
	}
}

func TestParseProposalRefuses(t *testing.T) {
	hospital := testpki.New(t, "HospitalA")
	good := propose(t, connect(t, hospital), hospital.Issue("7f3k", ledger.RolePatient, "")).Bytes
	for name, change := range map[string]func(*parts){
		"another type":                  func(p *parts) { p.channel.Type = int32(common.HeaderType_CONFIG) },
		"another transaction ID":        func(p *parts) { p.channel.TxId = "00" },
		"another nonce":                 func(p *parts) { p.signature.Nonce = []byte("n") },
		"no certificate":                func(p *parts) { p.signature.Creator = nil },
		"two arguments":                 func(p *parts) { p.spec().Args = append(p.spec().Args, []byte("{}")) },
		"no argument":                   func(p *parts) { p.spec().Args = p.spec().Args[:1] },
		"another chaincode in the call": func(p *parts) { p.call.ChaincodeSpec.ChaincodeId.Name = "lscc" },
	} {
		t.Run(name, func(t *testing.T) {
			changed := split(t, good)
			change(changed)
			if _, err := ParseProposal(changed.join(t)); fault.CodeOf(err) != fault.InvalidArgument {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := ParseProposal(split(t, good).join(t)); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}

// parts of a proposal, to be changed one at a time.
type parts struct {
	channel   common.ChannelHeader
	signature common.SignatureHeader
	call      peer.ChaincodeInvocationSpec
}

func (p *parts) spec() *peer.ChaincodeInput { return p.call.ChaincodeSpec.Input }

func split(t *testing.T, bytes []byte) *parts {
	t.Helper()
	var outer peer.Proposal
	var header common.Header
	var payload peer.ChaincodeProposalPayload
	p := &parts{}
	for _, step := range []struct {
		bytes func() []byte
		into  proto.Message
	}{
		{func() []byte { return bytes }, &outer},
		{func() []byte { return outer.Header }, &header},
		{func() []byte { return outer.Payload }, &payload},
		{func() []byte { return header.ChannelHeader }, &p.channel},
		{func() []byte { return header.SignatureHeader }, &p.signature},
		{func() []byte { return payload.Input }, &p.call},
	} {
		if err := proto.Unmarshal(step.bytes(), step.into); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p *parts) join(t *testing.T) []byte {
	t.Helper()
	encode := func(m proto.Message) []byte {
		bytes, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return bytes
	}
	header := encode(&common.Header{ChannelHeader: encode(&p.channel), SignatureHeader: encode(&p.signature)})
	payload := encode(&peer.ChaincodeProposalPayload{Input: encode(&p.call)})
	return encode(&peer.Proposal{Header: header, Payload: payload})
}

func FuzzParseProposal(f *testing.F) {
	hospital := testpki.New(f, "HospitalA")
	f.Add(propose(f, connect(f, hospital), hospital.Issue("7f3k", ledger.RolePatient, "")).Bytes)
	f.Add([]byte{10, 0})
	f.Fuzz(func(t *testing.T, bytes []byte) {
		proposal, err := ParseProposal(bytes)
		if err == nil && (proposal.Creator == nil || len(proposal.TransactionID) != 64) {
			t.Errorf("%+v", proposal)
		}
	})
}

func FuzzParseTransaction(f *testing.F) {
	f.Add([]byte{10, 0})
	f.Fuzz(func(t *testing.T, bytes []byte) {
		if _, err := ParseTransaction(bytes); err != nil && fault.CodeOf(err) != fault.InvalidArgument {
			t.Error(err)
		}
	})
}

func TestParseTransactionRefusesAProposal(t *testing.T) {
	hospital := testpki.New(t, "HospitalA")
	proposal := propose(t, connect(t, hospital), hospital.Issue("7f3k", ledger.RolePatient, ""))
	if _, err := ParseTransaction(proposal.Bytes); fault.CodeOf(err) != fault.InvalidArgument {
		t.Errorf("got %v", err)
	}
}
