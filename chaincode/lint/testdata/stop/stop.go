// Package stop ends more than a transaction.
package stop

import (
	"log"
	"os"
	"regexp"
	"runtime"
	"syscall"
)

var form = regexp.MustCompile(`^[a-z]+$`)

func require(id string) {
	if id == "" {
		panic("no id") // want `panic ends more than this transaction`
	}
	if !form.MatchString(id) {
		log.Fatalf("bad id") // want `log.Fatalf ends more than this transaction`
	}
	if !regexp.MustCompile(id).MatchString(id) { // want `regexp.MustCompile ends more than this transaction`
		runtime.Goexit() // want `runtime.Goexit ends more than this transaction`
		syscall.Exit(1)  // want `syscall.Exit ends more than this transaction`
		os.Exit(1)       // want `os.Exit ends more than this transaction`
	}
}

func text(value any) string {
	return value.(string) // want `a type assertion without a second result panics`
}

func checked(value any) string {
	switch value := value.(type) {
	case []byte:
		return string(value)
	}
	if text, ok := value.(string); ok {
		return text
	}
	var text, ok = value.(string)
	_, _ = text, ok
	return ""
}

type ours struct{}

func (ours) panic() {}

func call(o ours) { o.panic() }
