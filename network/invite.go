package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/network/internal/consortium"
)

// inviteTimeout bounds the conversation with the CA.
const inviteTimeout = 30 * time.Second

func inviteCommand() *cobra.Command {
	var guest consortium.Guest
	var again, out string
	command := &cobra.Command{
		Use:   "invite",
		Short: "Register a user at a hospital and write their invitation",
		Long: "invite registers a user, under a new random pseudonym, at a hospital's CA and writes\n" +
			"the invitation that they enrol with: enrolment secret, trust bundle, and for a\n" +
			"professional the card that patients are shown. The secret works once; hand the\n" +
			"invitation over in person.\n\n" +
			"With --again it invites a user who lost their device, or whose certificate was\n" +
			"revoked, under the pseudonym that they had. Older invitations of theirs are void.",
		Example: "  pie-network invite --org HospitalA --role patient --out patient.json\n" +
			"  pie-network invite --org HospitalA --role physician --clearance private \\\n" +
			"    --department cardiology --name \"Dr. Ito\" --out ito.json\n" +
			"  pie-network invite --again HospitalA/7f3k2a --out patient.json",
		Args: usage.Exactly(),
		PreRunE: func(*cobra.Command, []string) error {
			if again != "" {
				return onlyName(guest)
			}
			return guest.Validate()
		},
		RunE: does(func(command *cobra.Command, data string, _ []string) error {
			if again == "" {
				return invite(command, data, out, newcomer(guest))
			}
			user, err := ledger.ParseUserID(again)
			if err != nil {
				return err
			}
			return invite(command, data, out, returning(user, guest.Name))
		}),
	}
	flags := command.Flags()
	flags.StringVar(&again, "again", "", "invite this `user` once more, such as HospitalA/7f3k2a, and nobody new")
	flags.StringVar(&guest.MSP, "org", "", "`MSP` of the hospital that invites")
	flags.StringVar((*string)(&guest.Role), "role", "", fmt.Sprintf("what the user is, `one` of %v", ledger.Roles()))
	flags.StringVar((*string)(&guest.Clearance), "clearance", "", fmt.Sprintf("highest `level` that a professional may read: %v", ledger.Levels()))
	flags.StringVar(&guest.Department, "department", "", "a professional's `department`")
	flags.StringVar(&guest.Name, "name", "", "a professional's `name`, as patients see it")
	flags.StringVar(&out, "out", "", "`file` for the invitation, which must not exist (default: standard output)")
	return command
}

// onlyName refuses to change, along with an invitation, what the CA knows of a user, and a
// name that no card can have.
func onlyName(guest consortium.Guest) error {
	if guest.MSP != "" || guest.Role != "" || guest.Clearance != "" || guest.Department != "" {
		return errors.New("again: role, clearance and department stay as they are; only --name goes with it, for a professional's card")
	}
	if guest.Name == "" {
		return nil
	}
	return ledger.ValidateName("name", guest.Name, ledger.MaxName)
}

// inviting registers somebody at a network and returns their invitation.
type inviting func(context.Context, *consortium.Network) (trust.Invitation, error)

func newcomer(guest consortium.Guest) inviting {
	return func(ctx context.Context, network *consortium.Network) (trust.Invitation, error) {
		return network.Invite(ctx, guest)
	}
}

func returning(user ledger.UserID, name string) inviting {
	return func(ctx context.Context, network *consortium.Network) (trust.Invitation, error) {
		return network.InviteAgain(ctx, user, name)
	}
}

func invite(command *cobra.Command, data, out string, somebody inviting) error {
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
	invitation, err := somebody(ctx, network)
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
		fmt.Fprintf(command.ErrOrStderr(), "invited %s/%s; hand over %s, it works once\n", invitation.MSP, invitation.Pseudonym, out)
	}
	return nil
}
