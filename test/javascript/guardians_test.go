package javascript

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// share is one that the app made.
type share struct {
	Guardian ledger.UserID
	Text     string
	Sealed   []byte
}

// The patient loses the device twice: the app's shares bring the keys back to the app and
// to pie, and pie's bring them back to the app.
func (p *practice) guardians(t *testing.T) {
	record := p.authorize(t, p.author)
	p.upload(t, record)
	lost := *p.app
	var made []share
	p.run(&made, "split", map[string]any{"shares": 3, "threshold": 2, "users": []ledger.UserID{p.colleague.Identity().User}})
	first := p.sealed(t, made[0])
	p.keeps(t)

	p.anew(t, first, made[2].Text)
	p.opens(t, record)
	asked := p.request(t, record)
	var grant ledger.Grant
	p.run(&grant, "grant", asked.ID, soon())
	p.colleagueOpens(t, record)
	if message := lost.fails("authorize", ledger.PersonSubject(lost.user), policy(), soon()); !strings.HasPrefix(message, "permission_denied: ") {
		t.Errorf("the lost device was answered with %s", message)
	}

	pie := newTerminal(t)
	pie.run("recovery", "combine", write(t, "two.txt", made[1].Text), write(t, "three.txt", made[2].Text))
	pie.run("enroll", "--invitation", writeInvitation(t, p.invitedAgain(t)))
	pie.opens(record)

	shares := filepath.Join(t.TempDir(), "shares")
	pie.run("recovery", "split", "--shares", "4", "--threshold", "3", "--out", shares)
	split := []any{read(t, shares, "share-4.txt"), read(t, shares, "share-1.txt"), read(t, shares, "share-2.txt")}
	p.refusesShares(t, pie, made, split)
	p.anew(t, split...)
	p.opens(t, record)
}

// Somebody has an invitation for the patient's pseudonym, and neither device nor shares:
// the patient is told, and says no.
func (p *practice) otherKeys(t *testing.T) {
	other := *p.app
	other.kept = filepath.Join(t.TempDir(), "kept.json")
	if message := other.fails("enrol", writeInvitation(t, p.invitedAgain(t))); !strings.HasPrefix(message, "already_exists: ") {
		t.Errorf("the device of another seed was answered with %s", message)
	}
	var asked, again, rejected ledger.KeyReplacement
	other.run(&asked, "requestReplacement")
	if other.run(&again, "requestReplacement"); again.ID != asked.ID {
		t.Errorf("asked for %s, and then for %s", asked.ID, again.ID)
	}
	if message := other.fails("finishReplacement"); !strings.HasPrefix(message, "state_conflict: ") {
		t.Errorf("what nobody approved was answered with %s", message)
	}
	if message := other.fails("rejectReplacement", asked.ID); !strings.HasPrefix(message, "permission_denied: ") {
		t.Errorf("an objection by another seed was answered with %s", message)
	}
	p.told(t, ledger.EventKeyReplacementRequested)
	var listed []ledger.KeyReplacement
	if p.run(&listed, "replacements"); len(listed) != 1 || listed[0].IdentityKey != asked.IdentityKey {
		t.Errorf("the patient sees %+v", listed)
	}
	if p.run(&rejected, "rejectReplacement", asked.ID); rejected.State != ledger.ReplacementRejected {
		t.Errorf("the replacement is %s", rejected.State)
	}
}

// sealed is the share that the colleague keeps, whom alone it is sealed to.
func (p *practice) sealed(t *testing.T, made share) string {
	t.Helper()
	if made.Guardian != p.colleague.Identity().User || made.Text != "" {
		t.Errorf("the first share is %+v", made)
	}
	words, owner, err := p.colleague.OpenShare(made.Sealed)
	if err != nil || owner != p.user {
		t.Fatalf("the colleague keeps a share of %s: %v", owner, err)
	}
	if _, _, err := p.author.OpenShare(made.Sealed); fault.CodeOf(err) != fault.PermissionDenied {
		t.Errorf("somebody else opened the colleague's share: %v", err)
	}
	return words
}

