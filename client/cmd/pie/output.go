package main

import (
	"io"
	"sync"
)

// output remembers the first failure of writing, so that a command whose output is cut off
// does not end well, whoever wrote it.
type output struct {
	to      io.Writer
	mutex   sync.Mutex
	failure error
}

// Write writes on.
func (o *output) Write(text []byte) (int, error) {
	n, err := o.to.Write(text)
	if err != nil {
		o.mutex.Lock()
		defer o.mutex.Unlock()
		o.failure = err
	}
	return n, err
}

func (o *output) err() error {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.failure
}
