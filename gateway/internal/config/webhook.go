package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
)

// Audience is for whom a webhook is there.
type Audience string

// The audiences: people of this hospital.
const (
	Officers Audience = "privacy-officers" // what concerns its privacy officers, and overdue reviews
	Patients Audience = "patients"         // what concerns its patients
	Staff    Audience = "staff"            // what concerns everybody else who is of it
)

// Webhook is a system of the hospital's that is told of events.
type Webhook struct {
	Name     string   `yaml:"name"`     // lower-case letters, digits and hyphens; how far it has come is kept under this name
	URL      string   `yaml:"url"`      // https
	TLSRoot  string   `yaml:"tlsRoot"`  // file, PEM; the machine's own roots when empty
	Secret   string   `yaml:"secret"`   // file, readable by its owner only: whsec_ and 24 to 64 bytes in base64
	Audience Audience `yaml:"audience"` // one for each webhook
}

var webhookName = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)

func webhooks(targets []Webhook) error {
	var errs []error
	names := map[string]bool{}
	for i, target := range targets {
		field := fmt.Sprintf("webhooks[%d]", i)
		if !webhookName.MatchString(target.Name) || names[target.Name] {
			errs = append(errs, fmt.Errorf("%s.name must be 1 to 40 lower-case letters, digits and hyphens, and no other webhook's", field))
		}
		names[target.Name] = true
		if u, err := url.Parse(target.URL); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
			errs = append(errs, fmt.Errorf("%s.url must be an https URL without user and password", field))
		}
		switch target.Audience {
		case Officers, Patients, Staff:
		default:
			errs = append(errs, fmt.Errorf("%s.audience must be %s, %s or %s", field, Officers, Patients, Staff))
		}
		if target.TLSRoot != "" {
			errs = append(errs, readable(field+".tlsRoot", target.TLSRoot))
		}
		errs = append(errs, secret(field+".secret", target.Secret))
	}
	return errors.Join(errs...)
}
