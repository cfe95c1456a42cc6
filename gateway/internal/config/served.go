package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Served is the certificate that a TLS server shows. When its files change it is read
// again, so that a renewed one is served without a restart; one that cannot be read leaves
// the old one in use.
type Served struct {
	pair KeyPair
	log  *slog.Logger

	mutex   sync.Mutex
	read    [2]time.Time // when the files were changed that were read last
	current *tls.Certificate
}

// Serve reads the pair for a TLS server.
func (p KeyPair) Serve(log *slog.Logger) (*Served, error) {
	s := &Served{pair: p, log: log}
	return s, s.load(s.changed())
}

// TLS is the configuration of a server: TLS 1.3, with the hybrid post-quantum key exchange
// that the standard library prefers.
func (s *Served) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return s.certificate(), nil
		},
	}
}

// Leaf is the certificate that is shown now.
func (s *Served) Leaf() *x509.Certificate { return s.certificate().Leaf }

func (s *Served) certificate() *tls.Certificate {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if changed := s.changed(); changed != s.read {
		if err := s.load(changed); err != nil {
			s.log.Error("the old TLS certificate stays in use", "error", err)
		}
	}
	return s.current
}

// load notes what it tried even when it fails: the same files are not tried twice.
func (s *Served) load(changed [2]time.Time) error {
	s.read = changed
	pair, err := tls.LoadX509KeyPair(s.pair.Certificate, s.pair.Key)
	if err != nil {
		return fmt.Errorf("TLS certificate and key: %w", err)
	}
	s.current = &pair
	return nil
}

// changed says when the files were changed last; the zero time for one that is not there.
func (s *Served) changed() [2]time.Time {
	var times [2]time.Time
	for i, path := range []string{s.pair.Certificate, s.pair.Key} {
		if info, err := os.Stat(path); err == nil {
			times[i] = info.ModTime()
		}
	}
	return times
}
