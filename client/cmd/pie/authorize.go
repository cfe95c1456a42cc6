package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
)

// wish is what a patient wants, as flags say it.
type wish struct {
	physician, class, level, notAfter string
	roles, purposes, organizations    []string
	replicas                          int
	expires                           time.Duration
}

func (a *app) authorize() *cobra.Command {
	var w wish
	command := &cobra.Command{
		Use:   "authorize --physician USER --class CLASS",
		Short: "Let a physician upload one record about you",
		Long: `Let a physician upload one record about you, under a key that only you have.

The policy says who may discover the record and ask for it; opening it always needs
your grant. Without flags: physicians for treatment, and for classes of clinical trials
researchers for research.`,
		Example: "  pie record authorize --physician HospitalA/7f3k2a --class medical-information\n" +
			"  pie record authorize --physician HospitalA/7f3k2a --class imaging --organization HospitalB --level private",
		Args: exactly(),
		RunE: func(command *cobra.Command, _ []string) error {
			authorization, err := w.authorization(time.Now())
			if err != nil {
				return err
			}
			c, err := a.open()
			if err != nil {
				return err
			}
			uploads, err := c.Authorize(command.Context(), authorization)
			if err != nil {
				return err
			}
			u := uploads[0]
			return a.print(u, table{{"record", string(u.Record)}, {"physician", u.Author.User.String()}, {"authorized", date(u.Authorized)}})
		},
	}
	flags := command.Flags()
	flags.StringVar(&w.physician, "physician", "", "who uploads, as HospitalA/7f3k2a")
	flags.StringVar(&w.class, "class", "", "kind of data, such as medical-information or imaging")
	flags.StringSliceVar(&w.roles, "role", nil, "role that may discover and ask (repeat)")
	flags.StringSliceVar(&w.purposes, "purpose", nil, "purpose that may be asked for (repeat)")
	flags.StringSliceVar(&w.organizations, "organization", nil, "MSP whose users may discover and ask (repeat; default all)")
	flags.StringVar(&w.level, "level", "", "security level, if higher than the class's")
	flags.StringVar(&w.notAfter, "not-after", "", "end of the policy, such as 2030-12-31T00:00:00Z")
	flags.IntVar(&w.replicas, "replicas", 0, "hospitals that keep the ciphertext")
	flags.DurationVar(&w.expires, "expires", 365*24*time.Hour, "how long the physician may open the record")
	require(command, "physician", "class")
	return command
}

func (w wish) authorization(now time.Time) (client.Authorization, error) {
	author, err := ledger.ParseUserID(w.physician)
	if err != nil {
		return client.Authorization{}, err
	}
	class := ledger.Class(w.class)
	if err := class.Validate(); err != nil {
		return client.Authorization{}, err
	}
	policy := client.DefaultPolicy(class)
	policy.Level, policy.Organizations = ledger.Level(w.level), w.organizations
	if len(w.roles) > 0 {
		policy.Roles = words[ledger.Role](w.roles)
	}
	if len(w.purposes) > 0 {
		policy.Purposes = words[ledger.Purpose](w.purposes)
	}
	if w.replicas != 0 {
		policy.Replicas = w.replicas
	}
	if policy.NotAfter, err = parseTime(w.notAfter); err != nil {
		return client.Authorization{}, err
	}
	return client.Authorization{Author: author, Policy: policy, Expiry: now.Add(w.expires)}, policy.Validate()
}

func words[T ~string](texts []string) []T {
	var values []T
	for _, text := range texts {
		values = append(values, T(text))
	}
	return values
}

// parseTime reads RFC 3339; nothing is the zero time.
func parseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, usageError{err}
	}
	return t, nil
}
