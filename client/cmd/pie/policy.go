package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
)

// policyFlags say what differs from a policy. An empty value empties the field.
type policyFlags struct {
	level                          string
	notAfter                       when
	roles, purposes, organizations []string
	replicas                       int
}

func (p *policyFlags) define(command *cobra.Command) {
	flags := command.Flags()
	flags.StringSliceVar(&p.roles, "role", nil, "role that may discover and ask (repeat; '' for nobody)")
	flags.StringSliceVar(&p.purposes, "purpose", nil, "purpose that may be asked for (repeat; '' for none)")
	flags.StringSliceVar(&p.organizations, "organization", nil, "MSP whose users may discover and ask (repeat; '' for all)")
	flags.StringVar(&p.level, "level", "", "security level, if higher than the class's")
	p.notAfter = when{edge: lastSecond, spans: true}
	flags.Var(&p.notAfter, "not-after", "end of the policy: a day such as 2030-12-31 (to its end, here), a time with its zone, or a span such as 365d ('' for none)")
	flags.IntVar(&p.replicas, "replicas", 0, "hospitals that keep the ciphertext")
}

// change is the policy with what the command's flags say.
func (p *policyFlags) change(policy ledger.Policy, command *cobra.Command) (ledger.Policy, error) {
	given := command.Flags().Changed
	if given("role") {
		policy.Roles = words[ledger.Role](p.roles)
	}
	if given("purpose") {
		policy.Purposes = words[ledger.Purpose](p.purposes)
	}
	if given("organization") {
		policy.Organizations = p.organizations
	}
	if given("level") {
		policy.Level = ledger.Level(p.level)
	}
	if given("replicas") {
		policy.Replicas = p.replicas
	}
	if given("not-after") {
		policy.NotAfter = p.notAfter.at.UTC()
	}
	return policy, policy.Validate()
}

// sure asks about a policy that is over before it begins.
func (p *policyFlags) sure(a *app) error {
	if end := p.notAfter.at; !end.IsZero() && !end.After(time.Now()) {
		return a.sure(fmt.Sprintf("The policy would have ended, at %s: nobody but its patient could discover, request or open it.", date(end)))
	}
	return nil
}

func words[T ~string](texts []string) []T {
	values := []T{}
	for _, text := range texts {
		values = append(values, T(text))
	}
	return values
}

func (a *app) policy() *cobra.Command {
	var p policyFlags
	command := &cobra.Command{
		Use:   "policy RECORD",
		Short: "Show or change who may discover a record and ask for it",
		Long: `Show or change who may discover a record and ask for it.

What no flag names stays as it is. Requests are decided by the new policy from then on.
What you granted stays granted, until --not-after, and for those whose clearance reaches
the level, which can be raised and never lowered. To take access away: pie access revoke.`,
		Example: "  pie record policy 4v7…q2\n" +
			"  pie record policy 4v7…q2 --role physician --organization HospitalB --not-after 2030-12-31\n" +
			"  pie record policy 4v7…q2 --role ''",
		Args: usage.Exactly("RECORD"),
		RunE: func(command *cobra.Command, arguments []string) error {
			if err := p.sure(a); err != nil {
				return err
			}
			c, err := a.open()
			if err != nil {
				return err
			}
			view, err := c.Policy(command.Context(), ledger.ID(arguments[0]), 0)
			if err != nil {
				return err
			}
			record := view.Record
			policy, err := p.change(record.Policy, command)
			if err != nil {
				return err
			}
			if !policy.Equal(record.Policy) {
				version := ledger.RecordVersion{Record: record.ID, Version: record.Version}
				if record, err = c.ChangePolicy(command.Context(), version, policy); err != nil {
					return err
				}
			}
			return a.printPolicy(record)
		},
	}
	p.define(command)
	a.defineYes(command)
	return command
}

func (a *app) printPolicy(r ledger.Record) error {
	return a.print(struct {
		Record  ledger.ID     `json:"record"`
		Version int           `json:"version"`
		Level   ledger.Level  `json:"level"`
		Policy  ledger.Policy `json:"policy"`
	}{r.ID, r.Version, r.Level, r.Policy}, append(table{{"record", string(r.ID)}, {"version", strconv.Itoa(r.Version)}}, policyRows(r)...))
}

// policyRows is what a record's policy allows, for people.
func policyRows(r ledger.Record) table {
	return table{
		{"level", string(r.Level)}, {"roles", fmt.Sprint(r.Policy.Roles)}, {"purposes", fmt.Sprint(r.Policy.Purposes)},
		{"organizations", organizations(r.Policy)}, {"until", date(r.Policy.NotAfter)}, {"replicas", strconv.Itoa(r.Policy.Replicas)},
	}
}
