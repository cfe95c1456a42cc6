package agefile_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"filippo.io/age"
	"pgregory.net/rapid"

	"github.com/pie-consortium/pie/umbral"
	"github.com/pie-consortium/pie/umbral/agefile"
)

// parties are the keys of one grant, 2 of 3.
type parties struct {
	delegating, receiving *umbral.SecretKey
	signer                *umbral.Signer
	kfrags                []*umbral.VerifiedKeyFrag
}

func newParties(t testing.TB) *parties {
	t.Helper()
	p := &parties{delegating: newKey(t), receiving: newKey(t), signer: umbral.NewSigner(newKey(t))}
	kfrags, err := umbral.GenerateKeyFrags(nil, umbral.KeyFragParams{
		DelegatingSK: p.delegating, ReceivingPK: p.receiving.PublicKey(), Signer: p.signer,
		Threshold: 2, Shares: 3, SignDelegatingKey: true, SignReceivingKey: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.kfrags = kfrags
	return p
}

func newKey(t testing.TB) *umbral.SecretKey {
	t.Helper()
	sk, err := umbral.GenerateSecretKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return sk
}

// reencrypt lets the first n proxies re-encrypt the capsule of file.
func (p *parties) reencrypt(t testing.TB, file []byte, n int) []*umbral.VerifiedCapsuleFrag {
	t.Helper()
	capsule, err := agefile.ReadCapsule(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var cfrags []*umbral.VerifiedCapsuleFrag
	for _, k := range p.kfrags[:n] {
		c, err := umbral.Reencrypt(nil, capsule, k)
		if err != nil {
			t.Fatal(err)
		}
		cfrags = append(cfrags, c)
	}
	return cfrags
}

func encrypt(t testing.TB, content []byte, recipients ...age.Recipient) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, recipients...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func decrypt(file []byte, identities ...age.Identity) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(file), identities...)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func TestOwnerAndDelegateeOpenWhatWasEncrypted(t *testing.T) {
	p := newParties(t)
	recipient := agefile.NewRecipient(p.delegating.PublicKey())
	for _, size := range []int{0, 1, 400, 64 << 10, 200_000} {
		content := bytes.Repeat([]byte{0xa5}, size)
		file := encrypt(t, content, recipient)
		delegatee := agefile.NewReencryptedIdentity(p.receiving, p.delegating.PublicKey(), p.reencrypt(t, file, 2))
		for name, id := range map[string]age.Identity{"owner": agefile.NewIdentity(p.delegating), "delegatee": delegatee} {
			got, err := decrypt(file, id)
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s, %d bytes: got %d bytes, %v", name, size, len(got), err)
			}
		}
	}
}

func TestOwnerFindsTheRightOneOfSeveralKeys(t *testing.T) {
	right, wrong := newKey(t), newKey(t)
	file := encrypt(t, []byte("content"), agefile.NewRecipient(right.PublicKey()))
	got, err := decrypt(file, agefile.NewIdentity(wrong), agefile.NewIdentity(right))
	if err != nil || string(got) != "content" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestWrongKeysAreIncorrectIdentities(t *testing.T) {
	p, other := newParties(t), newParties(t)
	recipient := agefile.NewRecipient(p.delegating.PublicKey())
	file, second := encrypt(t, []byte("content"), recipient), encrypt(t, []byte("content"), recipient)
	pk := p.delegating.PublicKey()
	for name, c := range map[string]struct {
		identity age.Identity
		rule     error
	}{
		"another owner":             {agefile.NewIdentity(other.delegating), umbral.ErrDecryption},
		"another delegatee":         {agefile.NewReencryptedIdentity(other.receiving, pk, p.reencrypt(t, file, 2)), umbral.ErrCapsuleFrags},
		"too few fragments":         {agefile.NewReencryptedIdentity(p.receiving, pk, p.reencrypt(t, file, 1)), umbral.ErrCapsuleFrags},
		"no fragments":              {agefile.NewReencryptedIdentity(p.receiving, pk, nil), umbral.ErrNoCapsuleFrags},
		"fragments of another file": {agefile.NewReencryptedIdentity(p.receiving, pk, p.reencrypt(t, second, 2)), umbral.ErrCapsuleFrags},
	} {
		_, err := decrypt(file, c.identity)
		if !errors.Is(err, age.ErrIncorrectIdentity) || !errors.Is(err, c.rule) {
			t.Errorf("%s: got %v, want age.ErrIncorrectIdentity and %v", name, err, c.rule)
		}
	}
}

func TestASecondRecipientIsRefused(t *testing.T) {
	recipient := agefile.NewRecipient(newKey(t).PublicKey())
	x25519, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for name, second := range map[string]age.Recipient{
		"umbral": agefile.NewRecipient(newKey(t).PublicKey()),
		"X25519": x25519.Recipient(),
	} {
		if _, err := age.Encrypt(io.Discard, recipient, second); err == nil {
			t.Errorf("age encrypted to an umbral and a second %s recipient", name)
		}
	}
}

func TestUnwrapRefusesStanzas(t *testing.T) {
	sk := newKey(t)
	good := func() *age.Stanza {
		stanzas, err := agefile.NewRecipient(sk.PublicKey()).Wrap(make([]byte, 16))
		if err != nil || len(stanzas) != 1 {
			t.Fatalf("got %d stanzas, %v", len(stanzas), err)
		}
		return stanzas[0]
	}
	with := func(change func(*age.Stanza)) []*age.Stanza {
		s := good()
		change(s)
		return []*age.Stanza{s}
	}
	for name, c := range map[string]struct {
		stanzas []*age.Stanza
		want    error
	}{
		"none":              {nil, age.ErrIncorrectIdentity},
		"another type":      {with(func(s *age.Stanza) { s.Type = "X25519" }), age.ErrIncorrectIdentity},
		"two":               {[]*age.Stanza{good(), good()}, agefile.ErrHeader},
		"one beside grease": {[]*age.Stanza{good(), {Type: "x-grease"}}, agefile.ErrHeader},
		"no argument":       {with(func(s *age.Stanza) { s.Args = nil }), agefile.ErrHeader},
		"two arguments":     {with(func(s *age.Stanza) { s.Args = append(s.Args, "x") }), agefile.ErrHeader},
		"padded base64":     {with(func(s *age.Stanza) { s.Args[0] += "=" }), agefile.ErrHeader},
		"loose last bits":   {with(func(s *age.Stanza) { s.Args[0] = looseBits(s.Args[0]) }), agefile.ErrHeader},
		"short capsule":     {with(func(s *age.Stanza) { s.Args[0] = s.Args[0][:128] }), umbral.ErrLength},
		"forged capsule":    {with(func(s *age.Stanza) { s.Args[0] = base64.RawStdEncoding.EncodeToString(make([]byte, 98)) }), umbral.ErrPoint},
		"short body":        {with(func(s *age.Stanza) { s.Body = s.Body[1:] }), agefile.ErrHeader},
		"long body":         {with(func(s *age.Stanza) { s.Body = append(s.Body, 0) }), agefile.ErrHeader},
		"altered body":      {with(func(s *age.Stanza) { s.Body[40] ^= 1 }), age.ErrIncorrectIdentity},
	} {
		if _, err := agefile.NewIdentity(sk).Unwrap(c.stanzas); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if _, err := agefile.NewIdentity(sk).Unwrap([]*age.Stanza{good()}); err != nil {
		t.Errorf("unchanged stanza: %v", err)
	}
}

// looseBits sets the bits of the last character that encode nothing.
func looseBits(encoded string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	last := strings.IndexByte(alphabet, encoded[len(encoded)-1])
	return encoded[:len(encoded)-1] + string(alphabet[last|1])
}

func TestReadCapsuleReadsTheHeaderOnly(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		content := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(rt, "content")
		file := encrypt(t, content, agefile.NewRecipient(newKey(t).PublicKey()))
		r := bytes.NewReader(file)
		if _, err := agefile.ReadCapsule(iotest.OneByteReader(r)); err != nil {
			rt.Fatal(err)
		}
		if read := len(file) - r.Len(); read != agefile.HeaderSize {
			rt.Fatalf("read %d bytes, want %d", read, agefile.HeaderSize)
		}
	})
}

func TestReadCapsuleRefuses(t *testing.T) {
	file := encrypt(t, []byte("content"), agefile.NewRecipient(newKey(t).PublicKey()))
	x25519, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	header, payload := string(file[:agefile.HeaderSize]), string(file[agefile.HeaderSize:])
	closing := strings.Index(header, "--- ")
	stanza := header[strings.Index(header, "-> "):closing]
	for name, c := range map[string]struct {
		file string
		want error
	}{
		"nothing":            {"", agefile.ErrHeader},
		"one byte short":     {header[:len(header)-1], agefile.ErrHeader},
		"not an age file":    {strings.Repeat("x", 4096), agefile.ErrHeader},
		"endless line":       {header[:22] + "-> " + strings.Repeat("x", 1<<20), agefile.ErrHeader},
		"another recipient":  {string(encrypt(t, make([]byte, 1000), x25519.Recipient())), agefile.ErrHeader},
		"two umbral stanzas": {header[:closing] + stanza + header[closing:] + payload, agefile.ErrHeader},
		"other stanza first": {header[:22] + "-> x\n\n" + header[22:] + payload, agefile.ErrHeader},
		"carriage returns":   {strings.ReplaceAll(header, "\n", "\r\n") + payload, agefile.ErrHeader},
		"another version":    {strings.Replace(header, "/v1", "/v2", 1) + payload, agefile.ErrHeader},
		"altered capsule":    {strings.Replace(header, "umbral A", "umbral B", 1) + payload, umbral.ErrPoint},
	} {
		if _, err := agefile.ReadCapsule(strings.NewReader(c.file)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestReadCapsulePassesOnTheErrorOfItsReader(t *testing.T) {
	broken := errors.New("connection lost")
	if _, err := agefile.ReadCapsule(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Fatalf("got %v, want %v", err, broken)
	}
}

func TestAlteredFilesDoNotOpen(t *testing.T) {
	sk := newKey(t)
	file := encrypt(t, []byte("content"), agefile.NewRecipient(sk.PublicKey()))
	for i := range file {
		altered := bytes.Clone(file)
		altered[i] ^= 1
		if _, err := decrypt(altered, agefile.NewIdentity(sk)); err == nil {
			t.Errorf("opens with byte %d altered", i)
		}
	}
}

func FuzzReadCapsule(f *testing.F) {
	sk := newKey(f)
	file := encrypt(f, []byte("content"), agefile.NewRecipient(sk.PublicKey()))
	f.Add(file)
	f.Add(file[:agefile.HeaderSize])
	f.Add(bytes.Replace(file, []byte("umbral"), []byte("X25519"), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		capsule, err := agefile.ReadCapsule(bytes.NewReader(b))
		if err != nil {
			return
		}
		again, err := umbral.ParseCapsule(capsule.Bytes())
		if err != nil || !again.Equal(capsule) {
			t.Fatalf("capsule does not encode back: %v", err)
		}
	})
}
