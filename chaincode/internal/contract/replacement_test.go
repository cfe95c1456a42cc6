package contract

import (
	"slices"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/umbral"
)

// proven is a replacement by the new device's keys that the holder of a secret proves.
func (c *consortium) proven(device *person, secret *umbral.SecretKey) ledger.ReplaceKeys {
	c.t.Helper()
	return c.provenFor(device, secret, func(*trust.Replacement) {})
}

// provenFor lets the proof be about something else.
func (c *consortium) provenFor(device *person, secret *umbral.SecretKey, change func(*trust.Replacement)) ledger.ReplaceKeys {
	c.t.Helper()
	keys := registration(device).Keys
	registered := must[ledger.UserView](c.world, device, ledger.TxReadUser, ledger.ReadUser{User: device.user})
	replacement := trust.NewReplacement("pie", registered.User, device.signer.Certificate, keys)
	change(&replacement)
	proof, err := replacement.Sign(umbral.NewSigner(secret))
	if err != nil {
		c.t.Fatal(err)
	}
	return ledger.ReplaceKeys{Keys: keys, Proof: proof}
}

func TestTheSeedsHolderReplacesTheIdentityKey(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	before := c.grant(u, c.colleague)
	device := c.patient.withNewDevice(ledger.RolePatient, "")
	c.refused(fault.PermissionDenied, device, ledger.TxRevokeGrant, revoking(before))

	a := c.proven(device, c.patient.secret)
	user := must[ledger.User](c.world, device, ledger.TxReplaceKeys, a)
	c.emitted(ledger.EventKeysReplaced)
	if c.event.payload.User != c.patient.user || user.IdentityKey != trust.IdentityKeyDigest(device.signer.Certificate) || !user.Replaced.Equal(c.clock) {
		t.Errorf("%+v, event %+v", user, c.event.payload)
	}
	must[ledger.User](c.world, device, ledger.TxReplaceKeys, a) // a repeat
	if c.event != nil {
		t.Error("a repeat has an event")
	}
	// The old key is the user's no more; grants that stood before can be used and ended.
	c.refused(fault.PermissionDenied, c.patient, ledger.TxRevokeGrant, revoking(before))
	if access := c.open(before, c.colleague); !access.Decision.Allowed {
		t.Errorf("%+v", access.Decision)
	}
	must[ledger.Grant](c.world, device, ledger.TxRevokeGrant, revoking(before))
	c.refused(fault.PermissionDenied, c.patient, ledger.TxReplaceKeys, c.provenFor(c.patient, c.neighbour.secret, func(*trust.Replacement) {}))
}

// A grantee's new device opens what the old one was granted: the receiving key is the same.
func TestGrantsSurviveANewDevice(t *testing.T) {
	c := newConsortium(t)
	grant := c.grant(c.register(ledger.ClassImaging), c.colleague)
	device := c.colleague.withNewDevice(ledger.RolePhysician, ledger.LevelPrivate)
	must[ledger.User](c.world, device, ledger.TxReplaceKeys, c.proven(device, c.colleague.secret))
	access := c.open(grant, device)
	release := must[ledger.Release](c.world, c.gatewayB, ledger.TxReadRelease, ledger.ReadRelease{Record: grant.Record, Open: access.Open})
	if key, err := trust.PeekKeyStatement(release.ReceivingKey); err != nil || ledger.DigestOf(key.Key) != grant.Fragments.ReceivingKey {
		t.Errorf("%+v, %v", key, err)
	}
}

