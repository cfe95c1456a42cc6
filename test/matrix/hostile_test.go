package matrix

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/umbral"
	"github.com/pie-consortium/pie/umbral/agefile"
)

// dealing is how a patient's device makes the fragments of one grant; a hostile one
// changes it.
type dealing struct {
	params   umbral.KeyFragParams
	envelope func(*trust.KeyFragEnvelope)
	sealTo   func(msp string) string // whose key the fragment for a hospital is sealed to
}

// rogue is the patient with the hostile device.
func (w *world) rogue() *person { return w.member(ledger.RolePatient, "", "HospitalA") }

func (w *world) honest() dealing {
	n := len(w.network.Organizations)
	return dealing{
		params: umbral.KeyFragParams{
			DelegatingSK: w.rogue().receiving, ReceivingPK: w.author.receiving.PublicKey(), Signer: umbral.NewSigner(w.rogue().verifying),
			Threshold: ledger.Threshold(n), Shares: n, SignDelegatingKey: true, SignReceivingKey: true,
		},
		envelope: func(*trust.KeyFragEnvelope) {}, sealTo: func(msp string) string { return msp },
	}
}

// deal puts fragments of that dealing into a slot.
func (w *world) deal(f *fixture, d dealing, recipients map[string]string) error {
	keyFrags, err := umbral.GenerateKeyFrags(nil, d.params)
	if err != nil {
		return err
	}
	for i := range f.sealed {
		proxy := f.sealed[i].Proxy
		envelope := trust.KeyFragEnvelope{
			Channel: w.network.Channel, Record: f.wanted.Record, Version: 1, Grant: f.wanted.Grant,
			Grantee: f.wanted.Author, Proxy: proxy, KeyFrag: keyFrags[i].MarshalMsgpack(),
		}
		d.envelope(&envelope)
		if f.sealed[i].Sealed, err = trust.SealKeyFrag(envelope, recipients[d.sealTo(proxy)]); err != nil {
			return err
		}
		f.wanted.Fragments.Proxies[i].SHA256 = ledger.DigestOf(f.sealed[i].Sealed)
	}
	return nil
}

// recipients are the proxies' keys, as their owners stated them.
func (w *world) recipients(ctx context.Context) (map[string]string, error) {
	keys := map[string]string{}
	for _, organization := range w.network.Organizations {
		gateway := ledger.UserID{MSP: organization.MSP, Pseudonym: "gateway"}
		text, err := w.peers.evaluate(ctx, w.patient, call{tx: ledger.TxReadUser, argument: ledger.ReadUser{User: gateway}})
		if err != nil {
			return nil, err
		}
		var user ledger.UserView
		if err := json.Unmarshal(text, &user); err != nil {
			return nil, err
		}
		statement, err := w.patient.bundle.VerifyKeyStatement(user.Keys[ledger.KeyProxy], ledger.KeyProxy, gateway)
		if err != nil {
			return nil, err
		}
		keys[organization.MSP] = string(statement.Key)
	}
	return keys, nil
}

// share authorises, registers and opens one record for each dealing, and returns the
// openings. The capsules are real, so that only the fragments decide.
func (w *world) share(ctx context.Context, dealings map[string]dealing, t terms) (map[string]*fixture, map[string]string, error) {
	recipients, err := w.recipients(ctx)
	if err != nil {
		return nil, nil, err
	}
	fixtures, opens := map[string]*fixture{}, map[string]string{}
	for name, d := range dealings {
		f, err := w.newFixture(w.rogue(), w.author, t)
		if err == nil {
			err = errors.Join(w.deal(f, d, recipients), f.encapsulate())
		}
		if err != nil {
			return nil, nil, err
		}
		fixtures[name] = f
	}
	var all []*fixture
	for _, f := range fixtures {
		all = append(all, f)
	}
	if err := w.authorizeAll(ctx, w.rogue(), all); err != nil {
		return nil, nil, err
	}
	for name, f := range fixtures {
		if _, err := commit[ledger.Record](ctx, w, f.author, f.registeringThen()); err != nil {
			return nil, nil, err
		}
		opened, err := commit[ledger.Access](ctx, w, f.author, call{
			tx: ledger.TxOpenRecord, at: inTime(f),
			argument: ledger.OpenRecord{RecordVersion: f.about, Grant: f.wanted.Grant},
		})
		if err != nil {
			return nil, nil, err
		}
		opens[name] = opened.Open
	}
	return fixtures, opens, nil
}

