package chaos

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/test/people"
)

// agreement bounds how long the hospitals may take, once all faults are gone, to show
// the same.
const agreement = 90 * time.Second

// pause is what lies between two looks at a condition.
const pause = 250 * time.Millisecond

// eventually waits for a condition and returns what last kept it from being met.
func eventually(ctx context.Context, met func(context.Context) error) error {
	for {
		err := met(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

// verify holds what every hospital shows against what people were told.
func verify(t *testing.T, stories []*story) {
	t.Helper()
	var checking errgroup.Group
	checking.SetLimit(4)
	for _, s := range stories {
		for _, err := range s.wrong {
			t.Errorf("record %s: %v%s", s.record, err, s.String())
		}
		if s.record == "" {
			continue
		}
		checking.Go(func() error {
			ctx, cancel := context.WithTimeout(t.Context(), agreement)
			defer cancel()
			if err := eventually(ctx, s.check); err != nil {
				t.Errorf("record %s: %v%s", s.record, err, s.String())
			}
			return nil
		})
	}
	_ = checking.Wait() // each has told its errors
	ctx, cancel := context.WithTimeout(t.Context(), agreement)
	defer cancel()
	for _, p := range partiesOf(stories) {
		if err := eventually(ctx, func(ctx context.Context) error { return checkSlots(ctx, p, stories) }); err != nil {
			t.Error(err)
		}
	}
}

func partiesOf(stories []*story) []*party {
	var parties []*party
	for _, s := range stories {
		if !slices.Contains(parties, s.party) {
			parties = append(parties, s.party)
		}
	}
	return parties
}

// shown is all that one hospital shows of a story.
type shown struct {
	Record   *ledger.RecordView // nil when there is none
	History  []ledger.RecordState
	Requests []ledger.AccessRequest
	Accesses []ledger.Access
	Grants   []ledger.Grant // that the reader holds
	content  []byte
}

// check compares a story with what each hospital shows of it, and the hospitals with
// each other.
func (s *story) check(ctx context.Context) error {
	var first string
	for _, hospital := range network.Organizations {
		seen, err := s.look(ctx, hospital.GatewayURL)
		if err != nil {
			return fmt.Errorf("as %s shows it: %w", hospital.MSP, err)
		}
		if err := s.compare(seen); err != nil {
			return fmt.Errorf("as %s shows it: %w", hospital.MSP, err)
		}
		text, err := json.Marshal(seen)
		if err != nil {
			return err
		}
		if first == "" {
			first = string(text)
		}
		if string(text) != first {
			return fmt.Errorf("%s shows\n%s\nand %s shows\n%s", network.Organizations[0].MSP, first, hospital.MSP, text)
		}
	}
	return s.reread(ctx)
}

// reread opens the record once more, as everybody who may.
func (s *story) reread(ctx context.Context) error {
	readers := map[string]bool{"patient": s.count("upload", acknowledged) > 0, "reader": s.count("grant", acknowledged) > 0}
	for name, may := range readers {
		if !may {
			continue
		}
		as := s.patient
		if name == "reader" {
			as = s.reader()
		}
		began := time.Now()
		opened, content, err := s.read(ctx, as)
		if name == "reader" {
			s.write(entry{at: began, ended: time.Now(), step: "open", outcome: judge(err), err: err})
		}
		if err != nil {
			return fmt.Errorf("the %s can not open it: %w", name, err)
		}
		if !bytes.Equal(content, s.content) {
			return fmt.Errorf("the %s got other bytes", name)
		}
		if name == "reader" {
			s.opens = append(s.opens, opened.Open)
		}
	}
	return nil
}

// look asks one hospital, as the patient and as the reader.
func (s *story) look(ctx context.Context, url string) (shown, error) {
	var seen shown
	patient, err := connectAs(ctx, s.home("patient"), url)
	if err != nil {
		return seen, err
	}
	record, err := people.Answer[ledger.RecordView](patient.ReadRecord(ctx, s.record, &api.ReadRecordParams{}))
	switch {
	case fault.CodeOf(err) == fault.NotFound:
		return seen, nil
	case err != nil:
		return seen, fmt.Errorf("read the record: %w", err)
	}
	seen.Record = &record
	if seen.content, err = ciphertext(patient.ReadContent(ctx, s.record, record.Version, &api.ReadContentParams{})); err != nil {
		return seen, fmt.Errorf("read the content: %w", err)
	}
	reader, err := connectAs(ctx, s.readerHome(), url)
	if err != nil {
		return seen, err
	}
	return seen, errors.Join(s.lookAtHistory(ctx, patient, &seen), s.lookAtAccess(ctx, patient, &seen), s.lookAtGrants(ctx, reader, &seen))
}

func connectAs(ctx context.Context, home, url string) (*api.Client, error) {
	d, err := people.OpenDevice(home)
	if err != nil {
		return nil, err
	}
	return d.At(ctx, url)
}

func (s *story) lookAtHistory(ctx context.Context, as *api.Client, seen *shown) error {
	history, err := people.Answer[ledger.List[ledger.HistoryEntry]](as.ReadHistory(ctx, s.record, 1))
	for _, state := range history.Rows {
		seen.History = append(seen.History, state.Record.State)
	}
	return err
}

func (s *story) lookAtAccess(ctx context.Context, as *api.Client, seen *shown) error {
	accesses, err := people.Rows[ledger.Access](func(limit *int, bookmark *string) (*http.Response, error) {
		return as.ListAccesses(ctx, s.record, &api.ListAccessesParams{Limit: limit, Bookmark: bookmark})
	})
	if err != nil {
		return err
	}
	seen.Accesses = accesses
	requests, err := people.Rows[ledger.AccessRequest](func(limit *int, bookmark *string) (*http.Response, error) {
		return as.ListRequests(ctx, &api.ListRequestsParams{Limit: limit, Bookmark: bookmark})
	})
	for _, request := range requests {
		if request.Record == s.record {
			seen.Requests = append(seen.Requests, request)
		}
	}
	return err
}

func (s *story) lookAtGrants(ctx context.Context, as *api.Client, seen *shown) error {
	grants, err := people.Rows[ledger.Grant](func(limit *int, bookmark *string) (*http.Response, error) {
		return as.ListGrants(ctx, &api.ListGrantsParams{Limit: limit, Bookmark: bookmark})
	})
	for _, grant := range grants {
		if grant.Record == s.record {
			seen.Grants = append(seen.Grants, grant)
		}
	}
	return err
}

func ciphertext(response *http.Response, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.200s", response.Status, text)
	}
	return text, err
}

// compare finds what a hospital shows too much, too little or otherwise.
func (s *story) compare(seen shown) error {
	fewest, most := s.bounds("upload")
	if seen.Record == nil {
		if fewest > 0 {
			return errors.New("the acknowledged record is not there")
		}
		return nil
	}
	if most == 0 {
		return errors.New("the record is there, though its upload was never tried or always refused")
	}
	if ledger.Digest(sha256.Sum256(seen.content)) != seen.Record.SHA256 || int64(len(seen.content)) != seen.Record.Size {
		return errors.New("the ciphertext is not the registered one")
	}
	return errors.Join(
		once(s, "confirm", states(seen, ledger.RecordConfirmed)), once(s, "upload", states(seen, ledger.RecordRegistered)),
		s.compareRequests(seen), s.compareGrants(seen), s.compareAccesses(seen))
}

func states(seen shown, wanted ledger.RecordState) int {
	count := 0
	for _, state := range seen.History {
		if state == wanted {
			count++
		}
	}
	return count
}

// once wants one effect of a step that repeats do not multiply.
func once(s *story, step string, effects int) error {
	fewest, most := s.bounds(step)
	if effects < min(fewest, 1) || effects > min(most, 1) {
		return fmt.Errorf("%s happened %d times, %d attempts were acknowledged, %d may have happened", step, effects, fewest, most)
	}
	return nil
}

// each wants an effect of every acknowledged attempt, and none of refused ones.
func each(s *story, step string, effects int) error {
	fewest, most := s.bounds(step)
	if effects < fewest || effects > most {
		return fmt.Errorf("%s happened %d times, %d attempts were acknowledged, %d may have happened", step, effects, fewest, most)
	}
	return nil
}

func (s *story) compareRequests(seen shown) error {
	found := slices.IndexFunc(seen.Requests, func(r ledger.AccessRequest) bool { return r.ID == s.request })
	if s.request != "" && found < 0 {
		return errors.New("the acknowledged request is not there")
	}
	if s.count("grant", acknowledged) > 0 && seen.Requests[found].State != ledger.RequestGranted {
		return errors.New("the acknowledged grant is not there")
	}
	return each(s, "request", len(seen.Requests))
}

func (s *story) compareGrants(seen shown) error { return once(s, "grant", len(seen.Grants)) }

func (s *story) compareAccesses(seen shown) error {
	for _, open := range s.opens {
		if !slices.ContainsFunc(seen.Accesses, func(a ledger.Access) bool { return a.Open == open && a.Decision.Allowed }) {
			return fmt.Errorf("the acknowledged access %s is not in the audit trail", open)
		}
	}
	return each(s, "open", len(seen.Accesses))
}

// checkSlots counts what a patient authorised: each acknowledged slot, and no more than
// may have been.
func checkSlots(ctx context.Context, p *party, stories []*story) error {
	var fewest, most int
	var records []ledger.ID
	for _, s := range stories {
		if s.party != p {
			continue
		}
		low, high := s.bounds("authorize")
		fewest, most = fewest+low, most+high
		if s.record != "" {
			records = append(records, s.record)
		}
	}
	for _, hospital := range network.Organizations {
		as, err := connectAs(ctx, p.home("patient"), hospital.GatewayURL)
		if err != nil {
			return err
		}
		uploads, err := people.Rows[ledger.Slot](func(limit *int, bookmark *string) (*http.Response, error) {
			return as.ListSlots(ctx, &api.ListSlotsParams{Limit: limit, Bookmark: bookmark})
		})
		if err != nil {
			return fmt.Errorf("slots as %s shows them: %w", hospital.MSP, err)
		}
		for _, record := range records {
			if !slices.ContainsFunc(uploads, func(u ledger.Slot) bool { return u.Record == record }) {
				return fmt.Errorf("%s does not show the acknowledged slot %s", hospital.MSP, record)
			}
		}
		if len(uploads) < fewest || len(uploads) > most {
			return fmt.Errorf("%s shows %d slots, %d were acknowledged, %d may have been made", hospital.MSP, len(uploads), fewest, most)
		}
	}
	return nil
}
