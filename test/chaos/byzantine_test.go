package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// traitor is the hospital that lies.
const traitor = "HospitalC"

// lie changes the real gateway's answer; nil keeps it.
type lie func(r *http.Request, answer *httptest.ResponseRecorder) []byte

// lies of a gateway, by what they are about.
var lies = map[string]lie{
	"other content": func(r *http.Request, answer *httptest.ResponseRecorder) []byte {
		if !strings.HasSuffix(r.URL.Path, "/content") && !strings.HasPrefix(r.URL.Path, "/v1/content/") {
			return nil
		}
		body := bytes.Clone(answer.Body.Bytes())
		body[len(body)/2] ^= 1
		return body
	},
	"content withheld": func(r *http.Request, answer *httptest.ResponseRecorder) []byte {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "content") {
			return nil
		}
		return problem(answer, http.StatusServiceUnavailable, fault.ContentUnavailable)
	},
	"other records": func(r *http.Request, answer *httptest.ResponseRecorder) []byte {
		return rewrite(r, answer, "/v1/records/", func(v *ledger.RecordView) {
			v.SHA256[0] ^= 1
			v.Author = v.Patient
		})
	},
	"an old view": func(r *http.Request, answer *httptest.ResponseRecorder) []byte {
		if r.Method != http.MethodGet {
			return nil
		}
		return problem(answer, http.StatusNotFound, fault.NotFound)
	},
	"other fragments": func(r *http.Request, answer *httptest.ResponseRecorder) []byte {
		return rewrite(r, answer, "/v1/reencrypt", func(v *api.Reencryption) {
			v.Reencryption = v.Reencryption[:len(v.Reencryption)/2] + "A" + v.Reencryption[len(v.Reencryption)/2+1:]
		})
	},
	"refusals": func(r *http.Request, answer *httptest.ResponseRecorder) []byte {
		if strings.HasPrefix(r.URL.Path, "/oauth2/") {
			return nil
		}
		return problem(answer, http.StatusForbidden, fault.PermissionDenied)
	},
	"other envelopes": func(r *http.Request, answer *httptest.ResponseRecorder) []byte {
		return rewrite(r, answer, "/v1/transactions/", func(v *api.EndorsedTransaction) {
			if len(v.Transaction) > 0 {
				v.Transaction[len(v.Transaction)/2] ^= 1
			}
		})
	},
}

func problem(answer *httptest.ResponseRecorder, status int, code fault.Code) []byte {
	answer.Code = status
	answer.Header().Set("Content-Type", "application/problem+json")
	text, err := json.Marshal(api.Problem{Code: code, Status: status, Title: "no", Type: "about:blank"})
	if err != nil {
		panic(err)
	}
	return text
}

// rewrite changes an answer of one type, below a path.
func rewrite[T any](r *http.Request, answer *httptest.ResponseRecorder, prefix string, change func(*T)) []byte {
	var value T
	if answer.Code != http.StatusOK || !strings.HasPrefix(r.URL.Path, prefix) || json.Unmarshal(answer.Body.Bytes(), &value) != nil {
		return nil
	}
	change(&value)
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}

// interposer is a gateway's door with the lie of the moment.
type interposer struct {
	mutex sync.Mutex
	lie   lie
	told  int
}

func (m *interposer) keep(w http.ResponseWriter, r *http.Request, gateway http.Handler) {
	answer := through(r, gateway)
	m.mutex.Lock()
	defer m.mutex.Unlock()
	body := answer.Body.Bytes()
	if m.lie != nil {
		if changed := m.lie(r, answer); changed != nil {
			body = changed
			m.told++
		}
	}
	deliver(w, answer, body)
}

func (m *interposer) tell(l lie) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.lie, m.told = l, 0
}

func (m *interposer) lied() int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.told
}

// TestByzantineHospital has one hospital lie by its gateway, its chaincode, its content
// and its ordering node. The people of the others do not notice but for naming it; its
// own people are refused service at worst.
func TestByzantineHospital(t *testing.T) {
	o, err := network.Organization(traitor)
	if err != nil {
		t.Fatal(err)
	}
	var parties []*party
	for i := range network.Organizations {
		p, err := enrol(t.Context(), i, folder(t, network.Organizations[i].MSP))
		if err != nil {
			t.Fatal(err)
		}
		parties = append(parties, p)
	}
	m := &interposer{}
	var stories []*story
	t.Run("gateway", func(t *testing.T) {
		openDoor(t, o, m.keep)
		for _, name := range slices.Sorted(maps.Keys(lies)) {
			t.Run(name, func(t *testing.T) {
				m.tell(lies[name])
				defer m.tell(nil)
				stories = append(stories, endure(t, parties)...)
				if m.lied() == 0 {
					t.Error("nobody was lied to")
				}
			})
		}
	})
	t.Run("everything", func(t *testing.T) {
		openDoor(t, o, m.keep)
		// First: with chaincode that lies it cannot confirm what it keeps.
		if err := eventually(within(t), replicated); err != nil {
			t.Fatal(err)
		}
		corrupt(t, o)
		if err := damageBlocks(o); err != nil {
			t.Fatal(err)
		}
		if err := network.Pause(o.Orderer); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := network.Resume(o.Orderer); err != nil {
				t.Error(err)
			}
		})
		m.tell(lies["other fragments"])
		defer m.tell(nil)
		stories = append(stories, endure(t, parties)...)
	})
	if err := errors.Join(eventually(within(t), replicated), damagedBlocks(nil, o).heal(t.Context())); err != nil {
		t.Fatal(err)
	}
	verify(t, stories)
}

// within bounds a wait by how long hospitals may take to agree.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), agreement)
	t.Cleanup(cancel)
	return ctx
}

// endure tells a story of each party. Those around honest hospitals come to their end.
func endure(t *testing.T, parties []*party) []*story {
	t.Helper()
	var stories []*story
	var telling sync.WaitGroup
	for i, p := range parties {
		s := &story{party: p, content: []byte("emr of " + t.Name())}
		stories = append(stories, s)
		telling.Go(func() {
			// The first party is of the two honest hospitals alone.
			honest := i == 0
			err := s.tellOnce(t.Context(), honest)
			if alteration, ok := alterationIn(err); ok && !strings.Contains(alteration.Who, traitor) {
				t.Errorf("blamed for %s's lies: %v", traitor, err)
			}
			if honest && err != nil {
				t.Errorf("%v%s", err, s.String())
			}
		})
	}
	telling.Wait()
	return stories
}

// tellOnce does every step, each once, up to the first that fails. A traitor's refusal is
// no promise.
func (s *story) tellOnce(ctx context.Context, believe bool) error {
	for _, step := range steps {
		began := time.Now()
		err := step.do(s, ctx)
		told := judge(err)
		if told == refused && !believe {
			told = unknown
		}
		s.write(entry{at: began, ended: time.Now(), step: step.name, outcome: told, err: err})
		if err != nil {
			return err
		}
	}
	return nil
}
