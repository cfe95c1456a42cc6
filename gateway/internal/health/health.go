// Package health answers whether the gateway lives and whether it can serve.
package health

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// checkTimeout bounds one check.
const checkTimeout = 3 * time.Second

// Checks are what must hold for the gateway to serve, by name. Each returns why not.
type Checks map[string]func(context.Context) error

// Live answers as long as the process does.
func Live(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

// ServeHTTP runs all checks at once and answers 200, or 503 when one fails, with a
// line for each. It is for the hospital's own operators, who may read the reasons.
func (c Checks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	report, status := c.run(r.Context()), http.StatusOK
	for _, line := range report {
		if line != "ok" {
			status = http.StatusServiceUnavailable
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(report)
}

func (c Checks) run(ctx context.Context) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var (
		mutex  sync.Mutex
		group  sync.WaitGroup
		report = make(map[string]string, len(c))
	)
	for name, check := range c {
		group.Go(func() {
			line := "ok"
			if err := check(ctx); err != nil {
				line = err.Error()
			}
			mutex.Lock()
			defer mutex.Unlock()
			report[name] = line
		})
	}
	group.Wait()
	return report
}

// Unexpired checks that the certificate in use still holds; now is the clock.
func Unexpired(used func() *x509.Certificate, now func() time.Time) func(context.Context) error {
	return func(context.Context) error {
		certificate := used()
		if end := certificate.NotAfter; now().After(end) {
			return fmt.Errorf("the certificate of %s expired on %s; renew it", certificate.Subject.CommonName, end.UTC().Format(time.RFC3339))
		}
		return nil
	}
}
