package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pie-consortium/pie/network/internal/process"
)

// headerTimeout bounds how long a command may take to say what it wants.
const headerTimeout = 5 * time.Second

// Owner is what a supervisor offers to commands.
type Owner struct {
	// Up starts what does not run; lines for people go to progress.
	Up func(ctx context.Context, progress func(string)) error
	// Status lists the nodes.
	Status func() []process.Status
	// Close stops every node. It is called last.
	Close func() error
}

// event is one line of the answer to up: progress, and in the end the outcome.
type event struct {
	Progress string `json:"progress,omitempty"`
	Done     bool   `json:"done,omitempty"`
	Error    string `json:"error,omitempty"`
}

// Serve answers commands in data until ctx ends or one says down; then it closes the
// owner. Until that is done nobody else can serve in data.
func Serve(ctx context.Context, data string, owner Owner) error {
	held, err := lock(data)
	if err != nil {
		return err
	}
	defer held.Close()
	listener, err := listen(ctx, data)
	if err != nil {
		return err
	}
	defer os.Remove(filepath.Join(data, socketName))
	ctx, down := context.WithCancel(ctx)
	defer down()
	routes := http.NewServeMux()
	routes.HandleFunc("GET /nodes", func(w http.ResponseWriter, _ *http.Request) {
		write(w, Record{os.Getpid(), owner.Status()})
	})
	routes.HandleFunc("POST /up", up(owner))
	routes.HandleFunc("POST /down", func(http.ResponseWriter, *http.Request) { down() })
	server := &http.Server{Handler: routes, ReadHeaderTimeout: headerTimeout}
	var closing sync.WaitGroup
	closing.Go(func() {
		<-ctx.Done()
		// The answer to down has to get out before the socket closes.
		final, cancel := context.WithTimeout(context.WithoutCancel(ctx), headerTimeout)
		defer cancel()
		if server.Shutdown(final) != nil {
			server.Close()
		}
	})
	err = server.Serve(listener)
	down()
	closing.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, owner.Close())
}

// up brings the network up, one command at a time, and streams what happens.
func up(owner Owner) http.HandlerFunc {
	var one sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) {
		one.Lock()
		defer one.Unlock()
		outcome := event{Done: true}
		if err := owner.Up(r.Context(), func(line string) { write(w, event{Progress: line}) }); err != nil {
			outcome.Error = err.Error()
		}
		write(w, outcome)
	}
}

// write sends a line of JSON at once. A command that went away does not read it, and
// its request's context says so.
func write(w http.ResponseWriter, line any) {
	if json.NewEncoder(w).Encode(line) == nil {
		http.NewResponseController(w).Flush()
	}
}
