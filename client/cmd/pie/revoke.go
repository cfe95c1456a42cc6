package main

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// whose are the grants to take away.
type whose struct {
	user, grant string
	everybody   bool
}

func (a *app) revoke() *cobra.Command {
	var w whose
	command := &cobra.Command{
		Use:   "revoke RECORD --from USER",
		Short: "Take somebody's access to a record away",
		Long: `Take somebody's access to a record away: all that you granted them for it, or one
grant, or with --all everybody's, the author's too.

Nothing can be opened with it from then on. What was opened before stays with them.
Users and grants: pie record who-can-read RECORD.`,
		Example: "  pie access revoke 4v7…q2 --from HospitalB/k4wq7h\n" +
			"  pie access revoke 4v7…q2 --grant 8xs…k7\n" +
			"  pie access revoke 4v7…q2 --all",
		Args: usage.Exactly("RECORD"),
		RunE: func(command *cobra.Command, arguments []string) error {
			belongs, err := w.filter()
			if err != nil {
				return err
			}
			c, err := a.open()
			if err != nil {
				return err
			}
			away, err := takeAway(command.Context(), c, ledger.ID(arguments[0]), belongs)
			if len(away) == 0 {
				return err
			}
			return errors.Join(a.printTaken(away), err)
		},
	}
	flags := command.Flags()
	flags.StringVar(&w.user, "from", "", "whose access, as HospitalB/k4wq7h")
	flags.StringVar(&w.grant, "grant", "", "one grant")
	flags.BoolVar(&w.everybody, "all", false, "everybody's but your own")
	return command
}

// filter tells the grants that are meant from others.
func (w whose) filter() (func(ledger.Reader) bool, error) {
	switch {
	case w.user != "" && w.grant == "" && !w.everybody:
		user, err := ledger.ParseUserID(w.user)
		return func(r ledger.Reader) bool { return r.Identity.User == user }, err
	case w.grant != "" && w.user == "" && !w.everybody:
		return func(r ledger.Reader) bool { return r.Grant == ledger.ID(w.grant) }, ledger.ID(w.grant).Validate()
	case w.everybody && w.user == "" && w.grant == "":
		return func(ledger.Reader) bool { return true }, nil
	}
	return nil, usage.Errorf("revoke takes one of --from, --grant and --all")
}

// taken is a grant that opens nothing any more.
type taken struct {
	Grant   ledger.ID         `json:"grant"`
	Record  ledger.ID         `json:"record"`
	Version int               `json:"version"`
	User    ledger.UserID     `json:"user"`
	Purpose ledger.Purpose    `json:"purpose"`
	State   ledger.GrantState `json:"state"`
}

// takeAway revokes every grant for the record that belongs to it. One that cannot be
// revoked does not keep the others.
func takeAway(ctx context.Context, c *client.Client, record ledger.ID, belongs func(ledger.Reader) bool) ([]taken, error) {
	readers, err := c.WhoCanRead(ctx, record, 0)
	if err != nil {
		return nil, err
	}
	grants := slices.DeleteFunc(readers, func(r ledger.Reader) bool { return r.Grant == "" || !belongs(r) })
	if len(grants) == 0 {
		return nil, fault.New(fault.NotFound, "there is no such grant for record %s; see: pie record who-can-read %s --all", record, record)
	}
	var away []taken
	var failures []error
	for _, r := range grants {
		if r.State != ledger.GrantRevoked {
			_, err := c.Revoke(ctx, ledger.RecordVersion{Record: r.Record, Version: r.Version}, r.Grant)
			if err != nil {
				failures = append(failures, err)
				continue
			}
		}
		away = append(away, taken{r.Grant, r.Record, r.Version, r.Identity.User, r.Purpose, ledger.GrantRevoked})
	}
	return away, errors.Join(failures...)
}

func (a *app) printTaken(grants []taken) error {
	rows := table{{"GRANT", "USER", "PURPOSE", "STATE"}}
	for _, g := range grants {
		rows = append(rows, []string{string(g.Grant), g.User.String(), dash(g.Purpose), string(g.State)})
	}
	return a.printList(grants, rows)
}
