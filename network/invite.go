package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/network/internal/consortium"
)

// inviteTimeout bounds the conversation with the CA.
const inviteTimeout = 30 * time.Second

func inviteCommand() *cobra.Command {
	var guest consortium.Guest
	var out string
	command := &cobra.Command{
		Use:   "invite",
		Short: "Register a user at a hospital and write their invitation",
		Long: "invite registers a user, under a new random pseudonym, at a hospital's CA and writes\n" +
			"the invitation that they enrol with: enrolment secret, trust bundle, and for a\n" +
			"professional the card that patients are shown. The secret works once; hand the\n" +
			"invitation over in person.",
		Example: "  pie-network invite --org HospitalA --role patient --out patient.json\n" +
			"  pie-network invite --org HospitalA --role physician --clearance private \\\n" +
			"    --department cardiology --name \"Dr. Ito\" --out ito.json",
		Args:    cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error { return guest.Validate() },
		RunE: does(func(command *cobra.Command, data string, _ []string) error {
			return invite(command, data, guest, out)
		}),
	}
	flags := command.Flags()
	flags.StringVar(&guest.MSP, "org", "", "`MSP` of the hospital that invites")
	flags.StringVar((*string)(&guest.Role), "role", "", fmt.Sprintf("what the user is, `one` of %v", ledger.Roles()))
	flags.StringVar((*string)(&guest.Clearance), "clearance", "", fmt.Sprintf("highest `level` that a professional may read: %v", ledger.Levels()))
	flags.StringVar(&guest.Department, "department", "", "a professional's `department`")
	flags.StringVar(&guest.Name, "name", "", "a professional's `name`, as patients see it")
	flags.StringVar(&out, "out", "", "`file` for the invitation, which must not exist (default: standard output)")
	return command
}

func invite(command *cobra.Command, data string, guest consortium.Guest, out string) error {
	ctx, cancel := context.WithTimeout(command.Context(), inviteTimeout)
	defer cancel()
	network, err := consortium.Open(data, nil)
	if err != nil {
		return err
	}
	target := os.Stdout
	if out != "" {
		// Before anybody is registered: an invitation that can not be written is lost.
		if target, err = os.OpenFile(out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
			return fmt.Errorf("write the invitation: %w", err)
		}
		defer target.Close()
	}
	invitation, err := network.Invite(ctx, guest)
	if err == nil {
		err = json.NewEncoder(target).Encode(invitation)
	}
	if err != nil {
		if out != "" {
			os.Remove(out)
		}
		return err
	}
	if out != "" {
		fmt.Fprintf(command.ErrOrStderr(), "invited %s/%s as %s; hand over %s, it works once\n", invitation.MSP, invitation.Pseudonym, guest.Role, out)
	}
	return nil
}
