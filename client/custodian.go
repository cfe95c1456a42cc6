package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"filippo.io/age"
	"golang.org/x/sync/errgroup"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/umbral"
	"github.com/pie-consortium/pie/umbral/agefile"
)

// GrantCustodian gives an emergency desk fragments for a record of this patient's. Proxies
// serve them under an active declaration that covers the record, and otherwise never.
func (c *Client) GrantCustodian(ctx context.Context, record ledger.ID, desk ledger.UserID, expiry time.Time) (ledger.Grant, error) {
	a, err := c.ownRecord(ctx, record)
	if err != nil {
		return ledger.Grant{}, err
	}
	v := ledger.RecordVersion{Record: record, Version: a.Version}
	arguments := ledger.GrantCustodian{RecordVersion: v, Grant: ledger.NewID(), Custodian: desk, Expiry: expiry.UTC()}
	c.step("cutting the key for the emergency desk %s", desk)
	fragments, sealed, err := c.fragments(ctx, share{
		version: v, grant: arguments.Grant, grantee: desk,
		secret: func(ctx context.Context) (*umbral.SecretKey, error) { return c.recordSecret(ctx, v) },
	})
	if err != nil {
		return ledger.Grant{}, err
	}
	arguments.Fragments = fragments
	if err := arguments.Validate(); err != nil {
		return ledger.Grant{}, err
	}
	grant, _, err := submit[ledger.Grant](ctx, c, change{name: ledger.TxGrantCustodian, arguments: arguments, private: transient{ledger.TransientFragments: sealed}})
	return grant, err
}

// AnswerEmergency passes on to a declaration's responder what this custodian holds of what
// it covers: an emergency desk by its fragments, an author by their own grant. Each record
// is opened on the ledger first. What this custodian passed on already stays as it is, by
// the ledger's word: it keeps one grant of each custodian, under a name nobody else can take.
func (c *Client) AnswerEmergency(ctx context.Context, name ledger.DeclarationName) ([]ledger.ID, error) {
	var declaration ledger.DeclarationView
	var records []covered
	reading, both := errgroup.WithContext(ctx)
	reading.Go(func() (err error) { declaration, err = c.Emergency(both, name); return err })
	reading.Go(func() (err error) { records, err = c.coverage(ctx, name); return err })
	if err := reading.Wait(); err != nil {
		return nil, err
	}
	var passed []ledger.ID
	var failures []error
	for _, record := range records {
		err := c.passOn(ctx, declaration.Declaration, record)
		if errors.Is(err, fault.New(fault.AlreadyExists, "")) {
			continue // an earlier answer
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("record %s: %w", record.ID, err))
			continue
		}
		passed = append(passed, record.ID)
	}
	return passed, errors.Join(failures...)
}

// passOn opens a record under a declaration and wraps its file key for the responder. What
// that takes beside the file key is made ready while the access is being recorded.
func (c *Client) passOn(ctx context.Context, declaration ledger.Declaration, record covered) error {
	v := ledger.RecordVersion{Record: record.ID, Version: record.Version}
	held := c.holding(ctx, v.Record)
	a, err := record.agree(ctx)
	if err != nil {
		return err
	}
	var header []byte
	var cut onceCut
	o := opening{agreed: a, under: declaration.ID, meanwhile: []func(context.Context) error{
		func(ctx context.Context) (err error) { header, err = c.header(ctx, a.Record); return err },
		func(ctx context.Context) (err error) { cut, err = c.cutOnce(ctx, declaration, v); return err },
	}}
	if o.grant, o.from, err = (<-held).grant(a.RecordView); err != nil {
		return err
	}
	p, err := c.recordOpening(ctx, &o)
	if err != nil {
		return err
	}
	cfrags, _, err := c.reencrypt(ctx, o, p)
	if err != nil {
		return err
	}
	fileKey, err := openHeader(header, a, agefile.NewReencryptedIdentity(c.keys.receiving(), a.key, cfrags[0]))
	if err != nil {
		return makerAltered(a.Record, err)
	}
	c.step("passing record %s on to %s", v.Record, declaration.Responder.User)
	return c.issueEmergency(ctx, cut, fileKey, ledger.IssueEmergencyGrant{
		RecordVersion: v, Declaration: declaration.ID, Open: o.transaction,
	})
}

// openHeader takes the file key out of the header of a record's ciphertext.
func openHeader(header []byte, a agreed, identity age.Identity) ([]byte, error) {
	capsule, err := agefile.ReadCapsule(strings.NewReader(string(header)))
	if err != nil {
		return nil, err
	}
	if string(capsule.Bytes()) != string(a.Capsule) {
		return nil, fault.New(fault.Altered, "the header of record %s has another capsule than is registered", a.ID)
	}
	key, err := age.DecryptHeader(header[:agefile.HeaderSize], identity)
	if err != nil {
		return nil, fault.New(fault.Altered, "the header of record %s does not open: %v", a.ID, err)
	}
	return key, nil
}

