package main

import (
	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger/trust"
)

func (a *app) enroll() *cobra.Command {
	var file string
	var protect bool
	command := &cobra.Command{
		Use:   "enroll --invitation FILE",
		Short: "Make keys here, get a certificate and register, with an invitation of your hospital",
		Long: `Make keys here, get a certificate and register, with an invitation of your hospital.

Private keys never leave the home directory. Interrupted, run it again: it finishes,
or says that the invitation is spent and a new one is needed.

With a fresh invitation for the user of the home it brings the trust bundle up to date,
and renews the certificate when less than a third of its life is left; keys stay.`,
		Example: "  pie enroll --invitation invitation.json\n  pie enroll --invitation invitation.json --ask-passphrase",
		Args:    usage.Exactly(),
		RunE: func(command *cobra.Command, _ []string) error {
			if a.gateway != "" {
				return usage.Errorf("enroll asks the gateway that the invitation names, and takes no --gateway")
			}
			invitation, err := trust.LoadInvitation(file)
			if err != nil {
				return err
			}
			var passphrase func() (string, error)
			if protect || a.passphraseFile != "" {
				passphrase = a.newPassphrase
			}
			a.progress.step("enrolling at " + invitation.Gateway)
			c, err := client.Enroll(command.Context(), a.home, invitation, passphrase)
			if err != nil {
				return err
			}
			a.client = c
			return a.printIdentity(c)
		},
	}
	command.Flags().StringVar(&file, "invitation", "", "file that the hospital handed out")
	command.Flags().BoolVar(&protect, "ask-passphrase", false, "keep the keys under a passphrase, asked for on the terminal")
	require(command, "invitation")
	return command
}

func (a *app) whoami() *cobra.Command {
	return &cobra.Command{
		Use:     "whoami",
		Short:   "Show who you are to others",
		Example: "  pie whoami\n  pie whoami --json",
		Args:    usage.Exactly(),
		RunE: func(*cobra.Command, []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			return a.printIdentity(c)
		},
	}
}

func (a *app) printIdentity(c *client.Client) error {
	identity := c.Identity()
	card, _, err := c.Card()
	if err != nil {
		return err
	}
	shown := map[string]any{"user": identity.User, "role": identity.Role, "clearance": identity.Clearance,
		"department": identity.Department, "name": card.Name, "gateway": c.Gateway()}
	return a.print(shown, table{
		{"user", identity.User.String()}, {"role", string(identity.Role)}, {"clearance", dash(identity.Clearance)},
		{"department", dash(identity.Department)}, {"name", dash(card.Name)}, {"gateway", c.Gateway()},
	})
}
