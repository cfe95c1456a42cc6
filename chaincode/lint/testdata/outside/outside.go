// Package outside reaches outside of transactions in every way that is known.
package outside

import (
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/pie-consortium/pie/ledger"
)

var started = time.Now() // want `Now reaches the clock`

func theClock(deadline time.Time) (time.Time, bool) { // want theClock:"reaches the clock"
	late := time.Until(deadline) < 0 // want `Until reaches the clock`
	_ = time.Since(deadline)         // want `Since reaches the clock`
	<-time.After(time.Second)        // want `After reaches the clock`
	time.Sleep(time.Second)          // want `Sleep reaches the clock`
	read := time.Now                 // want `Now reaches the clock`
	return read(), late
}

func deadline() context.Context { // want deadline:"reaches the clock"
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) // want `WithTimeout reaches the clock`
	defer cancel()
	return ctx
}

func draw() ([]byte, int) { // want draw:"reaches randomness"
	drawn := make([]byte, 16)
	rand.Read(drawn)                 // want `Read reaches randomness`
	_ = rand.Reader                  // want `Reader reaches randomness`
	return drawn, mathrand.IntN(100) // want `IntN reaches randomness`
}

// The functions of package ledger that draw are for clients.
func drawElsewhere() (ledger.ID, ledger.Salt) { // want drawElsewhere:"reaches randomness"
	return ledger.NewID(), // want `NewID reaches randomness`
		ledger.NewSalt() // want `NewSalt reaches randomness`
}

func surroundings() string { // want surroundings:"reaches files"
	text, err := os.ReadFile("/etc/hostname") // want `ReadFile reaches files`
	if err != nil {
		return os.Getenv("HOSTNAME") // want `Getenv reaches the environment`
	}
	return string(text) + os.Args[0] // want `Args reaches the environment`
}

func folder(file *os.File) (string, error) { // want folder:"reaches the environment"
	name := file.Name()       // want `Name reaches the environment`
	return filepath.Abs(name) // want `Abs reaches the environment`
}

func network() error { // want network:"reaches the network"
	if _, err := net.Dial("tcp", "127.0.0.1:1"); err != nil { // want `Dial reaches the network`
		return err
	}
	_, err := http.Get("http://127.0.0.1/") // want `Get reaches the network`
	return err
}

func through() int { // want through:"reaches randomness"
	_, number := draw()
	return number
}

func zone(t time.Time) time.Time { // want zone:"reaches the environment"
	return t.In(time.Local) // want `Local reaches the environment`
}

// Calculating with times, and checking what the caller drew, is all inside.
func inside(now time.Time, id ledger.ID) (time.Time, error) {
	var mistake *net.OpError
	_ = mistake
	return now.Add(time.Minute).In(time.UTC), id.Validate()
}
