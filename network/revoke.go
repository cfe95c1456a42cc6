package main

import (
	"context"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/network/internal/consortium"
	"github.com/pie-consortium/pie/network/internal/settings"
)

// revokeTimeout bounds the conversation with the CA, and how long the ordering nodes may
// take to agree.
const revokeTimeout = 2 * time.Minute

func revokeCommand() *cobra.Command {
	var serial string
	command := &cobra.Command{
		Use:   "revoke USER",
		Short: "Revoke a user's certificates everywhere, such as those of a lost device",
		Long: "revoke has the hospital's CA revoke the certificates of a user, and puts the CA's list\n" +
			"into the channel's configuration, signed by the hospital's administrator. From then on\n" +
			"peers take no transaction and gateways no token, no question and no re-encryption\n" +
			"request that was signed with one of them. It also voids an invitation that was not\n" +
			"used yet. Repeated, it finishes what was interrupted.\n\n" +
			"A user who goes on with a new device is invited again: pie-network invite --again USER",
		Example: "  pie-network revoke HospitalA/7f3k2a\n  pie-network revoke HospitalA/7f3k2a --certificate-serial 4d2f…",
		Args:    usage.Exactly("USER"),
		RunE: does(func(command *cobra.Command, data string, args []string) error {
			return revoke(command, data, args[0], serial)
		}),
	}
	command.Flags().StringVar(&serial, "certificate-serial", "", "revoke the certificate of this `number` only, hexadecimal; an invitation stays good")
	return command
}

func revoke(command *cobra.Command, data, name, serial string) error {
	user, err := revocable(name)
	if err != nil {
		return err
	}
	var number *big.Int
	if serial != "" {
		parsed, ok := new(big.Int).SetString(strings.ReplaceAll(serial, ":", ""), 16)
		if !ok {
			return fmt.Errorf("certificate-serial: %q is not a hexadecimal number", serial)
		}
		number = parsed
	}
	ctx, cancel := context.WithTimeout(command.Context(), revokeTimeout)
	defer cancel()
	network, err := consortium.Open(data, nil)
	if err != nil {
		return err
	}
	revoked, err := network.Revoke(ctx, user, number)
	for _, certificate := range revoked {
		fmt.Fprintf(command.OutOrStdout(), "revoked %x\n", certificate.SerialNumber)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(command.ErrOrStderr(), "the channel's configuration has the revocations of %s, %d of them new\n", user.MSP, len(revoked))
	return nil
}

// revocable is a user, or a registrar that another one took the place of.
func revocable(name string) (ledger.UserID, error) {
	msp, account, _ := strings.Cut(name, "/")
	if settings.IsRegistrar(account) {
		return ledger.UserID{MSP: msp, Pseudonym: account}, nil
	}
	return ledger.ParseUserID(name)
}
