package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// workers is how many requests are answered at once.
const workers = 8

// Tally is what became of the requests of a round.
type Tally struct {
	Granted int `json:"granted"`
	Left    int `json:"left"`  // to the patient
	Later   int `json:"later"` // to be tried again
}

// tally counts while many workers answer.
type tally struct {
	mutex  sync.Mutex
	counts Tally
	oldest time.Time // when the oldest was made that is to be tried again; zero: none is
}

func (t *tally) granted() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.counts.Granted++
}

func (t *tally) left() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.counts.Left++
}

func (t *tally) later(request ledger.AccessRequest) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.counts.Later++
	if t.oldest.IsZero() || request.Requested.Before(t.oldest) {
		t.oldest = request.Requested
	}
}

// round looks at what is new since the last, and now and then at all that is open.
func (a *Agent) round(ctx context.Context) (Tally, error) {
	if !a.evaluator.Current() {
		if err := a.open(); err != nil {
			return Tally{}, err
		}
		a.Log.Info("rules and keys read again", "rules", len(a.evaluator.Rules()))
	}
	began, from := time.Now(), a.since
	if began.Sub(a.swept) > sweep {
		from = time.Time{}
	}
	var t tally
	err := a.evaluator.Pending(ctx, from, func(requests []ledger.AccessRequest) error { return a.answerAll(ctx, requests, &t) })
	if errors.Is(err, errChanged) {
		return t.counts, nil
	}
	if err != nil {
		return t.counts, err
	}
	if from.IsZero() {
		a.swept = began
	}
	a.since = began.Add(-overlap)
	if !t.oldest.IsZero() && t.oldest.Before(a.since) {
		a.since = t.oldest
	}
	return t.counts, nil
}

// answerAll answers one page. Rules that the patient took back meanwhile answer nothing.
func (a *Agent) answerAll(ctx context.Context, requests []ledger.AccessRequest, t *tally) error {
	if !a.evaluator.Current() {
		return errChanged
	}
	var answering sync.WaitGroup
	free := make(chan struct{}, workers)
	for _, request := range requests {
		free <- struct{}{}
		answering.Go(func() {
			a.answer(ctx, request, t)
			<-free
		})
	}
	answering.Wait()
	return ctx.Err()
}

// answer grants a request when a rule covers it.
func (a *Agent) answer(ctx context.Context, request ledger.AccessRequest, t *tally) {
	if !a.backOffs.over(request) {
		t.later(request)
		return
	}
	verdict, err := a.evaluator.Judge(ctx, request)
	var by client.StandingAnswer
	if err == nil {
		by, err = a.places.first(ctx, verdict)
	}
	if err != nil {
		a.retry(ctx, request, err, t)
		return
	}
	if by.Rule == nil { // for the patient, or until tomorrow
		t.left()
		return
	}
	granted, err := a.evaluator.Grant(ctx, request, by)
	if err != nil {
		a.settle(ctx, by, err)
		a.retry(ctx, request, err, t)
		return
	}
	t.granted()
	a.backOffs.begin(request) // a peer that lags shows it as open for a while
	a.Log.Info("granted", "request", request.ID, "record", request.Record, "requester", request.Requester.User,
		"purpose", request.Purpose, "rule", by.Rule.ID, "place", by.Place, "grant", granted.Grant)
}

// settle gives the place of a grant that failed back, unless it has been used or may have
// been.
func (a *Agent) settle(ctx context.Context, by client.StandingAnswer, err error) {
	switch fault.CodeOf(err) {
	case fault.AlreadyExists, fault.CommitUnknown:
		return
	}
	if ctx.Err() == nil {
		a.places.giveBack(by)
	}
}

// retry lets a request rest that could not be granted. That somebody has answered it is
// no failure.
func (a *Agent) retry(ctx context.Context, request ledger.AccessRequest, err error, t *tally) {
	a.backOffs.begin(request)
	if ctx.Err() != nil || fault.CodeOf(err) == fault.StateConflict {
		return
	}
	t.later(request)
	a.Log.Warn("not granted", "request", request.ID, "record", request.Record, "requester", request.Requester.User, "error", err)
}
