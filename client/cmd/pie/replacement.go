package main

import (
	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
)

func (a *app) requestReplacement() *cobra.Command {
	return &cobra.Command{
		Use:   "request",
		Short: "Ask another hospital to approve this home's keys in the place of your old ones",
		Long: `Ask another hospital to approve this home's keys in the place of your old ones.

For who has neither the old device nor the guardians' shares. A recovery officer of another
hospital than yours approves, in person; three days later, unless somebody with the old
keys objects, finish it. Records under the old keys cannot be read with new ones.`,
		Example: "  pie recovery request",
		Args:    usage.Exactly(),
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			asked, err := c.RequestReplacement(command.Context())
			if err != nil {
				return err
			}
			return a.printReplacement(asked)
		},
	}
}

func (a *app) listReplacements() *cobra.Command {
	var of string
	command := &cobra.Command{
		Use:     "list",
		Short:   "List what was asked for your keys, or for another user's",
		Example: "  pie recovery list\n  pie recovery list --user HospitalA/7f3k2a",
		Args:    usage.Exactly(),
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			user := c.Identity().User
			if of != "" {
				if user, err = ledger.ParseUserID(of); err != nil {
					return err
				}
			}
			asked, err := c.Replacements(command.Context(), user)
			if err != nil {
				return err
			}
			rows := table{{"REPLACEMENT", "USER", "STATE", "IDENTITY KEY", "REQUESTED", "APPROVER", "COUNTS FROM"}}
			for _, r := range asked {
				rows = append(rows, []string{string(r.ID), r.User.User.String(), string(r.State), r.IdentityKey.String(),
					date(r.Requested), approver(r), date(r.Usable)})
			}
			return a.printList(asked, rows)
		},
	}
	command.Flags().StringVar(&of, "user", "", "another user (default: you)")
	return command
}

func (a *app) approveReplacement() *cobra.Command {
	var key string
	command := &cobra.Command{
		Use:   "approve USER REPLACEMENT --identity-key DIGEST",
		Short: "Approve, as a recovery officer, another hospital's user's new keys",
		Long: `Approve, as a recovery officer, another hospital's user's new keys.

Make sure of who they are as if they were new, and take the digest from their device's
screen. The new keys count three days later.`,
		Example: "  pie recovery approve HospitalA/7f3k2a 4v7…q2 --identity-key 9b1c…",
		Args:    usage.Exactly("USER", "REPLACEMENT"),
		RunE: func(command *cobra.Command, arguments []string) error {
			user, err := ledger.ParseUserID(arguments[0])
			if err != nil {
				return err
			}
			approval := ledger.ApproveKeyReplacement{User: user, Replacement: ledger.ID(arguments[1])}
			if err := approval.IdentityKey.UnmarshalText([]byte(key)); err != nil {
				return err
			}
			c, err := a.open()
			if err != nil {
				return err
			}
			approved, err := c.ApproveReplacement(command.Context(), approval)
			if err != nil {
				return err
			}
			return a.printReplacement(approved)
		},
	}
	command.Flags().StringVar(&key, "identity-key", "", "digest of the new identity key, as the user's device shows it")
	require(command, "identity-key")
	return command
}

func (a *app) rejectReplacement() *cobra.Command {
	return &cobra.Command{
		Use:     "reject REPLACEMENT",
		Short:   "Object to new keys that somebody else asked for in your name",
		Example: "  pie recovery reject 4v7…q2",
		Args:    usage.Exactly("REPLACEMENT"),
		RunE: func(command *cobra.Command, arguments []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			rejected, err := c.RejectReplacement(command.Context(), ledger.ID(arguments[0]))
			if err != nil {
				return err
			}
			return a.printReplacement(rejected)
		},
	}
}

func (a *app) finishReplacement() *cobra.Command {
	return &cobra.Command{
		Use:     "finish",
		Short:   "Make the keys that this home asked for yours, once they count",
		Example: "  pie recovery finish",
		Args:    usage.Exactly(),
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			if err := c.UseReplacement(command.Context()); err != nil {
				return err
			}
			return a.printIdentity(c)
		},
	}
}

func (a *app) printReplacement(r ledger.KeyReplacement) error {
	return a.print(r, table{
		{"replacement", string(r.ID)}, {"user", r.User.User.String()}, {"state", string(r.State)},
		{"identity key", r.IdentityKey.String()}, {"approver", approver(r)}, {"counts from", date(r.Usable)},
	})
}

func approver(r ledger.KeyReplacement) string {
	if r.Approver == (ledger.UserID{}) {
		return "-"
	}
	return r.Approver.String()
}
