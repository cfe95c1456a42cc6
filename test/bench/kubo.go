package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"

	"github.com/pie-consortium/pie/internal/direct"
)

// kubo is the base URL of a Kubo node's RPC interface.
type kubo string

// add stores bytes that the node does not have yet, as the gateway would.
func (k kubo) add(ctx context.Context, size int64) error {
	body, pipe := io.Pipe()
	form := multipart.NewWriter(pipe)
	go func() {
		part, err := form.CreateFormFile("file", "content")
		if err == nil {
			_, err = io.Copy(part, io.LimitReader(newUnseen(), size))
		}
		pipe.CloseWithError(errors.Join(err, form.Close()))
	}()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost,
		string(k)+"/api/v0/add?pin=true&cid-version=1&raw-leaves=true&chunker=size-1048576&progress=false", body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", form.FormDataContentType())
	answer, err := k.ask(request)
	if err != nil {
		return err
	}
	defer answer.Close()
	var added struct{ Hash string }
	return json.NewDecoder(answer).Decode(&added)
}

// cat reads a content into a file.
func (k kubo) cat(ctx context.Context, cid, path string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, string(k)+"/api/v0/cat?arg="+cid, nil)
	if err != nil {
		return err
	}
	answer, err := k.ask(request)
	if err != nil {
		return err
	}
	defer answer.Close()
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, answer)
	return errors.Join(err, file.Close(), os.Remove(path))
}

func (k kubo) ask(request *http.Request) (io.ReadCloser, error) {
	answer, err := direct.Client(http.DefaultTransport).Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		return nil, fmt.Errorf("kubo answers %s", answer.Status)
	}
	return answer.Body, nil
}

// unseen reads as blocks that no node has: Kubo keeps equal blocks once. A number at
// the head of each costs nothing beside what is measured.
type unseen struct {
	block []byte
	at    int
}

func newUnseen() *unseen {
	u := &unseen{block: make([]byte, 1<<20)}
	for i := 0; i < len(u.block); i += 8 {
		binary.LittleEndian.PutUint64(u.block[i:], rand.Uint64())
	}
	return u
}

func (u *unseen) Read(b []byte) (int, error) {
	if u.at == len(u.block) {
		binary.LittleEndian.PutUint64(u.block, binary.LittleEndian.Uint64(u.block)+1)
		u.at = 0
	}
	n := copy(b, u.block[u.at:])
	u.at += n
	return n, nil
}
