package client

import (
	"bufio"
	"errors"
	"strings"
	"testing"
)

func FuzzReadMessage(f *testing.F) {
	f.Add("event: A\nid: 1-2\ndata: {}\n\n")
	f.Add(":\nid: 1-0\n\n")
	f.Add("data: a\ndata: b\r\n\r\n")
	f.Add("data")
	f.Fuzz(func(t *testing.T, text string) {
		lines := bufio.NewReaderSize(strings.NewReader(text), 64)
		for {
			m, err := readMessage(lines)
			if err != nil {
				return
			}
			if len(m.id)+len(m.data) > 64*linesLimit {
				t.Errorf("a message has %d bytes", len(m.data))
			}
		}
	})
}

func TestMessagesAreRead(t *testing.T) {
	lines := bufio.NewReaderSize(strings.NewReader(":\nid: 7-0\n\nevent: A\nid: 7-1\ndata: {\"a\":1}\n\nid: 8-0\n"), 4096)
	for _, want := range []message{{id: "7-0"}, {id: "7-1", data: `{"a":1}`}} {
		if got, err := readMessage(lines); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	if _, err := readMessage(lines); !interrupted(err) {
		t.Errorf("a stream that ends: %v", err)
	}
	if interrupted(errors.New("the caller's own")) {
		t.Error("what the caller fails of is taken for an interruption")
	}
}