func TestACertificateAloneReplacesNothing(t *testing.T) {
	c := newConsortium(t)
	rogue := newRole(t, c.patient.user.String(), ledger.RolePatient, "") // of the home CA, with keys of its own
	good := c.proven(rogue, c.patient.secret)
	for name, a := range map[string]ledger.ReplaceKeys{
		"the rogue's own key":    c.proven(rogue, rogue.secret),
		"another user's key":     c.proven(rogue, c.neighbour.secret),
		"another channel":        c.provenFor(rogue, c.patient.secret, func(r *trust.Replacement) { r.Channel = "other" }),
		"another user":           c.provenFor(rogue, c.patient.secret, func(r *trust.Replacement) { r.User = c.neighbour.user }),
		"another old statement":  c.provenFor(rogue, c.patient.secret, func(r *trust.Replacement) { r.Replaces[0]++ }),
		"another identity key":   c.provenFor(rogue, c.patient.secret, func(r *trust.Replacement) { r.Identity[0]++ }),
		"other keys":             {Keys: registration(rogue).Keys, Proof: good.Proof},
		"keys in another order":  {Keys: []string{good.Keys[1], good.Keys[0]}, Proof: good.Proof},
		"fewer keys":             {Keys: good.Keys[:1], Proof: good.Proof},
		"no signature":           {Keys: good.Keys, Proof: make([]byte, umbral.SignatureSize)},
		"a signature cut short":  {Keys: good.Keys, Proof: good.Proof[:40]},
		"a proof with more text": {Keys: good.Keys, Proof: append(slices.Clone(good.Proof), 0)},
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			c.refused(fault.PermissionDenied, rogue, ledger.TxReplaceKeys, a)
		})
	}
	c.t = t
	c.refused(fault.InvalidArgument, rogue, ledger.TxReplaceKeys, ledger.ReplaceKeys{Keys: good.Keys})
	c.refused(fault.InvalidArgument, rogue, ledger.TxReplaceKeys, ledger.ReplaceKeys{Keys: good.Keys, Proof: good.Proof, Replacement: ledger.NewID()})
	c.refused(fault.InvalidArgument, rogue, ledger.TxReplaceKeys, ledger.ReplaceKeys{Proof: good.Proof})
	c.refused(fault.InvalidArgument, rogue, ledger.TxReplaceKeys, ledger.ReplaceKeys{Keys: good.Keys, Replacement: "x"})
	c.refused(fault.NotFound, c.stranger, ledger.TxReplaceKeys, ledger.ReplaceKeys{Keys: registration(c.stranger).Keys, Proof: good.Proof})
	c.refused(fault.InvalidArgument, c.impostor, ledger.TxReplaceKeys, good) // statements of another certificate
	c.refused(fault.NotFound, rogue, ledger.TxReplaceKeys, ledger.ReplaceKeys{Keys: good.Keys, Replacement: ledger.NewID()})
	must[ledger.User](c.world, rogue, ledger.TxReplaceKeys, good) // the one that is right
}

// A proof serves once: whoever held a key in between cannot come back with it.
func TestAProofServesOnce(t *testing.T) {
	c := newConsortium(t)
	first, second := c.patient.withNewDevice(ledger.RolePatient, ""), c.patient.withNewDevice(ledger.RolePatient, "")
	a := c.proven(first, c.patient.secret)
	must[ledger.User](c.world, first, ledger.TxReplaceKeys, a)
	must[ledger.User](c.world, second, ledger.TxReplaceKeys, c.proven(second, c.patient.secret))
	c.refused(fault.PermissionDenied, first, ledger.TxReplaceKeys, a)
}

// A gateway has no verifying key that could prove anything.
func TestAGatewaysKeyTakesAnApproval(t *testing.T) {
	c := newConsortium(t)
	gateway := c.gatewayB.withNewDevice(ledger.RoleGateway, "")
	keys := proxyRegistration(gateway).Keys
	c.refused(fault.PermissionDenied, gateway, ledger.TxReplaceKeys, ledger.ReplaceKeys{Keys: keys, Proof: make([]byte, umbral.SignatureSize)})
}

// recovery is a patient who lost everything, and the officers of two hospitals.
type recovery struct {
	*consortium
	device, home, away *person
	asked              ledger.RequestKeyReplacement
}

func newRecovery(t *testing.T) *recovery {
	r := &recovery{
		consortium: newConsortium(t), device: newRole(t, "HospitalA/patient", ledger.RolePatient, ""),
		home: newRole(t, "HospitalA/officer-r", ledger.RoleRecoveryOfficer, ""), away: newRole(t, "HospitalB/officer-r", ledger.RoleRecoveryOfficer, ""),
	}
	for _, officer := range []*person{r.home, r.away} {
		r.enrol(officer)
	}
	r.asked = ledger.RequestKeyReplacement{Replacement: ledger.NewID(), Keys: registration(r.device).Keys}
	must[ledger.KeyReplacement](r.world, r.device, ledger.TxRequestKeyReplacement, r.asked)
	r.emitted(ledger.EventKeyReplacementRequested)
	return r
}

func (r *recovery) approval() ledger.ApproveKeyReplacement {
	return ledger.ApproveKeyReplacement{
		User: r.device.user, Replacement: r.asked.Replacement, IdentityKey: trust.IdentityKeyDigest(r.device.signer.Certificate),
	}
}

func (r *recovery) approve() {
	r.t.Helper()
	must[ledger.KeyReplacement](r.world, r.away, ledger.TxApproveKeyReplacement, r.approval())
	r.emitted(ledger.EventKeyReplacementApproved)
}

func (r *recovery) use() ledger.ReplaceKeys {
	return ledger.ReplaceKeys{Keys: r.asked.Keys, Replacement: r.asked.Replacement}
}