// keeps has the patient keep a share of the author's, and nobody else's.
func (p *practice) keeps(t *testing.T) {
	t.Helper()
	theirs, err := p.author.SplitSeed(t.Context(), client.Guardians{
		Shares: 2, Threshold: 2, Users: []ledger.UserID{p.user, p.colleague.Identity().User},
	})
	if err != nil {
		t.Fatal(err)
	}
	var kept struct {
		Owner ledger.UserID
		Share string
	}
	p.run(&kept, "openShare", theirs[0].Text)
	if kept.Owner != p.author.Identity().User || !strings.Contains(kept.Share, "Share 1 of 2") {
		t.Errorf("the patient keeps %+v", kept)
	}
	if message := p.fails("openShare", theirs[1].Text); !strings.HasPrefix(message, "permission_denied: ") {
		t.Errorf("the colleague's share was answered with %s", message)
	}
}

// refusesShares wants both to refuse the same shares, and the invitation to stay good.
func (p *practice) refusesShares(t *testing.T, pie *terminal, made []share, split []any) {
	t.Helper()
	invitation := writeInvitation(t, p.invitedAgain(t))
	lines := strings.Split(strings.TrimSpace(made[1].Text), "\n")
	words := strings.Fields(lines[len(lines)-1])
	words[0], words[1] = words[1], words[0]
	altered := strings.Join(lines[:len(lines)-1], "\n") + "\n" + strings.Join(words, " ")
	for name, shares := range map[string][]any{
		"too few":             {split[0], split[1]},
		"of different splits": {split[0], split[1], made[2].Text},
		"altered":             {made[2].Text, altered},
	} {
		if message := p.fails("enrol", append([]any{invitation}, shares...)...); !strings.HasPrefix(message, "invalid_argument: ") {
			t.Errorf("%s: the app said %s", name, message)
		}
		arguments := []string{"recovery", "combine"}
		for _, text := range shares {
			arguments = append(arguments, write(t, "share.txt", text.(string)))
		}
		pie.refused(fault.InvalidArgument, arguments...)
	}
}

// anew gives the patient a new device, with the seed that shares give back.
func (p *practice) anew(t *testing.T, shares ...any) {
	t.Helper()
	old := p.user
	p.kept += ".new" // beside the old one: the next flow goes on with it
	p.enrol(p.invitedAgain(t), shares...)
	if p.user != old {
		t.Errorf("the new device is that of %s", p.user)
	}
}

func (p *practice) invitedAgain(t *testing.T) trust.Invitation {
	t.Helper()
	invitation, err := p.network.InviteAgain(t.Context(), p.user, "")
	if err != nil {
		t.Fatal(err)
	}
	return invitation
}

// terminal is a home that the program pie works in.
type terminal struct {
	t             *testing.T
	program, home string
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	program := filepath.Join(t.TempDir(), "pie")
	run(t, ".", "go", "build", "-ldflags", "-s -w", "-o", program, "../../client/cmd/pie")
	return &terminal{t, program, filepath.Join(t.TempDir(), "home")}
}

func (c *terminal) command(arguments []string) *exec.Cmd {
	return exec.CommandContext(c.t.Context(), c.program, append([]string{"--home", c.home}, arguments...)...)
}

func (c *terminal) run(arguments ...string) {
	c.t.Helper()
	if output, err := c.command(arguments).CombinedOutput(); err != nil {
		c.t.Fatalf("pie %s: %v\n%s", strings.Join(arguments, " "), err, output)
	}
}

func (c *terminal) refused(code fault.Code, arguments ...string) {
	c.t.Helper()
	output, err := c.command(arguments).CombinedOutput()
	if err == nil || !bytes.Contains(output, []byte(code+": ")) {
		c.t.Errorf("pie %s: %v\n%s", strings.Join(arguments, " "), err, output)
	}
}

func (c *terminal) opens(record ledger.ID) {
	c.t.Helper()
	opened := filepath.Join(c.t.TempDir(), "opened")
	c.run("record", "open", string(record), "--out", opened)
	if text := read(c.t, filepath.Dir(opened), "opened"); text != emr {
		c.t.Errorf("pie opened %q", text)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
