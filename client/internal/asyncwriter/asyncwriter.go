// Package asyncwriter has bytes hashed at the same time as they are encrypted, sent or read:
// in a goroutine each, a stream is as fast as the slowest of them, not as all together.
package asyncwriter

import "io"

const (
	buffers    = 4
	bufferSize = 64 << 10 // bytes
)

// Writer passes what is written to it on to a writer in a goroutine of its own, in order
// and in bounded memory. It must be closed.
type Writer struct {
	empty, full chan []byte
	ended       chan error
}

// New passes on to the writer what is written.
func New(to io.Writer) *Writer {
	w := &Writer{empty: make(chan []byte, buffers), full: make(chan []byte, buffers), ended: make(chan error, 1)}
	for range buffers {
		w.empty <- nil // made when it is first needed
	}
	go w.pass(to)
	return w
}

// pass goes on taking after an error, so that nobody waits for it.
func (w *Writer) pass(to io.Writer) {
	var failure error
	for b := range w.full {
		if failure == nil {
			_, failure = to.Write(b)
		}
		w.empty <- b
	}
	w.ended <- failure
}

// Write copies b and returns before the writer has it. It reports no error of the
// writer: [Writer.Close] does.
func (w *Writer) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		buffer := <-w.empty
		if buffer == nil {
			buffer = make([]byte, 0, bufferSize)
		}
		n := min(len(rest), bufferSize)
		w.full <- append(buffer[:0], rest[:n]...)
		rest = rest[n:]
	}
	return len(b), nil
}

// Close waits until the writer has everything, and returns its first error.
func (w *Writer) Close() error {
	close(w.full)
	return <-w.ended
}
