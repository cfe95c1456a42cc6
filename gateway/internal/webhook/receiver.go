package webhook

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/pie-consortium/pie/gateway/internal/config"
	"github.com/pie-consortium/pie/ledger"
)

// receiver is one URL, and how far it has come.
type receiver struct {
	target  config.Webhook
	options Options
	signer  *standardwebhooks.Webhook
	client  *http.Client
	pause   time.Duration // the shortest between attempts
	place   placeFile     // the event after which to go on
	overdue placeFile     // the last overdue review that has been told
	refused placeFile     // the message that is refused, and since when
	log     *slog.Logger

	attempts *prometheus.CounterVec // by outcome
	delay    prometheus.Gauge
}

// run delivers one message after the other until the context ends.
func (r *receiver) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := r.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		r.log.Error("webhook does not go on; trying again", "error", err, "pause", longestPause)
		rest(ctx, longestPause)
	}
}

// follow goes on where the receiver stands, at the ledger's end the first time.
func (r *receiver) follow(ctx context.Context) error {
	at, err := r.begin(ctx)
	if err != nil {
		return err
	}
	reminders := time.NewTicker(overdueInterval)
	defer reminders.Stop()
	for {
		batch, err := r.options.Events.After(ctx, at)
		if err != nil {
			return err
		}
		for _, notice := range batch.Notices {
			if !r.concerned(notice) {
				continue
			}
			if err := r.deliver(ctx, notice.ID.String(), notice); err != nil {
				return err
			}
			if err := r.place.write(notice.ID.String()); err != nil {
				return err
			}
		}
		if at = batch.Until; len(batch.Notices) > 0 {
			if err := r.place.write(at.String()); err != nil {
				return err
			}
		}
		select {
		case <-batch.More:
		case <-reminders.C:
			if err := r.remind(ctx); err != nil {
				r.log.Warn("overdue reviews are not known", "error", err)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// begin is the place to go on from. The first one is kept at once: from then on nothing is
// lost.
func (r *receiver) begin(ctx context.Context) (ledger.EventID, error) {
	text, err := r.place.read()
	if err != nil {
		return ledger.EventID{}, err
	}
	if text != "" {
		return ledger.ParseEventID(text)
	}
	at, err := r.options.Events.Newest(ctx)
	if err != nil {
		return at, err
	}
	return at, r.place.write(at.String())
}

// concerned reports whether an event concerns somebody of the hospital for whom the
// receiver is there.
func (r *receiver) concerned(notice ledger.Notice) bool {
	msp := r.options.MSP
	switch r.target.Audience {
	case config.Officers:
		return notice.Concerns(ledger.Identity{User: ledger.UserID{MSP: msp}, Role: ledger.RolePrivacyOfficer})
	case config.Patients:
		return notice.Patient.MSP == msp
	}
	return len(r.staff(notice)) > 0
}

// staff are those of the hospital whom an event concerns, beside its patient.
func (r *receiver) staff(notice ledger.Notice) []ledger.UserID {
	var staff []ledger.UserID
	for _, user := range append([]ledger.UserID{notice.Actor, notice.User}, notice.Concerned...) {
		if user.MSP == r.options.MSP && user != notice.Patient && !slices.Contains(staff, user) {
			staff = append(staff, user)
		}
	}
	return staff
}

// body is what the receiver may know: the staff of its hospital by name, and no others whom
// the event concerns.
func (r *receiver) body(notice ledger.Notice) ([]byte, error) {
	shown := notice.For(notice.Patient)
	if r.target.Audience == config.Staff {
		shown = notice.For(ledger.UserID{})
		shown.Concerned = r.staff(notice)
	}
	return json.Marshal(message{notice.Name, notice.Time, shown})
}

// remind tells privacy officers of reviews that have become overdue since the last time.
func (r *receiver) remind(ctx context.Context) error {
	if r.target.Audience != config.Officers {
		return nil
	}
	text, err := r.overdue.read()
	if err != nil {
		return err
	}
	told, err := ledger.ParseOverdue(text)
	if err != nil {
		return err
	}
	owed, err := r.options.Owed(ctx, ledger.Identity{User: ledger.UserID{MSP: r.options.MSP, Pseudonym: r.target.Name}, Role: ledger.RolePrivacyOfficer})
	if err != nil {
		return err
	}
	for _, d := range ledger.OverdueAfter(told, owed, r.options.MSP, time.Now()) {
		if err := r.deliver(ctx, overdueID(d), d.Reminder()); err != nil {
			return err
		}
		if err := r.overdue.write(d.Overdue(r.options.MSP).String()); err != nil {
			return err
		}
	}
	return nil
}

// overdueID is the ID of the message about an overdue review, which no transaction made. It
// hides nothing; it names the patient too, as who declares draws the declaration's ID.
func overdueID(d ledger.Declaration) string {
	return "overdue-" + ledger.DigestOf([]byte(d.Name().String())).String()
}

// message is the body that is sent.
type message struct {
	Type      ledger.EventName `json:"type"`
	Timestamp time.Time        `json:"timestamp"` // of the event
	Data      ledger.Notice    `json:"data"`
}

// deliver tries until the receiver takes the message, has refused it for too long, or the
// context ends. The ID is the same each time.
func (r *receiver) deliver(ctx context.Context, id string, notice ledger.Notice) error {
	body, err := r.body(notice)
	if err != nil {
		return err
	}
	defer r.delay.Set(0)
	for pause := r.pause; ; pause = min(2*pause, longestPause) {
		err := r.post(ctx, id, body)
		if err == nil {
			r.attempts.WithLabelValues("delivered").Inc()
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		gone, errNote := r.givesUp(id, err)
		if errNote != nil {
			return errNote
		}
		if gone {
			r.attempts.WithLabelValues("given up").Inc()
			r.log.Error("webhook has refused a message for too long, which is given up; mend the receiver, and to have the message sent again set its place back",
				"message", id, "error", err, "patience", patience)
			return nil
		}
		r.attempts.WithLabelValues("failed").Inc()
		r.delay.Set(time.Since(notice.Time).Seconds())
		r.log.Warn("webhook does not take a message; trying again", "message", id, "error", err, "pause", pause)
		rest(ctx, pause)
	}
}

func rest(ctx context.Context, pause time.Duration) {
	select {
	case <-time.After(pause):
	case <-ctx.Done():
	}
}
