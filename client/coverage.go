package client

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// EmergencyRecords lists what a declaration covers now.
func (c *Client) EmergencyRecords(ctx context.Context, name ledger.DeclarationName) ([]ledger.RecordView, error) {
	if err := name.Validate(); err != nil {
		return nil, err
	}
	covered, _, err := askPatiently[ledger.List[ledger.RecordView]](ctx, c, listEmergencyRecords(name))
	return covered.Rows, err
}

func listEmergencyRecords(name ledger.DeclarationName) request {
	return func(ctx context.Context, g *gateway) (*http.Response, error) {
		return g.api.ListEmergencyRecords(ctx, name.Patient.MSP, name.Patient.Pseudonym, name.Declaration)
	}
}

// covered is a record that a declaration covers, as one gateway lists it.
type covered struct {
	ledger.RecordView
	from  *gateway
	lists poll[ledger.List[ledger.RecordView]] // of the others, asked for at the same time
}

// coverage lists what a declaration covers now by most hospitals' word: one whose peer is
// behind, or that hides a record, lists less.
func (c *Client) coverage(ctx context.Context, name ledger.DeclarationName) ([]covered, error) {
	lists := beginPoll(ctx, c, question[ledger.List[ledger.RecordView]]{
		name: "what declaration " + name.String() + " covers", same: sameCoverage,
		read: func(ledger.List[ledger.RecordView]) request { return listEmergencyRecords(name) },
	})
	list, from, err := askPatiently[ledger.List[ledger.RecordView]](ctx, c, listEmergencyRecords(name))
	if err != nil {
		return nil, err
	}
	words := lists.collect(ctx, answer[ledger.List[ledger.RecordView]]{by: from, value: list})
	most, found := lists.majority(words, c.members())
	if !found {
		return nil, undecided(lists.question, words, c.members())
	}
	first := words[slices.IndexFunc(words, func(w answer[ledger.List[ledger.RecordView]]) bool {
		return w.err == nil && sameCoverage(w.value, most)
	})]
	var records []covered
	for _, view := range first.value.Rows {
		records = append(records, covered{view, first.by, lists})
	}
	return records, nil
}

// sameCoverage compares which records two lists name. What they say of each is for
// [covered.agree].
func sameCoverage(a, b ledger.List[ledger.RecordView]) bool {
	versions := func(list ledger.List[ledger.RecordView]) []ledger.RecordVersion {
		var named []ledger.RecordVersion
		for _, view := range list.Rows {
			named = append(named, ledger.RecordVersion{Record: view.ID, Version: view.Version})
		}
		return named
	}
	return slices.Equal(versions(a), versions(b))
}

// agree is the record as most hospitals tell it. Mostly their lists do.
func (r covered) agree(ctx context.Context) (agreed, error) {
	c, record := r.lists.c, r.ID
	p := poll[ledger.RecordView]{question: recordMatter(record, r.Version, sameRecord), c: c, early: map[*gateway]func() answer[ledger.RecordView]{}}
	for g, list := range r.lists.early {
		p.early[g] = func() answer[ledger.RecordView] { return row(list(), record) }
	}
	q, err := p.decide(ctx, answer[ledger.RecordView]{by: r.from, value: r.RecordView})
	if err != nil {
		return agreed{}, err
	}
	return c.checkAgreement(q, record)
}

// row is what a gateway tells of one record in its list.
func row(list answer[ledger.List[ledger.RecordView]], record ledger.ID) answer[ledger.RecordView] {
	i := slices.IndexFunc(list.value.Rows, func(view ledger.RecordView) bool { return view.ID == record })
	if i < 0 {
		return answer[ledger.RecordView]{by: list.by, err: cmp.Or(list.err, error(fault.New(fault.NotFound, "record %s is not in the list", record)))}
	}
	return answer[ledger.RecordView]{by: list.by, value: list.value.Rows[i]}
}
