// Package lane has bytes hashed at the same time as they are encrypted, sent or read:
// on one lane each, a stream is as fast as the slowest of them, not as all together.
package lane

import "io"

const (
	buffers    = 4
	bufferSize = 64 << 10 // bytes
)

// Lane passes what is written to it on to a writer in a goroutine of its own, in order
// and in bounded memory. It must be closed.
type Lane struct {
	empty, full chan []byte
	ended       chan error
}

// To begins a lane to the writer.
func To(w io.Writer) *Lane {
	l := &Lane{empty: make(chan []byte, buffers), full: make(chan []byte, buffers), ended: make(chan error, 1)}
	for range buffers {
		l.empty <- nil // made when it is first needed
	}
	go l.pass(w)
	return l
}

// pass goes on taking after an error, so that nobody waits for it.
func (l *Lane) pass(w io.Writer) {
	var failure error
	for b := range l.full {
		if failure == nil {
			_, failure = w.Write(b)
		}
		l.empty <- b
	}
	l.ended <- failure
}

// Write copies b and returns before the writer has it. It reports no error of the
// writer: [Lane.Close] does.
func (l *Lane) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		buffer := <-l.empty
		if buffer == nil {
			buffer = make([]byte, 0, bufferSize)
		}
		n := min(len(rest), bufferSize)
		l.full <- append(buffer[:0], rest[:n]...)
		rest = rest[n:]
	}
	return len(b), nil
}

// Close waits until the writer has everything, and returns its first error.
func (l *Lane) Close() error {
	close(l.full)
	return <-l.ended
}
