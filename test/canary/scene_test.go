package canary

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/network/networktest"
	"github.com/pie-consortium/pie/umbral"
)

// planted begins the name of a canary that is to be found.
const planted = "planted "

// scene is a running network, people with devices, and all that must stay where it is.
type scene struct {
	network  *networktest.Network
	data     string // the network's folder
	program  string // pie
	canaries []Canary
	shown    []output
	glanced  []Finding // early on, where it must not be
	people   []*person
	outlets  []*outlet
	// forgotten are what hospitals knew and were told to erase.
	forgotten []Canary
	// handed are files that people hand on, as the places that they are.
	handed map[string]PlaceKind
}

// output is what one command printed.
type output struct {
	name           string
	stdout, stderr []byte
}

// person is somebody with a device: a home for keys, a folder for documents.
type person struct {
	name       string
	guest      networktest.Guest
	dir        string
	passphrase string
	user       ledger.UserID
	seed       []byte
}

func (p *person) home() string { return filepath.Join(p.dir, "home") }

// device is the person's home as a place. Under a passphrase not even its own keys may
// stand there in clear.
func (p *person) device() Place {
	place := Place{Kind: Device, Name: "the home of the " + p.name, Owner: p.name}
	if p.passphrase != "" {
		place.Owner = ""
	}
	return place
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{program: filepath.Join(t.TempDir(), "pie"), handed: map[string]PlaceKind{}}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", s.program, "github.com/pie-consortium/pie/client/cmd/pie")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build pie: %v\n%s", err, text)
	}
	var err error
	if s.network, err = networktest.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.network.Close(); err != nil {
			t.Error(err)
		}
	})
	s.data = filepath.Dir(s.network.BundleFile)
	s.keepServiceKeys(t)
	s.tellEverything(t)
	return s
}

// keepServiceKeys makes canaries of the hospitals' own keys, and of the secrets in their
// files.
func (s *scene) keepServiceKeys(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(s.data, "organizations"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !slices.Contains([]string{"key.pem", "proxy.key", "account.secret", "account.pem"}, entry.Name()) {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(s.data, path)
		if err != nil {
			return err
		}
		key, err := secretIn(text)
		s.canaries = append(s.canaries, Canary{Name: name, Kind: ServiceKey, Owner: ownerOf(name), Value: key})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// secretIn is the scalar of a private key in PEM, or else the text.
func secretIn(text []byte) ([]byte, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return bytes.TrimSpace(text), nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("a key of the unexpected type %T", parsed)
	}
	return key.Bytes()
}

// word makes up a value that is nowhere else and keeps it as a canary.
func (s *scene) word(name string, kind Kind) string {
	text := "canary" + strings.ToLower(rand.Text())
	s.canaries = append(s.canaries, Canary{Name: name, Kind: kind, Value: []byte(text)})
	return text
}

// plant makes up a value that is to be found: a leak on purpose.
func (s *scene) plant(name string, kind Kind) Canary {
	c := Canary{Name: planted + name, Kind: kind, Value: []byte("canary" + strings.ToLower(rand.Text()))}
	s.canaries = append(s.canaries, c)
	return c
}

// enroll invites somebody and lets them enrol with pie, with a mistyped secret first and
// once more at the end.
func (s *scene) enroll(t *testing.T, p *person) {
	t.Helper()
	p.dir = filepath.Join(t.TempDir(), p.name)
	if p.guest.Role != ledger.RolePatient {
		// A department stands in the certificate, for everybody to see.
		p.guest.Department = s.word("department of the "+p.name, Public)
		p.guest.Name = "Dr. " + s.word("name of the "+p.name, Name)
		s.digests("name of the "+p.name, p.guest.Name)
	}
	invitation, err := s.network.Invite(t.Context(), p.guest)
	if err != nil {
		t.Fatal(err)
	}
	p.user = ledger.UserID{MSP: invitation.MSP, Pseudonym: invitation.Pseudonym}
	s.canaries = append(s.canaries,
		Canary{Name: "enrolment secret of the " + p.name, Kind: Secret, Value: []byte(invitation.Secret)},
		Canary{Name: "pseudonym of the " + p.name, Kind: Public, Value: []byte(invitation.Pseudonym)})
	write(t, filepath.Join(p.dir, "passphrase"), []byte(p.passphrase))
	writeJSON(t, filepath.Join(p.dir, "invitation"), invitation)
	invitation.Secret += "x"
	writeJSON(t, filepath.Join(p.dir, "mistyped"), invitation)
	s.fails(t, p, 3, "enroll", "--invitation", "mistyped")
	s.pie(t, p, "enroll", "--invitation", "invitation")
	s.pie(t, p, "enroll", "--invitation", "invitation")
	s.people = append(s.people, p)
	s.keepKeys(t, p)
}

func writeJSON(t *testing.T, path string, value any) {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, text)
}

// pie runs a command on somebody's device and returns what it printed.
func (s *scene) pie(t *testing.T, p *person, arguments ...string) []byte {
	t.Helper()
	s.fails(t, p, 0, arguments...)
	return s.shown[len(s.shown)-1].stdout
}

// fails runs a command that is to end with the exit code.
func (s *scene) fails(t *testing.T, p *person, want int, arguments ...string) {
	t.Helper()
	if got := s.run(t, p, arguments...); got != want {
		t.Fatalf("the %s: pie %s: exit code %d, want %d: %s", p.name, strings.Join(arguments, " "), got, want, s.shown[len(s.shown)-1].stderr)
	}
}

// run runs a command, keeps what it printed, and returns its exit code.
func (s *scene) run(t *testing.T, p *person, arguments ...string) int {
	t.Helper()
	command := s.command(t, p, arguments...)
	var exit *exec.ExitError
	if err := command.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	s.show(p, command, arguments)
	return command.ProcessState.ExitCode()
}

// begin runs a command until stop is called.
func (s *scene) begin(t *testing.T, p *person, arguments ...string) (stop func()) {
	t.Helper()
	command := s.command(t, p, arguments...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := errors.Join(command.Process.Signal(os.Interrupt), command.Wait()); err != nil {
			t.Fatal(err)
		}
		s.show(p, command, arguments)
	}
}

func (s *scene) command(t *testing.T, p *person, arguments ...string) *exec.Cmd {
	all := append([]string{"--home", p.home()}, arguments...)
	if p.passphrase != "" {
		all = append(all, "--passphrase-file", "passphrase")
	}
	command := exec.CommandContext(t.Context(), s.program, all...)
	command.Dir = p.dir
	command.Stdout, command.Stderr = new(bytes.Buffer), new(bytes.Buffer)
	return command
}

// show keeps what a command printed that has ended.
func (s *scene) show(p *person, command *exec.Cmd, arguments []string) {
	s.shown = append(s.shown, output{
		"pie " + strings.Join(arguments[:2], " ") + " of the " + p.name,
		command.Stdout.(*bytes.Buffer).Bytes(), command.Stderr.(*bytes.Buffer).Bytes(),
	})
}

// keys is what a device keeps secret.
type keys struct{ Identity, Seed []byte }

// keepKeys makes canaries of a device's keys and of those that derive from them.
func (s *scene) keepKeys(t *testing.T, p *person) {
	t.Helper()
	s.keepDevice(t, p, "identity key")
	s.key(p, "seed", p.seed)
	var registered struct{ Arguments ledger.RegisterUser }
	text, err := os.ReadFile(filepath.Join(p.home(), "registration.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &registered); err != nil {
		t.Fatal(err)
	}
	if len(registered.Arguments.Keys) != 2 {
		t.Fatalf("the %s registered %d keys, want 2", p.name, len(registered.Arguments.Keys))
	}
	for i, label := range []string{"receiving", "verifying"} {
		s.derived(t, p, label, registered.Arguments.Keys[i])
	}
}

// keepDevice makes a canary of the key by which hospitals know a device.
func (s *scene) keepDevice(t *testing.T, p *person, name string) {
	t.Helper()
	var kept keys
	if err := json.Unmarshal(readKeys(t, p), &kept); err != nil {
		t.Fatal(err)
	}
	identity, err := secretIn(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: kept.Identity}))
	if err != nil {
		t.Fatal(err)
	}
	p.seed = kept.Seed
	s.key(p, name, identity)
}