// header fetches the beginning of a ciphertext from the first gateway that has it.
func (c *Client) header(ctx context.Context, record ledger.Record) ([]byte, error) {
	first := fmt.Sprintf("bytes=0-%d", agefile.HeaderSize-1)
	var failures []error
	for _, g := range c.inOrder() {
		header, err := readHeader(ctx, g, record, first)
		if err == nil {
			return header, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

func readHeader(ctx context.Context, g *gateway, record ledger.Record, first string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	response, err := g.api.ReadContent(ctx, record.ID, record.Version, &api.ReadContentParams{Range: &first})
	if err != nil {
		return nil, g.silent(ctx, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusPartialContent && response.StatusCode != http.StatusOK {
		return nil, g.problem(response)
	}
	header := make([]byte, agefile.HeaderSize)
	if _, err := io.ReadFull(response.Body, header); err != nil {
		return nil, fault.New(fault.ContentUnavailable, "%s: the content of record %s is cut short", g.name(), record.ID)
	}
	return header, nil
}

// onceCut is a key for one emergency grant, and its fragments for the responder.
type onceCut struct {
	key       *umbral.PublicKey
	statement string // of the custodian, about the key
	fragments ledger.Fragments
	sealed    []ledger.SealedFragment
}

// cutOnce makes a key for one emergency grant, cuts it for the responder and forgets it.
func (c *Client) cutOnce(ctx context.Context, declaration ledger.Declaration, v ledger.RecordVersion) (cut onceCut, err error) {
	once, err := umbral.GenerateSecretKey(nil)
	if err != nil {
		return cut, err
	}
	cut.key = once.PublicKey()
	cut.statement, err = c.creator.Signer.SignKeyStatement(trust.KeyStatement{
		Kind: ledger.KeyOneTime, Key: cut.key.Bytes(), User: c.identity.User,
		Record: v.Record, Version: v.Version, Issued: time.Now().UTC(),
	})
	if err != nil {
		return cut, err
	}
	cut.fragments, cut.sealed, err = c.fragments(ctx, share{
		version: v, grantee: declaration.Responder.User,
		grant:  ledger.EmergencyGrantID(declaration.ID, v, c.identity.User),
		secret: func(context.Context) (*umbral.SecretKey, error) { return once, nil },
	})
	return cut, err
}

// issueEmergency wraps the file key to the key that was cut for the responder.
func (c *Client) issueEmergency(ctx context.Context, cut onceCut, fileKey []byte, arguments ledger.IssueEmergencyGrant) error {
	capsule, wrapped, err := umbral.Encrypt(rand.Reader, cut.key, fileKey)
	if err != nil {
		return err
	}
	arguments.Key = ledger.OneTimeKey{Key: cut.statement, Capsule: capsule.Bytes(), Wrapped: wrapped}
	arguments.Fragments = cut.fragments
	if err := arguments.Validate(); err != nil {
		return err
	}
	_, _, err = submit[ledger.Grant](ctx, c, change{name: ledger.TxIssueEmergencyGrant, arguments: arguments, private: transient{ledger.TransientFragments: cut.sealed}})
	return err
}

// emergencyKey is the delegating key of an emergency grant, by its custodian's statement.
func (c *Client) emergencyKey(o opening) (*umbral.PublicKey, error) {
	statement, err := c.bundle.VerifyKeyStatement(o.grant.OneTimeKey.Key, ledger.KeyOneTime, o.grant.Issuer)
	if err != nil {
		return nil, altered(o.from.name(), "the key of the emergency grant %s is not one of %s: %v", o.grant.ID, o.grant.Issuer, err)
	}
	if statement.Record != o.grant.Record || statement.Version != o.grant.Version {
		return nil, altered(o.from.name(), "the key of the emergency grant %s is that of another record", o.grant.ID)
	}
	return umbral.ParsePublicKey(statement.Key)
}

// identity is what opens one content with the fragments that proxies gave for it: with an
// emergency grant they open what the custodian wrapped the file key with.
func (c *Client) identityOf(o opening, p parties, cfrags []*umbral.VerifiedCapsuleFrag) (age.Identity, error) {
	if o.grant.OneTimeKey == nil {
		return agefile.NewReencryptedIdentity(c.keys.receiving(), o.key, cfrags), nil
	}
	fileKey, err := umbral.DecryptReencrypted(c.keys.receiving(), p.delegating, p.capsules[0], cfrags, o.grant.OneTimeKey.Wrapped)
	if err != nil {
		return nil, &AlteredError{Code: fault.Altered, Who: "the custodian " + o.grant.Issuer.String(), What: "the file key that it wrapped does not open"}
	}
	return age.NewInjectedFileKeyIdentity(fileKey), nil
}
