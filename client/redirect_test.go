package client

import (
	"context"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger/trust"
)

// A gateway must not make devices of other hospitals call what only they can reach: no
// request that a device can make is carried anywhere else, whatever the gateway answers.
func TestNoRequestOfADeviceFollowsARedirect(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer inside.Close()
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		var asked atomic.Int64
		door := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			http.Redirect(w, r, inside.URL+r.URL.Path, status)
		}))
		root := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: door.Certificate().Raw}))
		g, err := newGateway(trust.Organization{MSP: "HospitalB", TLSRoots: []string{root}}, door.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		g.token, g.expires = "a token", time.Now().Add(time.Hour)
		for _, client := range []*api.Client{g.api, g.open} {
			for method, operation := range reflect.ValueOf(client).Methods() {
				before := asked.Load()
				if err := askAnything(t.Context(), operation); asked.Load() > before && (err == nil || !strings.Contains(err.Error(), "redirect")) {
					t.Errorf("%s, %d: %v", method.Name, status, err)
				}
			}
		}
		if operations := reflect.TypeFor[api.ClientInterface]().NumMethod(); asked.Load() < int64(operations) {
			t.Errorf("%d: the gateway was asked %d times, for two clients of %d methods each", status, asked.Load(), operations)
		}
		door.Close()
	}
	if reached.Load() != 0 {
		t.Errorf("devices called the service inside %d times", reached.Load())
	}
}

// askAnything makes an operation's request, with arguments that mean nothing.
func askAnything(ctx context.Context, operation reflect.Value) error {
	arguments := []reflect.Value{reflect.ValueOf(ctx)}
	for i := 1; i < operation.Type().NumIn()-1; i++ { // the last are editors of the request
		wanted := operation.Type().In(i)
		argument := reflect.New(wanted).Elem()
		switch {
		case wanted == reflect.TypeFor[io.Reader]():
			argument.Set(reflect.ValueOf(strings.NewReader("content")))
		case wanted.Kind() == reflect.String:
			argument.SetString("x")
		}
		arguments = append(arguments, argument)
	}
	results := operation.Call(arguments)
	err, _ := results[1].Interface().(error)
	if response, _ := results[0].Interface().(*http.Response); response != nil && err == nil {
		err = response.Body.Close()
	}
	return err
}