// encapsulate gives the record a capsule under the patient's key for it.
func (f *fixture) encapsulate() error {
	var file bytes.Buffer
	writer, err := age.Encrypt(&file, agefile.NewRecipient(f.patient.receiving.PublicKey()))
	if err != nil {
		return err
	}
	if err := writer.Close(); err != nil {
		return err
	}
	capsule, err := agefile.ReadCapsule(&file)
	if err == nil {
		f.registration.Capsule = capsule.Bytes()
	}
	return err
}

// reencrypt asks a hospital's proxy as somebody, and wants an answer that it signed.
func (w *world) reencrypt(ctx context.Context, by *person, msp string, record ledger.ID, open string) error {
	jws, err := by.creator.Signer.SignReencryptionRequest(trust.ReencryptionRequest{Open: open, Record: record, Proxy: msp, Issued: time.Now().UTC()})
	if err != nil {
		return err
	}
	client, err := w.client(msp, "")
	if err != nil {
		return err
	}
	for {
		answer, err := client.ReencryptWithResponse(ctx, api.ReencryptionRequest{Request: jws})
		if err != nil {
			return err
		}
		if answer.JSON200 != nil {
			_, err := by.bundle.VerifyReencryption(answer.JSON200.Reencryption, msp)
			return err
		}
		problem := answer.ApplicationProblemJSONDefault
		if problem == nil {
			return errors.New(answer.Status())
		}
		if problem.Code != fault.ContentUnavailable { // the fragment is still on its way to that peer
			return fault.New(problem.Code, "%s", problem.Title)
		}
	}
}

