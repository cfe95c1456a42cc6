package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/network/internal/consortium"
)

// respondersTimeout bounds how long a hospital's list may take to be committed.
const respondersTimeout = time.Minute

func respondersCommand() *cobra.Command {
	var msp string
	command := &cobra.Command{
		Use:   "responders [USER]…",
		Short: "List the physicians of a hospital who respond to emergencies",
		Long: "responders has the hospital's administrator write on the ledger which of its\n" +
			"physicians respond to emergencies. The list takes the place of the one before; an\n" +
			"empty one ends it. Users of the role emergency respond anyway.",
		Example: "  pie-network responders --org HospitalA HospitalA/7f3k2a HospitalA/k4wq7h",
		RunE: does(func(command *cobra.Command, data string, args []string) error {
			return listResponders(command, data, msp, args)
		}),
	}
	command.Flags().StringVar(&msp, "org", "", "the hospital, by its `MSP`")
	_ = command.MarkFlagRequired("org") // there is such a flag
	return command
}

func listResponders(command *cobra.Command, data, msp string, names []string) error {
	var physicians []ledger.UserID
	for _, name := range names {
		user, err := ledger.ParseUserID(name)
		if err != nil {
			return err
		}
		physicians = append(physicians, user)
	}
	ctx, cancel := context.WithTimeout(command.Context(), respondersTimeout)
	defer cancel()
	network, err := consortium.Open(data, nil)
	if err != nil {
		return err
	}
	if err := network.SetResponders(ctx, msp, physicians); err != nil {
		return err
	}
	fmt.Fprintf(command.ErrOrStderr(), "physicians of %s who respond to emergencies, beside the users of the role emergency: %d\n", msp, len(physicians))
	return nil
}