// derived makes a canary of a key that the seed gives, once it is known to be the one
// that was stated.
func (s *scene) derived(t *testing.T, p *person, label, statement string) {
	t.Helper()
	factory, err := umbral.NewSecretKeyFactory(p.seed)
	if err != nil {
		t.Fatal(err)
	}
	stated, err := trust.PeekKeyStatement(statement)
	if err != nil {
		t.Fatal(err)
	}
	key := factory.SecretKey([]byte(label))
	if !bytes.Equal(key.PublicKey().Bytes(), stated.Key) {
		t.Fatalf("the key %q of the %s is not the one that they stated: keys derive in another way", label, p.name)
	}
	s.key(p, label+" key", key.Bytes())
}

func (s *scene) key(p *person, name string, value []byte) {
	s.canaries = append(s.canaries, Canary{Name: name + " of the " + p.name, Kind: PrivateKey, Owner: p.name, Value: value})
}

func readKeys(t *testing.T, p *person) []byte {
	t.Helper()
	if p.passphrase == "" {
		text, err := os.ReadFile(filepath.Join(p.home(), "keys.json"))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	file, err := os.Open(filepath.Join(p.home(), "keys.json.age"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	identity, err := age.NewScryptIdentity(p.passphrase)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := age.Decrypt(file, identity)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(opened)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// digests forbids the unkeyed hashes of a value.
func (s *scene) digests(name, value string) {
	s.canaries = append(s.canaries, Digests(name, []byte(value))...)
}

// without stops a node while something is done.
func (s *scene) without(t *testing.T, node string, do func()) {
	t.Helper()
	s.glance(t)
	if err := s.network.Stop(node); err != nil {
		t.Fatal(err)
	}
	do()
	if err := s.network.Start(node); err != nil {
		t.Fatal(err)
	}
}

// hospital is one of the network's.
func (s *scene) hospital(t *testing.T, msp string) networktest.Organization {
	t.Helper()
	organization, err := s.network.Organization(msp)
	if err != nil {
		t.Fatal(err)
	}
	return organization
}