// What a hostile patient's device puts on the ledger, no proxy uses.
func TestProxiesRefuseFragments(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	envelope := func(change func(*trust.KeyFragEnvelope)) dealing {
		d := the.honest()
		d.envelope = change
		return d
	}
	params := func(change func(*umbral.KeyFragParams)) dealing {
		d := the.honest()
		change(&d.params)
		return d
	}
	swapped := the.honest()
	swapped.sealTo = func(msp string) string {
		return map[string]string{"HospitalA": "HospitalB", "HospitalB": "HospitalC", "HospitalC": "HospitalA"}[msp]
	}
	const genuine = "genuine"
	fixtures, opens, err := the.share(ctx, map[string]dealing{
		genuine:                         the.honest(),
		"for another record":            envelope(func(e *trust.KeyFragEnvelope) { e.Record = ledger.NewID() }),
		"for another version":           envelope(func(e *trust.KeyFragEnvelope) { e.Version = 2 }),
		"for another grant":             envelope(func(e *trust.KeyFragEnvelope) { e.Grant = ledger.NewID() }),
		"for another requester":         envelope(func(e *trust.KeyFragEnvelope) { e.Grantee = ledger.PersonSubject(the.colleague.User) }),
		"for another proxy":             envelope(func(e *trust.KeyFragEnvelope) { e.Proxy = "Operator" }),
		"for another channel":           envelope(func(e *trust.KeyFragEnvelope) { e.Channel = "other" }),
		"with a forged u":               envelope(func(e *trust.KeyFragEnvelope) { copy(e.KeyFrag[4:], the.author.receiving.PublicKey().Bytes()) }),
		"with another share":            envelope(func(e *trust.KeyFragEnvelope) { e.KeyFrag[100] ^= 1 }),
		"cut short":                     envelope(func(e *trust.KeyFragEnvelope) { e.KeyFrag = e.KeyFrag[:300] }),
		"that are none":                 envelope(func(e *trust.KeyFragEnvelope) { e.KeyFrag = nil }),
		"sealed to another proxy":       swapped,
		"of another record's key":       params(func(p *umbral.KeyFragParams) { p.DelegatingSK = the.rogue().verifying }),
		"to another requester's key":    params(func(p *umbral.KeyFragParams) { p.ReceivingPK = the.colleague.receiving.PublicKey() }),
		"signed by somebody else":       params(func(p *umbral.KeyFragParams) { p.Signer = umbral.NewSigner(the.author.verifying) }),
		"that do not name the record":   params(func(p *umbral.KeyFragParams) { p.SignDelegatingKey = false }),
		"that do not name the receiver": params(func(p *umbral.KeyFragParams) { p.SignReceivingKey = false }),
	}, terms{level: ledger.LevelLow, policy: wide(), expiry: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range fixtures {
		t.Run("fragments "+name, func(t *testing.T) {
			want := fault.FragmentInvalid
			if name == genuine {
				want = ""
			}
			for _, organization := range the.network.Organizations {
				err := the.reencrypt(ctx, the.author, organization.MSP, f.wanted.Record, opens[name])
				if codeOf(err) != want {
					t.Errorf("%s: got %v, want %q", organization.MSP, err, want)
				}
			}
		})
	}
	t.Run("asked by others", func(t *testing.T) {
		the.onlyTheOpener(ctx, t, fixtures[genuine], opens[genuine])
	})
}

// onlyTheOpener has everybody ask for what the author opened.
func (w *world) onlyTheOpener(ctx context.Context, t *testing.T, f *fixture, open string) {
	t.Helper()
	people := w.everybody()
	err := each(len(people), func(i int) error {
		want := fault.PermissionDenied
		if people[i] == f.author {
			want = ""
		}
		msp := w.network.Organizations[i%len(w.network.Organizations)].MSP
		if err := w.reencrypt(ctx, people[i], msp, f.wanted.Record, open); codeOf(err) != want {
			return errors.Join(errors.New(people[i].User.String()), err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for name, other := range map[string]struct {
		record ledger.ID
		open   string
		code   fault.Code
	}{
		"another record":             {w.shared.wanted.Record, open, fault.NotFound},
		"an open that never was":     {f.wanted.Record, ledger.DigestOf([]byte(open)).String(), fault.NotFound},
		"an open that is not an ID":  {f.wanted.Record, "../" + open[3:], fault.InvalidArgument},
		"a record that is not an ID": {"../../../../../etc/passwd", open, fault.InvalidArgument},
		"an open that was refused":   {w.shared.wanted.Record, w.accesses[1].open, fault.PermissionDenied},
		"an open that belongs to it": {f.wanted.Record, open, ""},
	} {
		if err := w.reencrypt(ctx, f.author, "HospitalB", other.record, other.open); codeOf(err) != other.code {
			t.Errorf("%s: got %v, want %q", name, err, other.code)
		}
	}
}

// Who claims to have opened before the grant's end gets no fragment after it, although
// the ledger believes clocks up to two minutes.
func TestBackdatedOpenOfAnExpiredGrant(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	fixtures, opens, err := the.share(ctx, map[string]dealing{"expired": the.honest()},
		terms{level: ledger.LevelLow, policy: wide(), expiry: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	for _, organization := range the.network.Organizations {
		err := the.reencrypt(ctx, the.author, organization.MSP, fixtures["expired"].wanted.Record, opens["expired"])
		if codeOf(err) != fault.ConsentExpired {
			t.Errorf("%s: got %v, want %s", organization.MSP, err, fault.ConsentExpired)
		}
	}
}

// allowed is one cell of every transaction that the table allows.
func (w *world) allowed(t *testing.T) map[ledger.Transaction]cell {
	t.Helper()
	cells := map[ledger.Transaction]cell{}
	for tx := range w.table.rows {
		all := w.cells(t, tx)
		i := slices.IndexFunc(all, func(c cell) bool {
			return c.o.state != "stale" && w.table.expect(tx, c.by.Identity, c.o) == ""
		})
		if i < 0 {
			t.Fatalf("%s: no cell is allowed", tx)
		}
		cells[tx] = all[i]
	}
	return cells
}

// Straight to a peer, with a clock that the gateway would have seen through.
func TestEveryTransactionRefusesOtherTimes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	for tx, c := range the.allowed(t) {
		for _, skew := range []time.Duration{-3 * time.Minute, 3 * time.Minute} {
			c.call.at = time.Now().Add(skew)
			if _, err := the.peers.evaluate(ctx, c.by, c.call); codeOf(err) != fault.InvalidArgument {
				t.Errorf("%s, %s off: got %v, want %s", tx, skew, err, fault.InvalidArgument)
			}
		}
	}
}

// Somebody who signs in another's name, or under another hospital's.
func TestPeersRefuseBorrowedNames(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	for tx, c := range the.allowed(t) {
		thief := *c.by
		thief.creator = proposal.Creator{MSP: c.by.User.MSP, Signer: &trust.Signer{
			Certificate: c.by.creator.Signer.Certificate, Key: the.namesake.creator.Signer.Key,
		}}
		foreigner := *c.by
		foreigner.creator.MSP = map[string]string{"HospitalA": "HospitalB", "HospitalB": "HospitalC", "HospitalC": "HospitalA"}[c.by.User.MSP]
		for name, by := range map[string]*person{"with another key": &thief, "under another hospital's name": &foreigner} {
			result, err := the.peers.evaluate(ctx, by, c.call)
			if err == nil {
				t.Errorf("%s %s: answered %.80s", tx, name, result)
			}
		}
	}
}

// Only a gateway reads as somebody else, and it sees what that one would.
func TestOnlyGatewaysReadOnBehalf(t *testing.T) {
	var cells []cell
	for tx, lines := range the.table.sections {
		if !strings.Contains(lines["arguments"], "`reader`") {
			continue
		}
		for _, own := range the.cells(t, tx) {
			if own.by != the.patient || the.table.expect(tx, own.by.Identity, own.o) != "" {
				continue
			}
			for _, by := range the.everybody() {
				cells = append(cells, cell{by: by, call: onBehalf(t, own.call, the.patient.Identity), o: own.o, look: own.look})
			}
			break
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	err := each(len(cells), func(i int) error {
		c, want := cells[i], fault.PermissionDenied
		if c.by.Role == ledger.RoleGateway {
			want = ""
		}
		result, err := the.peers.evaluate(ctx, c.by, c.call)
		if codeOf(err) != want {
			return errors.Join(errors.New(string(c.call.tx)+" by "+c.by.User.String()), err)
		}
		if err == nil && c.look != nil {
			return c.look(result)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if len(cells) < 9*len(the.crowd) {
		t.Errorf("only %d cells", len(cells))
	}
}

func onBehalf(t *testing.T, c call, reader ledger.Identity) call {
	t.Helper()
	text, err := json.Marshal(c.argument)
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]any{}
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	fields["reader"] = reader
	c.argument = fields
	return c
}

// A level below the class's or the policy's is refused, whatever the author says.
func TestLevelsAreNotLowered(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	raised := wide()
	raised.Level = ledger.LevelPrivate
	slot, err := the.newFixture(the.patient, the.author, terms{level: ledger.LevelPrivate, policy: raised, expiry: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if err := the.authorizeAll(ctx, the.patient, []*fixture{slot}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		in    *fixture
		class ledger.Class
		level ledger.Level
		code  fault.Code
	}{
		{"below the class", the.free, ledger.ClassImaging, ledger.LevelLow, fault.InvalidArgument},
		{"a little below the class", the.free, ledger.ClassImaging, ledger.LevelModerate, fault.InvalidArgument},
		{"the class's", the.free, ledger.ClassImaging, ledger.LevelPrivate, ""},
		{"below the policy", slot, ledger.ClassOmics, ledger.LevelLow, fault.InvalidArgument},
		{"the policy's", slot, ledger.ClassOmics, ledger.LevelPrivate, ""},
		{"above both", the.free, ledger.ClassOmics, ledger.LevelPrivate, fault.InvalidArgument},
		{"no level", the.free, ledger.ClassOmics, "", fault.InvalidArgument},
		{"another word", the.free, ledger.ClassOmics, "none", fault.InvalidArgument},
	} {
		f := *c.in
		f.registration.Level, f.metadata.Class = c.level, c.class
		if _, err := the.peers.evaluate(ctx, the.author, f.registering()); codeOf(err) != c.code {
			t.Errorf("%s: got %v, want %q", c.name, err, c.code)
		}
	}
}

// A grant that says anything else than the request that it answers.
func TestGrantsAreForTheirRequest(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	pending := the.requests[len(the.requests)-1]
	for _, c := range []struct {
		name   string
		change func(*ledger.GrantAccess)
		code   fault.Code
	}{
		{"as asked", func(*ledger.GrantAccess) {}, ""},
		{"another request", func(a *ledger.GrantAccess) { a.Request = ledger.NewID() }, fault.NotFound},
		{"another record", func(a *ledger.GrantAccess) { a.Record = the.records[1].wanted.Record }, fault.NotFound},
		{"another version", func(a *ledger.GrantAccess) { a.Version = 2 }, fault.NotFound},
		{"another requester", func(a *ledger.GrantAccess) { a.Requester = the.author.User }, fault.InvalidArgument},
		{"a namesake of the requester", func(a *ledger.GrantAccess) { a.Requester.MSP = "HospitalC" }, fault.InvalidArgument},
		{"another purpose", func(a *ledger.GrantAccess) { a.Purpose = ledger.PurposeResearch }, fault.InvalidArgument},
		{"another key", func(a *ledger.GrantAccess) {
			a.Fragments.ReceivingKey = ledger.DigestOf(the.author.receiving.PublicKey().Bytes())
		}, fault.FragmentInvalid},
		{"an expiry gone by", func(a *ledger.GrantAccess) { a.Expiry = time.Now().Add(-time.Second) }, fault.InvalidArgument},
		{"one proxy less", func(a *ledger.GrantAccess) { a.Fragments.Proxies = a.Fragments.Proxies[:2] }, fault.FragmentInvalid},
		{"one proxy twice", func(a *ledger.GrantAccess) { a.Fragments.Proxies[1] = a.Fragments.Proxies[0] }, fault.InvalidArgument},
		{"a proxy of nobody", func(a *ledger.GrantAccess) { a.Fragments.Proxies[1].Proxy = "Operator" }, fault.InvalidArgument},
		{"a lower threshold", func(a *ledger.GrantAccess) { a.Fragments.Threshold = 1 }, fault.InvalidArgument},
	} {
		granting := the.granting(the.colleague, ledger.AccessRequest{
			Record: pending.about.Record, Version: 1, ID: pending.request,
			Requester: the.colleague.Identity, Purpose: ledger.PurposeTreatment,
		})
		argument, ok := granting.argument.(ledger.GrantAccess)
		if !ok {
			t.Fatalf("%T", granting.argument)
		}
		c.change(&argument)
		granting.argument = argument
		if _, err := the.peers.evaluate(ctx, the.patient, granting); codeOf(err) != c.code {
			t.Errorf("%s: got %v, want %q", c.name, err, c.code)
		}
	}
}

// Who has registered no key can neither ask nor authorise, nor be authorised.
func TestUnregisteredUsers(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	newcomer := func(role ledger.Role) *person {
		p, err := the.certify(ctx, ledger.Identity{
			User: ledger.UserID{MSP: "HospitalA", Pseudonym: "new-" + string(role)}, Role: role, Clearance: ledger.LevelPrivate,
		})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	physician, patient := newcomer(ledger.RolePhysician), newcomer(ledger.RolePatient)
	asking := call{tx: ledger.TxRequestAccess, argument: ledger.RequestAccess{
		RecordVersion: the.shared.about, Request: ledger.NewID(), Purpose: ledger.PurposeTreatment,
	}}
	authorizing := func(patient, author *person) call {
		f, err := the.newFixture(patient, author, terms{level: ledger.LevelLow, policy: wide(), expiry: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		return call{
			tx: ledger.TxAuthorizeSlots, argument: ledger.AuthorizeSlots{Slots: []ledger.NewSlot{f.wanted}},
			transient: map[string]any{ledger.TransientFragments: f.sealed},
		}
	}
	for name, c := range map[string]struct {
		by   *person
		call call
	}{
		"asks":          {physician, asking},
		"authorises":    {patient, authorizing(patient, the.author)},
		"is authorised": {the.patient, authorizing(the.patient, physician)},
	} {
		if _, err := the.peers.evaluate(ctx, c.by, c.call); codeOf(err) != fault.NotFound {
			t.Errorf("who has no key %s: got %v, want %s", name, err, fault.NotFound)
		}
	}
}
