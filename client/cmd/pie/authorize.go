package main

import (
	"cmp"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
)

// wish is what a patient wants, as flags say it.
type wish struct {
	physician, department, class string
	policy                       policyFlags
	slots                        int
	expires                      when
}

func (a *app) authorize() *cobra.Command {
	var w wish
	command := &cobra.Command{
		Use:   "authorize --physician USER|--department MSP/NAME --class CLASS",
		Short: "Let a physician or a department upload records about you",
		Long: `Let a physician or a department upload records about you, each under a key of its
own that only you have.

One slot is for one record. Several (--slots) let results arrive while you are
offline. A department's physicians use its slots up between them; as no one person's key
is known beforehand, they ask you before they open what is in them.

A slot of class summary is for your emergency summary and nothing else: a responder has
that opened in an emergency without anybody else's approval.

The policy says who may discover the record and ask for it; opening it always needs
your grant. Without flags: physicians for treatment, and for classes of clinical trials
researchers for research.`,
		Example: "  pie record authorize --physician HospitalA/7f3k2a --class medical-information\n" +
			"  pie record authorize --physician HospitalA/7f3k2a --class imaging --organization HospitalB --level private\n" +
			"  pie record authorize --department HospitalA/cardiology --class imaging --slots 20",
		Args: usage.Exactly(),
		RunE: func(command *cobra.Command, _ []string) error {
			authorization, err := w.authorization(command)
			if err != nil {
				return err
			}
			if w.slots < 1 {
				return usage.Errorf("--slots must be 1 or more")
			}
			if err := cmp.Or(a.sureUntil(&w.expires), w.policy.sure(a)); err != nil {
				return err
			}
			c, err := a.open()
			if err != nil {
				return err
			}
			uploads, err := c.Authorize(command.Context(), slices.Repeat([]client.Authorization{authorization}, w.slots)...)
			if len(uploads) > 0 && (err != nil || w.slots > 1) {
				return errors.Join(err, a.printSlots(uploads))
			}
			if err != nil {
				return err
			}
			u := uploads[0]
			return a.print(u, table{{"record", string(u.Record)}, {string(u.Author.Kind), u.Author.User.String()}, {"authorized", date(u.Authorized)}, {"until", date(u.Expiry)}})
		},
	}
	flags := command.Flags()
	flags.StringVar(&w.physician, "physician", "", "who uploads, as HospitalA/7f3k2a")
	flags.StringVar(&w.department, "department", "", "whose physicians upload, as \"HospitalA/Innere Medizin\"")
	flags.IntVar(&w.slots, "slots", 1, "how many records")
	flags.StringVar(&w.class, "class", "", "kind of data, such as medical-information or imaging")
	w.policy.define(command)
	a.defineExpires(command, &w.expires, "365d", "how long a slot may be used, and its physician may open the record")
	require(command, "class")
	command.MarkFlagsOneRequired("physician", "department")
	command.MarkFlagsMutuallyExclusive("physician", "department")
	return command
}

func (w wish) authorization(command *cobra.Command) (client.Authorization, error) {
	author, err := w.author()
	if err != nil {
		return client.Authorization{}, err
	}
	class := ledger.Class(w.class)
	if err := class.Validate(); err != nil {
		return client.Authorization{}, err
	}
	policy, err := w.policy.change(client.DefaultPolicy(class), command)
	return client.Authorization{
		Author: author, Emergency: class == ledger.ClassSummary, Policy: policy, Expiry: w.expires.at,
	}, err
}

func (w wish) author() (ledger.Subject, error) {
	if w.department == "" {
		user, err := ledger.ParseUserID(w.physician)
		return ledger.PersonSubject(user), err
	}
	return ledger.ParseDepartment(w.department)
}