func TestAnotherHospitalApprovesWithDelay(t *testing.T) {
	r := newRecovery(t)
	must[ledger.KeyReplacement](r.world, r.device, ledger.TxRequestKeyReplacement, r.asked) // a repeat
	r.refused(fault.StateConflict, r.device, ledger.TxReplaceKeys, r.use())
	r.approve()
	must[ledger.KeyReplacement](r.world, r.away, ledger.TxApproveKeyReplacement, r.approval()) // a repeat
	r.clock = r.clock.Add(ledger.ReplacementDelay - time.Second)
	r.refused(fault.StateConflict, r.device, ledger.TxReplaceKeys, r.use())
	r.clock = r.clock.Add(time.Second)
	must[ledger.User](r.world, r.device, ledger.TxReplaceKeys, r.use())
	r.emitted(ledger.EventKeysReplaced)
	must[ledger.User](r.world, r.device, ledger.TxReplaceKeys, r.use()) // a repeat
	list := must[ledger.List[ledger.KeyReplacement]](r.world, r.neighbour, ledger.TxListKeyReplacements, ledger.ListKeyReplacements{User: r.device.user})
	if len(list.Rows) != 1 || list.Rows[0].State != ledger.ReplacementUsed || list.Rows[0].Approver != r.away.user {
		t.Errorf("%+v", list)
	}
	r.refused(fault.StateConflict, r.device, ledger.TxRejectKeyReplacement, ledger.RejectKeyReplacement{User: r.device.user, Replacement: r.asked.Replacement})
	r.refused(fault.InvalidArgument, r.neighbour, ledger.TxListKeyReplacements, ledger.ListKeyReplacements{})
}

// What lies about is approved and used by nobody: neither a request that somebody comes upon
// later, nor an approval that was never needed.
func TestReplacementsLapse(t *testing.T) {
	r := newRecovery(t)
	r.clock = r.clock.Add(ledger.ReplacementTerm + time.Nanosecond)
	r.refused(fault.StateConflict, r.away, ledger.TxApproveKeyReplacement, r.approval())
	r.asked.Replacement = ledger.NewID()
	must[ledger.KeyReplacement](r.world, r.device, ledger.TxRequestKeyReplacement, r.asked)
	r.clock = r.clock.Add(ledger.ReplacementTerm)
	r.approve()
	r.clock = r.clock.Add(ledger.ReplacementDelay + ledger.ReplacementTerm + time.Nanosecond)
	r.refused(fault.StateConflict, r.device, ledger.TxReplaceKeys, r.use())
	r.clock = r.clock.Add(-time.Nanosecond)
	must[ledger.User](r.world, r.device, ledger.TxReplaceKeys, r.use())
	r.clock = r.clock.Add(365 * 24 * time.Hour)
	must[ledger.User](r.world, r.device, ledger.TxReplaceKeys, r.use()) // a repeat
}

func TestApprovalIsRefused(t *testing.T) {
	r := newRecovery(t)
	r.refused(fault.PermissionDenied, r.home, ledger.TxApproveKeyReplacement, r.approval()) // the user's own hospital
	r.refused(fault.PermissionDenied, r.officer, ledger.TxApproveKeyReplacement, r.approval())
	r.refused(fault.PermissionDenied, r.adminB, ledger.TxApproveKeyReplacement, r.approval())
	impostor := newRole(t, r.away.user.String(), ledger.RoleRecoveryOfficer, "")
	r.refused(fault.PermissionDenied, impostor, ledger.TxApproveKeyReplacement, r.approval())
	unregistered := newRole(t, "HospitalC/officer-r", ledger.RoleRecoveryOfficer, "")
	r.refused(fault.NotFound, unregistered, ledger.TxApproveKeyReplacement, r.approval())
	other := r.approval()
	other.IdentityKey[0]++
	r.refused(fault.InvalidArgument, r.away, ledger.TxApproveKeyReplacement, other)
	other = r.approval()
	other.Replacement = ledger.NewID()
	r.refused(fault.NotFound, r.away, ledger.TxApproveKeyReplacement, other)
	r.refused(fault.InvalidArgument, r.away, ledger.TxApproveKeyReplacement, ledger.ApproveKeyReplacement{})
}

