package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

const (
	// patience bounds one attempt of one step.
	patience = 2 * time.Minute
	// largest is the most bytes that a story's content has.
	largest = 300_000
)

// story is one record from its authorisation to its opening by somebody else. Each step
// is tried until it is acknowledged, or the load ends.
type story struct {
	*party
	journal
	number  int
	content []byte

	record  ledger.ID
	request ledger.ID
	opens   []string // transaction IDs
	wrong   []error  // what no fault excuses
}

// reader is who asks for the record.
func (s *story) reader() *client.Client { return s.readers[s.number%len(s.readers)] }

func (s *story) readerHome() string { return s.home(readerHome(s.number % len(s.readers))) }

// stepFunc does one step of a story.
type stepFunc = func(*story, context.Context) error

// steps of a story in their order. The first opening comes too early and must fail.
var steps = []struct {
	name string
	do   stepFunc
}{
	{"authorize", (*story).authorize},
	{"upload", (*story).upload},
	{"confirm", (*story).confirm},
	{"trespass", (*story).trespass},
	{"request", (*story).ask},
	{"grant", (*story).grant},
	{"open", (*story).open},
}

func (s *story) authorize(ctx context.Context) error {
	uploads, err := s.patient.Authorize(ctx, client.Authorization{
		Author: ledger.PersonSubject(s.author.Identity().User), Policy: client.DefaultPolicy(ledger.ClassMedicalInformation), Expiry: time.Now().Add(time.Hour),
	})
	if err == nil {
		s.record = uploads[0].Record
	}
	return err
}

func (s *story) upload(ctx context.Context) error {
	file := s.home(fmt.Sprint("emr-", s.number))
	if err := os.WriteFile(file, s.content, 0o600); err != nil {
		return err
	}
	defer os.Remove(file)
	_, err := s.author.Upload(ctx, client.NewRecord{
		Patient: s.patient.Identity().User, Record: s.record, File: file,
		Metadata: ledger.Metadata{Class: ledger.ClassMedicalInformation, MediaType: "application/octet-stream"},
	})
	return err
}

func (s *story) confirm(ctx context.Context) error {
	_, err := s.patient.Confirm(ctx, s.record)
	return err
}

// trespass opens without a grant. To be refused is what is wanted.
func (s *story) trespass(ctx context.Context) error {
	_, _, err := s.read(ctx, s.reader())
	if err == nil {
		s.wrong = append(s.wrong, errors.New("the record was opened without a grant"))
	}
	if fault.CodeOf(err) == fault.PermissionDenied {
		return nil
	}
	return err
}

func (s *story) ask(ctx context.Context) error {
	request, err := s.reader().Request(ctx, ledger.RecordVersion{Record: s.record, Version: 1}, ledger.PurposeTreatment)
	if err == nil {
		s.request = request.ID
	}
	return err
}

func (s *story) grant(ctx context.Context) error {
	_, err := s.patient.Grant(ctx, s.request, time.Now().Add(time.Hour))
	return err
}

func (s *story) open(ctx context.Context) error {
	opened, content, err := s.read(ctx, s.reader())
	if err == nil && !bytes.Equal(content, s.content) {
		s.wrong = append(s.wrong, errors.New("other bytes came back"))
	}
	if err == nil {
		s.opens = append(s.opens, opened.Open)
	}
	return err
}

// read opens the record as somebody.
func (s *story) read(ctx context.Context, as *client.Client) (client.Opened, []byte, error) {
	dir, err := os.MkdirTemp(s.dir, "opened-")
	if err != nil {
		return client.Opened{}, nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "emr")
	opened, err := as.Open(ctx, s.record, 0, path)
	if err != nil {
		return opened, nil, err
	}
	content, err := os.ReadFile(path)
	return opened, content, err
}

// load is people who use the system all the time.
type load struct {
	parties []*party
	pulse   *pulse
	// working is held by every attempt; who holds it alone has stopped the load.
	working sync.RWMutex

	mutex   sync.Mutex
	stories []*story
	running sync.WaitGroup
	end     context.CancelFunc
}

// start lets every party work on one story after the other until stop.
func start(parties []*party, seed uint64) *load {
	ctx, end := context.WithCancel(context.Background())
	l := &load{parties: parties, pulse: newPulse(), end: end}
	for i, p := range parties {
		dice := rand.New(rand.NewPCG(seed, uint64(i)))
		l.running.Go(func() {
			for number := 0; ctx.Err() == nil; number++ {
				s := &story{party: p, number: number, content: content(dice)}
				l.mutex.Lock()
				l.stories = append(l.stories, s)
				l.mutex.Unlock()
				l.tell(ctx, i, s)
			}
		})
	}
	return l
}

// stop lets attempts under way end and returns all stories.
func (l *load) stop() []*story {
	l.end()
	l.running.Wait()
	return l.stories
}

// quiet does something while nobody works.
func (l *load) quiet(do func() error) error {
	l.working.Lock()
	defer l.working.Unlock()
	return do()
}

func (l *load) tell(ctx context.Context, party int, s *story) {
	for _, step := range steps {
		for told := unknown; told != acknowledged; {
			if ctx.Err() != nil {
				return
			}
			e := l.attempt(step.name, s, step.do)
			told = e.outcome
			s.write(e)
			l.pulse.add(mark{party, e})
			if told != acknowledged {
				rest(ctx)
			}
		}
	}
}

// rest is what people do before they try again.
func rest(ctx context.Context) {
	select {
	case <-time.After(pause):
	case <-ctx.Done():
	}
}

func (l *load) attempt(name string, s *story, do stepFunc) entry {
	l.working.RLock()
	defer l.working.RUnlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	e := entry{at: time.Now(), step: name}
	e.err = do(s, ctx)
	e.outcome, e.ended = judge(e.err), time.Now()
	return e
}

// content draws bytes of a size between none and largest, small ones more often.
func content(dice *rand.Rand) []byte {
	bytes := make([]byte, dice.IntN(largest)>>dice.IntN(16))
	for i := range bytes {
		bytes[i] = byte(dice.Uint32())
	}
	return bytes
}
