package canary

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pie-consortium/pie/ledger"
)

// loss is a patient who loses one device after another: guardians give the keys back,
// then another hospital is asked to vouch for new ones.
func (s *scene) loss(t *testing.T, c cast) {
	t.Helper()
	c.patient = c.neighbour
	letter := s.document(t, c.physician, "discharge.json", ledger.ClassMedicalInformation, 1)
	s.upload(t, c, letter)
	shares := s.split(t, c.patient, c.colleague)
	if err := s.network.Revoke(t.Context(), c.patient.user, nil); err != nil {
		t.Fatal(err)
	}
	c.patient = s.recover(t, c.patient, shares)
	s.open(t, c.patient, letter)
	s.replacement(t, c)
}

// split splits the seed among a guardian with a device and two without, and returns the
// files of two shares.
func (s *scene) split(t *testing.T, p, guardian *person) []string {
	t.Helper()
	s.pie(t, p, "recovery", "split", "--shares", "3", "--threshold", "2", "--guardian", guardian.user.String(), "--out", "shares")
	sealed := filepath.Join(p.dir, "shares", "share-1.age")
	s.handed[sealed] = Anywhere
	s.pie(t, guardian, "recovery", "share", sealed, "--out", "share-1.txt")
	files := []string{filepath.Join(guardian.dir, "share-1.txt")}
	for _, name := range []string{"share-2.txt", "share-3.txt"} {
		files = append(files, filepath.Join(p.dir, "shares", name))
	}
	for _, file := range files {
		s.key(p, filepath.Base(file), []byte(words(t, file)))
	}
	return files[:2]
}

// words is a share without its remarks.
func words(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			kept = append(kept, strings.TrimSpace(line))
		}
	}
	return strings.Join(kept, " ")
}

// recover makes another device that of somebody, with their shares.
func (s *scene) recover(t *testing.T, lost *person, shares []string) *person {
	t.Helper()
	found := s.nextDevice(t, lost)
	s.pie(t, found, append([]string{"recovery", "combine"}, shares...)...)
	s.pie(t, found, "enroll", "--invitation", "invitation")
	s.keepDevice(t, found, "recovered device's identity key")
	return found
}

// nextDevice is a new device of somebody who has an invitation for it.
func (s *scene) nextDevice(t *testing.T, of *person) *person {
	t.Helper()
	p := &person{name: of.name, guest: of.guest, user: of.user, dir: filepath.Join(t.TempDir(), of.name)}
	invitation, err := s.network.InviteAgain(t.Context(), of.user, "")
	if err != nil {
		t.Fatal(err)
	}
	s.canaries = append(s.canaries, Canary{Name: "next enrolment secret of the " + of.name, Kind: Secret, Value: []byte(invitation.Secret)})
	writeJSON(t, filepath.Join(p.dir, "invitation"), invitation)
	s.people = append(s.people, p)
	return p
}

// replacement asks for other keys in the place of somebody's, who says no.
func (s *scene) replacement(t *testing.T, c cast) {
	t.Helper()
	const failed = 1
	stranger := s.nextDevice(t, c.patient)
	s.fails(t, stranger, failed, "enroll", "--invitation", "invitation")
	var asked struct {
		ID          ledger.ID
		IdentityKey ledger.Digest
	}
	if err := json.Unmarshal(s.pie(t, stranger, "--json", "recovery", "request"), &asked); err != nil {
		t.Fatal(err)
	}
	s.keepDevice(t, stranger, "stranger's identity key")
	s.key(stranger, "stranger's seed", stranger.seed)
	user := c.patient.user.String()
	s.pie(t, c.recoverer, "recovery", "approve", user, string(asked.ID), "--identity-key", asked.IdentityKey.String())
	s.pie(t, c.recoverer, "recovery", "list", "--user", user)
	s.pie(t, c.patient, "recovery", "reject", string(asked.ID))
	s.fails(t, stranger, failed, "recovery", "finish")
}
