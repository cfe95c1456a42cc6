package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/client/receipt"
	"github.com/pie-consortium/pie/internal/durable"
	"github.com/pie-consortium/pie/internal/input"
	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// receiptSuffix ends the name of a saved receipt, which begins with its transaction.
const receiptSuffix = ".receipt.json"

// verified is an access with what its receipt proves, or why that proves nothing.
type verified struct {
	audited
	Proof   *receipt.Proof  `json:"proof,omitempty"`
	Commit  *receipt.Commit `json:"commit,omitempty"` // the hospitals' word, which nobody signed
	Problem string          `json:"problem,omitempty"`
}

// verification is which receipts to check.
type verification struct{ open, save, from string }

func (a *app) verify() *cobra.Command {
	var v verification
	command := &cobra.Command{
		Use:   "verify RECORD | --from DIR",
		Short: "Prove each entry of the audit trail by its block, believing no gateway",
		Long: `Prove each entry of the audit trail by its block, believing no gateway.

Every hospital is asked for the trail, so that none can hide an entry alone. An entry is
proven when a quorum of the ordering nodes signed the block's header, the header fixes the
transaction, the user signed it, and peers of a majority of the hospitals signed that this
very entry was written. VALID is what hospitals say besides: that the transaction took effect
is signed by nobody.

--save keeps the receipts, --from checks kept ones again without any network.`,
		Example: "  pie audit verify 4v7…q2 --save receipts\n  pie audit verify --from receipts",
		RunE: func(command *cobra.Command, arguments []string) error {
			if v.from != "" {
				return a.verifySaved(v, command, arguments)
			}
			if err := usage.Exactly("RECORD")(command, arguments); err != nil {
				return err
			}
			return a.verifyTrail(command.Context(), ledger.ID(arguments[0]), v)
		},
	}
	command.Flags().StringVar(&v.open, "open", "", "ID of the one transaction to check (default: all)")
	command.Flags().StringVar(&v.save, "save", "", "directory to keep the receipts in")
	command.Flags().StringVar(&v.from, "from", "", "directory of kept receipts to check offline")
	return command
}

// verifyTrail checks what the hospitals tell of a record.
func (a *app) verifyTrail(ctx context.Context, record ledger.ID, v verification) error {
	bundle, err := client.TrustBundle(a.home)
	if err != nil {
		return err
	}
	c, err := a.open()
	if err != nil {
		return err
	}
	checks, err := v.check(ctx, c, record)
	if err != nil {
		return err
	}
	list := []verified{}
	for _, check := range checks {
		if check.err == nil && v.save != "" {
			check.err = save(v.save, check.Receipt)
		}
		judged, err := check.judge(bundle)
		if err != nil {
			return err
		}
		list = append(list, judged)
	}
	return a.printVerified(list)
}

// checked is a receipt, and what came of checking it.
type checked struct {
	receipt.Receipt
	proof receipt.Proof
	err   error
}

// check checks every access that some hospital tells of, or the one that was asked for.
func (v verification) check(ctx context.Context, c *client.Client, record ledger.ID) ([]checked, error) {
	if v.open != "" {
		r, proof, err := c.CheckOpen(ctx, record, v.open)
		return []checked{{r, proof, nil}}, err
	}
	trail, err := c.Trail(ctx, record)
	var checks []checked
	for _, access := range trail {
		r, proof, err := c.Check(ctx, access)
		r.Access = access
		checks = append(checks, checked{r, proof, err})
	}
	return checks, err
}

// verifySaved checks kept receipts against the home's trust bundle, and asks nobody.
func (a *app) verifySaved(v verification, command *cobra.Command, arguments []string) error {
	if len(arguments) > 0 || v.open != "" || v.save != "" {
		return usage.Errorf("--from takes all receipts of a directory, and goes with nothing else; see: %s --help", command.CommandPath())
	}
	bundle, err := client.TrustBundle(a.home)
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(v.from, "*"+receiptSuffix))
	if err != nil || len(files) == 0 {
		return errors.Join(fault.New(fault.NotFound, "%s holds no receipt; keep some: pie audit verify RECORD --save %s", v.from, v.from), err)
	}
	var list []verified
	for _, file := range files {
		text, err := input.Text(file)
		if err != nil {
			return err
		}
		r, err := receipt.Parse(text)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		proof, err := r.Verify(bundle)
		judged, err := checked{r, proof, err}.judge(bundle)
		if err != nil {
			return err
		}
		list = append(list, judged)
	}
	slices.SortFunc(list, func(a, b verified) int { return a.Time.Compare(b.Time) })
	return a.printVerified(list)
}

// judge tells an entry that is not proven, which is shown as such, from a check that
// could not be made.
func (c checked) judge(bundle *trust.Bundle) (verified, error) {
	who, vouched := c.Who(bundle)
	judged := verified{audited: audited{c.Access, who.Name, c.Card != "" && !vouched}, Proof: &c.proof, Commit: c.Commit}
	if code := fault.CodeOf(c.err); code == fault.Altered || code == fault.NotFound {
		judged.Proof, judged.Problem = nil, c.err.Error()
		return judged, nil
	}
	return judged, c.err
}

// save keeps a receipt for its owner alone: it says who opened what.
func save(dir string, r receipt.Receipt) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return durable.Write(filepath.Join(dir, r.Access.Open+receiptSuffix), append(text, '\n'), 0o600)
}

func (a *app) printVerified(list []verified) error {
	rows, bad := table{append(slices.Clone(accessHead), "BLOCK", "PROOF", "VALID SAY")}, 0
	for _, v := range list {
		block, proof, valid := "-", "not proven: "+v.Problem, "-"
		if v.Proof == nil {
			bad++
		} else {
			block, proof = strconv.FormatUint(v.Proof.Block, 10), "proven"
		}
		if v.Commit != nil && v.Commit.Code == receipt.Valid {
			valid = strings.Join(v.Commit.Hospitals, ", ")
		}
		rows = append(rows, append(accessRow(v.Access, card{trust.Card{Name: v.Name}, v.BadCard}), block, proof, valid))
	}
	if err := a.printValue(list, rows); err != nil || bad == 0 {
		return err
	}
	return fault.New(fault.Altered, "%d of %d entries are not proven; show them to a privacy officer", bad, len(list))
}
