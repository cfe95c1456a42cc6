package proposal_test

import (
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
)

var update = flag.Bool("update", false, "draw new vectors for other implementations of the check")

// vectorFile is what an implementation of the check in any language has to pass.
const vectorFile = "../../docs/javascript/vectors.json"

type vectors struct {
	Now         time.Time          `json:"now"`
	Channel     string             `json:"channel"`
	Transaction ledger.Transaction `json:"transaction"`
	Arguments   string             `json:"arguments"`
	Transient   map[string][]byte  `json:"transient"`
	MSP         string             `json:"mspID"`
	Certificate string             `json:"certificate"`
	Bundle      trust.Bundle       `json:"bundle"`
	Proposals   []vector           `json:"proposals"` // the first is honest
	Envelopes   []vector           `json:"envelopes"` // for the first proposal; the first is honest
}

type vector struct {
	Name     string `json:"name"`
	Bytes    []byte `json:"bytes"`
	Accepted bool   `json:"accepted"`
}

func TestVectors(t *testing.T) {
	if *update {
		drawVectors(t)
	}
	text, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	certificate, err := trust.ParseCertificate([]byte(v.Certificate))
	if err != nil {
		t.Fatal(err)
	}
	creator := proposal.Creator{MSP: v.MSP, Signer: &trust.Signer{Certificate: certificate}}
	invocation := proposal.Invocation{Channel: v.Channel, Transaction: v.Transaction, Arguments: json.RawMessage(v.Arguments), Transient: v.Transient}
	honest, err := proposal.Check(v.Proposals[0].Bytes, creator, invocation, v.Now)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range v.Proposals {
		_, err := proposal.Check(c.Bytes, creator, invocation, v.Now)
		verdict(t, c, err)
	}
	for _, c := range v.Envelopes {
		_, err := honest.CheckEnvelope(c.Bytes, &v.Bundle)
		verdict(t, c, err)
	}
}

func verdict(t *testing.T, c vector, err error) {
	t.Helper()
	if c.Accepted != (err == nil) || err != nil && !errors.Is(err, proposal.ErrForged) {
		t.Errorf("%s: %v", c.Name, err)
	}
}

func drawVectors(t *testing.T) {
	t.Helper()
	c := newConsortium(t)
	p := newProposal(t, c)
	v := vectors{
		Now: time.Now().UTC(), Channel: asked.Channel, Transaction: asked.Transaction, Arguments: string(asked.Arguments),
		Transient: asked.Transient, MSP: c.user.MSP, Certificate: string((&holder{certificate: c.user.Signer.Certificate}).pem()), Bundle: *c.bundle,
		Proposals: []vector{{"honest", p.Bytes, true}}, Envelopes: []vector{{"honest", c.envelopeOf(t, p).bytes(t), true}},
	}
	spoiled := forgedProposals(t)
	for _, name := range slices.Sorted(maps.Keys(spoiled)) {
		parts := open(t, p.Bytes)
		spoiled[name](parts)
		v.Proposals = append(v.Proposals, vector{Name: name, Bytes: parts.close(t)})
	}
	v.Proposals = append(v.Proposals, vector{Name: "an envelope", Bytes: v.Envelopes[0].Bytes}, vector{Name: "nothing"},
		vector{Name: "a byte more", Bytes: append(slices.Clone(p.Bytes), 0)}, vector{Name: "a byte less", Bytes: p.Bytes[:len(p.Bytes)-1]})
	forged := forgedEnvelopes(t, c)
	for _, name := range slices.Sorted(maps.Keys(forged)) {
		e := c.envelopeOf(t, p)
		forged[name](e)
		v.Envelopes = append(v.Envelopes, vector{Name: name, Bytes: e.bytes(t)})
	}
	v.Envelopes = append(v.Envelopes, vector{Name: "a proposal", Bytes: p.Bytes}, vector{Name: "nothing"})
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorFile, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
