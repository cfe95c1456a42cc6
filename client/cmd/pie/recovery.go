package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/internal/input"
	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
)

func (a *app) recovery() *cobra.Command {
	group := &cobra.Command{
		Use:   "recovery",
		Short: "Prepare for a lost device, and go on with a new one",
		Example: "  pie recovery split --shares 3 --threshold 2 --out shares\n" +
			"  pie --home new recovery combine share-1.txt share-3.txt",
	}
	group.AddCommand(a.splitSeed(), a.openShare(), a.combineShares(),
		a.requestReplacement(), a.listReplacements(), a.approveReplacement(), a.rejectReplacement(), a.finishReplacement())
	return group
}

func (a *app) splitSeed() *cobra.Command {
	var among client.Guardians
	var names []string
	var out string
	command := &cobra.Command{
		Use:   "split --out DIR",
		Short: "Split your keys among guardians, some of whom together give them back",
		Long: `Split your keys among guardians, some of whom together give them back.

Each share is a file of 42 words, to be printed or copied by hand. As many shares as the
threshold says give back what you read and sign with; fewer tell nothing. With --guardian
the first shares are sealed to users of PIE, who open them on their own devices alone.
Splitting again makes shares that do not go with older ones, which stay good.`,
		Example: "  pie recovery split --shares 3 --threshold 2 --out shares\n" +
			"  pie recovery split --shares 3 --threshold 2 --guardian HospitalB/k4wq7h --out shares",
		Args: usage.Exactly(),
		RunE: func(command *cobra.Command, _ []string) error {
			for _, name := range names {
				user, err := ledger.ParseUserID(name)
				if err != nil {
					return err
				}
				among.Users = append(among.Users, user)
			}
			c, err := a.open()
			if err != nil {
				return err
			}
			shares, err := c.SplitSeed(command.Context(), among)
			if err != nil {
				return err
			}
			return a.writeShares(shares, out)
		},
	}
	flags := command.Flags()
	flags.Uint8Var(&among.Shares, "shares", 3, "how many shares to make")
	flags.Uint8Var(&among.Threshold, "threshold", 2, "how many of them give the keys back")
	flags.StringArrayVar(&names, "guardian", nil, "user to seal a share to; may be given again")
	flags.StringVar(&out, "out", "", "directory for the shares, which is made when it does not exist")
	require(command, "out")
	return command
}

// writtenShare says where a share is and for whom.
type writtenShare struct {
	File     string        `json:"file"`
	Guardian ledger.UserID `json:"guardian,omitzero"`
}

// writeShares replaces no file: an old share may be all that is left of an old seed. It
// leaves all shares or none.
func (a *app) writeShares(shares []client.Share, dir string) (err error) {
	_, errBefore := os.Stat(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var written []writtenShare
	defer func() {
		if err == nil {
			return
		}
		for _, share := range written {
			err = errors.Join(err, os.Remove(share.File))
		}
		if errBefore != nil {
			err = errors.Join(err, os.Remove(dir))
		}
	}()
	rows := table{{"FILE", "GUARDIAN"}}
	for _, share := range shares {
		name, keeper := "share-"+strconv.Itoa(int(share.Number))+".txt", "-"
		if share.Guardian != (ledger.UserID{}) {
			name, keeper = "share-"+strconv.Itoa(int(share.Number))+".age", share.Guardian.String()
		}
		path := filepath.Join(dir, name)
		if err := writeNew(path, share.Text); err != nil {
			return fmt.Errorf("share %d: %w", share.Number, err)
		}
		written = append(written, writtenShare{path, share.Guardian})
		rows = append(rows, []string{path, keeper})
	}
	return a.printList(written, rows)
}

// writeNew makes a file that only its owner can read.
func writeNew(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func (a *app) openShare() *cobra.Command {
	var out string
	command := &cobra.Command{
		Use:   "share FILE --out FILE",
		Short: "Open, as a guardian, the share that somebody sealed to you",
		Long: `Open, as a guardian, the share that somebody sealed to you.

Do it when the one it belongs to stands before you and asks for it, and not before.`,
		Example: "  pie recovery share share-1.age --out share-1.txt",
		Args:    usage.Exactly("FILE"),
		RunE: func(_ *cobra.Command, arguments []string) error {
			sealed, err := input.Read(arguments[0])
			if err != nil {
				return err
			}
			c, err := a.open()
			if err != nil {
				return err
			}
			words, owner, err := c.OpenShare(sealed)
			if err != nil {
				return err
			}
			if err := writeNew(out, []byte(words)); err != nil {
				return err
			}
			return a.print(map[string]any{"file": out, "owner": owner}, table{{"file", out}, {"owner", owner.String()}})
		},
	}
	command.Flags().StringVar(&out, "out", "", "file for the words, which must not exist")
	require(command, "out")
	return command
}

func (a *app) combineShares() *cobra.Command {
	var protect bool
	command := &cobra.Command{
		Use:   "combine FILE…",
		Short: "Make a new home with the keys that guardians' shares give back",
		Long: `Make a new home with the keys that guardians' shares give back.

Then ask your hospital's IT to revoke the lost device's certificate and to invite you
again, and enrol: what you could read, and whom you granted what, is as it was.`,
		Example: "  pie recovery combine share-1.txt share-3.txt\n" +
			"  pie enroll --invitation again.json",
		Args: usage.AtLeastOne("FILE"),
		RunE: func(_ *cobra.Command, arguments []string) error {
			var shares []string
			for _, path := range arguments {
				text, err := trust.ReadSecretText(path)
				if err != nil {
					return fmt.Errorf("share: %w", err)
				}
				shares = append(shares, string(text))
			}
			var passphrase func() (string, error)
			if protect || a.passphraseFile != "" {
				passphrase = a.newPassphrase
			}
			if err := client.Recover(a.home, shares, passphrase); err != nil {
				return err
			}
			return a.print(map[string]any{"home": a.home}, table{{"home", a.home}, {"next", "pie enroll --invitation FILE"}})
		},
	}
	command.Flags().BoolVar(&protect, "ask-passphrase", false, "keep the keys under a passphrase, asked for on the terminal")
	return command
}
