package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/pie-consortium/pie/internal/direct"
	"github.com/pie-consortium/pie/ledger/fault"
)

// silenceError says that a gateway did not answer: another one may be tried.
type silenceError struct {
	gateway string
	cause   error
}

func (e *silenceError) Error() string {
	return fmt.Sprintf("%s: %s does not answer: %s; try again", fault.OrderingUnavailable, e.gateway, whySilent(e.cause))
}

func (e *silenceError) Unwrap() []error {
	return []error{e.cause, fault.New(fault.OrderingUnavailable, "%s does not answer", e.gateway)}
}

// whySilent says in words what kept somebody from answering.
func whySilent(err error) string {
	var (
		name        *net.DNSError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		alert       tls.AlertError
		elsewhere   *direct.RedirectError
	)
	switch {
	case errors.As(err, &elsewhere):
		return elsewhere.Error()
	case errors.As(err, &certificate):
		return whyUntrusted(certificate.Err)
	case errors.As(err, &name) && name.IsNotFound:
		return fmt.Sprintf("no machine of the name %s is known; look at the device's network, or ask the hospital's IT", name.Name)
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "what answers there does not speak TLS"
	case errors.As(err, &alert):
		return "it does not take this device's TLS; update pie"
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return "it said nothing in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens at its address"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.As(err, &name):
		return "there is no way to its address; look at the device's network"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "it broke the connection off"
	}
	return "the connection failed"
}

// whyUntrusted says in words why a gateway's certificate is not believed.
func whyUntrusted(err error) string {
	var (
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &unknown):
		return "its certificate is not of the CA that your invitation names for its hospital; somebody may stand between, so ask the hospital's IT before you go on"
	case errors.As(err, &host):
		return fmt.Sprintf("its certificate is not for %s; ask the hospital's IT", host.Host)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Sprintf("its certificate holds from %s to %s, and this device's clock says %s; set the clock, or ask the hospital's IT",
			invalid.Cert.NotBefore.Local().Format(time.DateTime), invalid.Cert.NotAfter.Local().Format(time.DateTime), time.Now().Format(time.DateTime))
	}
	return "its certificate is not valid; ask the hospital's IT"
}
