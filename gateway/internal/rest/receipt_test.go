package rest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
	"pgregory.net/rapid"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
)

// visit has a receipt written as the API does.
func visit(t interface{ Fatal(...any) }, w http.ResponseWriter, access ledger.Access, block []byte, ifNoneMatch string) error {
	gin.SetMode(gin.ReleaseMode)
	c, engine := gin.CreateTestContext(w)
	c.Request = httptest.NewRequest(http.MethodGet, "/", nil)
	c.Request.Header.Set("If-None-Match", ifNoneMatch)
	made, err := newReceipt(c, access, block)
	if err != nil {
		t.Fatal(err)
	}
	engine.Use(revalidate)
	engine.GET("/", func(c *gin.Context) { err = made.VisitReadReceiptResponse(c.Writer) })
	engine.ServeHTTP(w, c.Request)
	return err
}

// A receipt that streams is the JSON that the document describes, and has its tag.
func TestAReceiptIsWhatTheDocumentSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		block := rapid.SliceOfN(rapid.Byte(), 0, 3*pieceSize).Draw(t, "block")
		want := api.Receipt{Access: ledger.Access{Open: rapid.String().Draw(t, "open")}, Block: block}
		recorder := httptest.NewRecorder()
		if err := visit(t, recorder, want.Access, block, `W/"another"`); err != nil {
			t.Fatal(err)
		}
		var got api.Receipt
		if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		text, _ := json.Marshal(want)
		if again, _ := json.Marshal(got); !reflect.DeepEqual(again, text) {
			t.Fatalf("%.200s, want %.200s", again, text)
		}
		tag := recorder.Header().Get("ETag")
		if recorder.Code != 200 || recorder.Header().Get("Content-Type") != "application/json" || tag == "" {
			t.Fatal(recorder.Code, recorder.Header())
		}
		again := httptest.NewRecorder()
		if err := visit(t, again, want.Access, block, tag); err != nil || again.Code != http.StatusNotModified || again.Body.Len() != 0 {
			t.Fatal(err, again.Code, again.Body.Len())
		}
		changed := httptest.NewRecorder()
		if err := visit(t, changed, want.Access, append(block, 0), tag); err != nil || changed.Code != http.StatusOK {
			t.Fatal(err, changed.Code)
		}
	})
}

// slowReader takes nothing until it is released.
type slowReader struct {
	header  http.Header
	reached *sync.WaitGroup
	release chan struct{}
	largest int
	once    sync.Once
}

func (s *slowReader) Header() http.Header { return s.header }
func (s *slowReader) WriteHeader(int)     {}
func (s *slowReader) Write(b []byte) (int, error) {
	s.once.Do(s.reached.Done)
	<-s.release
	s.largest = max(s.largest, len(b))
	return len(b), nil
}

// A hundred who take a large block slowly hold it once, and little beside it: neither its
// text nor a copy.
func TestSlowReadersOfReceiptsHoldLittle(t *testing.T) {
	const readers, each = 100, 256 << 10
	block := make([]byte, 2<<20)
	memory := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before := memory()
	var reached, done sync.WaitGroup
	release := make(chan struct{})
	reached.Add(readers)
	for range readers {
		done.Go(func() {
			reader := &slowReader{header: http.Header{}, reached: &reached, release: release}
			if err := visit(t, reader, ledger.Access{}, block, ""); err != nil || reader.largest > pieceSize {
				t.Errorf("%v, %d bytes at once", err, reader.largest)
			}
		})
	}
	reached.Wait()
	if held := int64(memory() - before); held > readers*each {
		t.Errorf("%d readers hold %d bytes", readers, held)
	} else {
		t.Logf("%d readers of %d bytes hold %d", readers, len(block), held)
	}
	close(release)
	done.Wait()
	runtime.KeepAlive(block)
}
