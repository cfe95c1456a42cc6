package asyncwriter

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"testing"
)

func TestWriterPassesEverythingInOrder(t *testing.T) {
	content := make([]byte, 3*buffers*bufferSize+5)
	rand.Read(content)
	for _, piece := range []int{1000, bufferSize, 5*bufferSize + 1} {
		var got bytes.Buffer
		w := New(&got)
		again := make([]byte, piece) // reused, as a reader's buffer is
		if _, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{bytes.NewReader(content)}, again); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil || !bytes.Equal(got.Bytes(), content) {
			t.Errorf("pieces of %d: %d bytes of %d passed, unchanged: %v, %v", piece, got.Len(), len(content), bytes.Equal(got.Bytes(), content), err)
		}
	}
}

func TestEmptyWriterEnds(t *testing.T) {
	if err := New(io.Discard).Close(); err != nil {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// A writer that fails holds nobody up, and is heard of at the end.
func TestWriterReportsAtItsEnd(t *testing.T) {
	broken := errors.New("broken")
	w := New(failing{broken})
	if _, err := w.Write(make([]byte, 3*buffers*bufferSize)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}
