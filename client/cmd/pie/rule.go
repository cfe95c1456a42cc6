package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/client/rule"
	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

func (a *app) agentRule() *cobra.Command {
	group := &cobra.Command{
		Use:     "rule",
		Short:   "Write, show and take back what your agent may answer",
		Example: "  pie agent rule add --hospital HospitalA --level moderate --daily 5\n  pie agent rule list",
	}
	group.AddCommand(a.addRule(), a.listRules(), a.removeRule())
	return group
}

// ruling is a rule as flags say it.
type ruling struct {
	physicians, records, classes, purposes []string
	hospital, level                        string
	days, daily                            int
}

func (a *app) addRule() *cobra.Command {
	var r ruling
	command := &cobra.Command{
		Use:   "add --physician USER | --hospital MSP",
		Short: "Let requests of these physicians, or of a hospital's, be granted without asking you",
		Long: `Let requests of these physicians, or of a hospital's, be granted without asking you.

A hospital's physicians are granted records up to level moderate. Without further flags a
rule covers treatment, every record, 30 days a grant and 10 grants a day.`,
		Example: "  pie agent rule add --physician HospitalB/k4wq7h --days 30 --daily 5\n" +
			"  pie agent rule add --hospital HospitalA --class sensor",
		Args: usage.Exactly(),
		RunE: func(command *cobra.Command, _ []string) error {
			added, err := r.rule()
			if err != nil {
				return err
			}
			rules, err := client.Rules(a.home)
			if err != nil {
				return err
			}
			rules = append(rules, added)
			if err := rule.Validate(rules); err != nil {
				return err
			}
			c, err := a.open()
			if err != nil {
				return err
			}
			if err := c.SetRules(command.Context(), rules); err != nil {
				return err
			}
			return a.print(added, ruleTable(added))
		},
	}
	flags := command.Flags()
	flags.StringSliceVar(&r.physicians, "physician", nil, "whose requests, as HospitalB/k4wq7h (repeat)")
	flags.StringVar(&r.hospital, "hospital", "", "MSP whose physicians' requests, instead")
	flags.StringSliceVar(&r.purposes, "purpose", []string{string(ledger.PurposeTreatment)}, "what for (repeat)")
	flags.StringSliceVar(&r.records, "record", nil, "only this record (repeat)")
	flags.StringSliceVar(&r.classes, "class", nil, "only this kind of data (repeat)")
	flags.StringVar(&r.level, "level", "", "highest security level (default private, for a hospital moderate)")
	flags.IntVar(&r.days, "days", 30, "how long a grant lasts")
	flags.IntVar(&r.daily, "daily", 10, "how many grants on one day, in UTC")
	return command
}

func (r ruling) rule() (rule.Rule, error) {
	made := rule.Rule{
		ID: ledger.NewID(), Hospital: r.hospital, Purposes: words[ledger.Purpose](r.purposes), Records: words[ledger.ID](r.records),
		Classes: words[ledger.Class](r.classes), Level: ledger.Level(r.level), Days: r.days, Daily: r.daily,
	}
	for _, text := range r.physicians {
		physician, err := ledger.ParseUserID(text)
		if err != nil {
			return made, err
		}
		made.Physicians = append(made.Physicians, physician)
	}
	if r.level == "" {
		made.Level = ledger.LevelPrivate
		if r.hospital != "" {
			made.Level = ledger.LevelModerate
		}
	}
	return made, nil
}

func (a *app) listRules() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "Show your rules",
		Example: "  pie agent rule list",
		Args:    usage.Exactly(),
		RunE: func(*cobra.Command, []string) error {
			rules, err := client.Rules(a.home)
			if err != nil {
				return err
			}
			rows := table{{"RULE", "WHO", "PURPOSES", "RECORDS", "CLASSES", "LEVEL", "DAYS", "DAILY"}}
			for _, r := range rules {
				rows = append(rows, []string{string(r.ID), who(r), joined(r.Purposes), orAll(r.Records), orAll(r.Classes),
					string(r.Level), strconv.Itoa(r.Days), strconv.Itoa(r.Daily)})
			}
			if rules == nil {
				rules = []rule.Rule{}
			}
			return a.printList(rules, rows)
		},
	}
}

func (a *app) removeRule() *cobra.Command {
	return &cobra.Command{
		Use:   "remove RULE",
		Short: "Take a rule back; what it granted stays granted",
		Long: `Take a rule back; what it granted stays granted.

An agent that runs follows at once. To end a grant: pie access revoke.`,
		Example: "  pie agent rule remove 6tq…m4",
		Args:    usage.Exactly("RULE"),
		RunE: func(command *cobra.Command, arguments []string) error {
			rules, err := client.Rules(a.home)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(rules, func(r rule.Rule) bool { return string(r.ID) == arguments[0] })
			if i < 0 {
				return fault.New(fault.NotFound, "there is no rule %.100q; see: pie agent rule list", arguments[0])
			}
			c, err := a.open()
			if err != nil {
				return err
			}
			removed := rules[i]
			if err := c.SetRules(command.Context(), slices.Delete(rules, i, i+1)); err != nil {
				return err
			}
			return a.print(removed, ruleTable(removed))
		},
	}
}

func ruleTable(r rule.Rule) table {
	return table{
		{"rule", string(r.ID)}, {"who", who(r)}, {"purposes", joined(r.Purposes)}, {"records", orAll(r.Records)},
		{"classes", orAll(r.Classes)}, {"level", string(r.Level)}, {"days", strconv.Itoa(r.Days)}, {"daily", strconv.Itoa(r.Daily)},
	}
}

func who(r rule.Rule) string {
	if r.Hospital != "" {
		return "physicians of " + r.Hospital
	}
	var names []string
	for _, physician := range r.Physicians {
		names = append(names, physician.String())
	}
	return joined(names)
}

// orAll is for lists that narrow nothing when they are empty.
func orAll[T ~string](values []T) string {
	if len(values) == 0 {
		return "all"
	}
	return joined(values)
}

func joined[T ~string](values []T) string {
	var texts []string
	for _, value := range values {
		texts = append(texts, string(value))
	}
	return strings.Join(texts, " ")
}