func TestReplacementsAreOfTheirOwnKeys(t *testing.T) {
	r := newRecovery(t)
	other := newRole(t, r.device.user.String(), ledger.RolePatient, "")
	r.refused(fault.AlreadyExists, other, ledger.TxRequestKeyReplacement, ledger.RequestKeyReplacement{Replacement: r.asked.Replacement, Keys: registration(other).Keys})
	r.refused(fault.NotFound, r.stranger, ledger.TxRequestKeyReplacement, ledger.RequestKeyReplacement{Replacement: ledger.NewID(), Keys: registration(r.stranger).Keys})
	r.refused(fault.InvalidArgument, r.device, ledger.TxRequestKeyReplacement, ledger.RequestKeyReplacement{Replacement: ledger.NewID(), Keys: registration(other).Keys})
	record := r.device.statement(trust.KeyStatement{Kind: ledger.KeyRecord, Record: ledger.NewID(), Version: 1})
	r.refused(fault.PermissionDenied, r.device, ledger.TxRequestKeyReplacement, ledger.RequestKeyReplacement{Replacement: ledger.NewID(), Keys: []string{record}})
	r.approve()
	r.clock = r.clock.Add(ledger.ReplacementDelay)
	r.refused(fault.PermissionDenied, other, ledger.TxReplaceKeys, ledger.ReplaceKeys{Keys: registration(other).Keys, Replacement: r.asked.Replacement})
	r.refused(fault.PermissionDenied, r.device, ledger.TxReplaceKeys, ledger.ReplaceKeys{Keys: r.asked.Keys[:1], Replacement: r.asked.Replacement})
	must[ledger.User](r.world, r.device, ledger.TxReplaceKeys, r.use())
}

func TestTheOldKeysOwnerObjects(t *testing.T) {
	for name, object := range map[string]func(*recovery) (*person, ledger.RejectKeyReplacement){
		"with the registered identity key": func(r *recovery) (*person, ledger.RejectKeyReplacement) {
			return r.patient, ledger.RejectKeyReplacement{User: r.device.user, Replacement: r.asked.Replacement}
		},
		"with the registered verifying key": func(r *recovery) (*person, ledger.RejectKeyReplacement) {
			return r.patient.withNewDevice(ledger.RolePatient, ""), ledger.RejectKeyReplacement{User: r.device.user, Replacement: r.asked.Replacement, Proof: r.objection(r.patient.secret)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecovery(t)
			r.approve()
			by, a := object(r)
			must[ledger.KeyReplacement](r.world, by, ledger.TxRejectKeyReplacement, a)
			r.emitted(ledger.EventKeyReplacementRejected)
			must[ledger.KeyReplacement](r.world, by, ledger.TxRejectKeyReplacement, a) // a repeat
			r.clock = r.clock.Add(ledger.ReplacementDelay)
			r.refused(fault.StateConflict, r.away, ledger.TxApproveKeyReplacement, r.approval())
			r.refused(fault.StateConflict, r.device, ledger.TxReplaceKeys, r.use())
		})
	}
}

func (r *recovery) objection(secret *umbral.SecretKey) []byte {
	r.t.Helper()
	proof, err := trust.Objection{Channel: "pie", User: r.device.user, Replacement: r.asked.Replacement}.Sign(umbral.NewSigner(secret))
	if err != nil {
		r.t.Fatal(err)
	}
	return proof
}

func TestObjectionsOfOthersAreRefused(t *testing.T) {
	r := newRecovery(t)
	plain := ledger.RejectKeyReplacement{User: r.device.user, Replacement: r.asked.Replacement}
	r.refused(fault.PermissionDenied, r.device, ledger.TxRejectKeyReplacement, plain)
	r.refused(fault.PermissionDenied, r.neighbour, ledger.TxRejectKeyReplacement, plain)
	r.refused(fault.PermissionDenied, r.neighbour, ledger.TxRejectKeyReplacement, ledger.RejectKeyReplacement{
		User: r.device.user, Replacement: plain.Replacement, Proof: r.objection(r.patient.secret),
	})
	r.refused(fault.NotFound, r.patient, ledger.TxRejectKeyReplacement, ledger.RejectKeyReplacement{User: r.device.user, Replacement: ledger.NewID()})
	r.refused(fault.InvalidArgument, r.patient, ledger.TxRejectKeyReplacement, ledger.RejectKeyReplacement{})
	for _, secret := range []*umbral.SecretKey{r.device.secret, r.neighbour.secret} {
		proven := plain
		proven.Proof = r.objection(secret)
		r.refused(fault.PermissionDenied, r.device, ledger.TxRejectKeyReplacement, proven)
	}
}

// Who has the seed wins: what was asked for in the meantime is void.
func TestAReplacementWithProofVoidsOthers(t *testing.T) {
	r := newRecovery(t)
	r.approve()
	found := r.patient.withNewDevice(ledger.RolePatient, "")
	must[ledger.User](r.world, found, ledger.TxReplaceKeys, r.proven(found, r.patient.secret))
	r.clock = r.clock.Add(ledger.ReplacementDelay)
	r.refused(fault.StateConflict, r.device, ledger.TxReplaceKeys, r.use())
}
