package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// origins refuses what no browser and no app on a phone sends as its Origin (RFC 6454,
// section 6), and what would let all of them in. Apps have schemes of their own, such as
// capacitor://localhost.
func origins(values []string) error {
	var errs []error
	for i, value := range values {
		if why := notOrigin(value); why != "" {
			errs = append(errs, fmt.Errorf("origins[%d]: %q %s", i, value, why))
		}
	}
	return errors.Join(errs...)
}

func notOrigin(value string) (why string) {
	u, err := url.Parse(value)
	switch {
	case value == "null":
		return "is what every page in a sandbox sends; name the app's own origin"
	case strings.Contains(value, "*"):
		return "stands for more than one origin; name each app's own"
	case err != nil || u.Scheme == "" || u.Host == "":
		return "is not an origin; write scheme://host or scheme://host:port, such as https://app.example"
	case u.Scheme+"://"+u.Host != value:
		return fmt.Sprintf("has more than an origin, or capitals in it; write %s://%s", u.Scheme, strings.ToLower(u.Host))
	case value != strings.ToLower(value):
		return "has capitals; write " + strings.ToLower(value)
	case u.Port() != "" && u.Port() == defaultPorts[u.Scheme]:
		return fmt.Sprintf("names the port that browsers leave out; write %s://%s", u.Scheme, u.Hostname())
	case strings.ContainsFunc(value, func(r rune) bool { return r > '~' }):
		return "has letters that browsers send as xn--; write the name in that form"
	}
	return ""
}

var defaultPorts = map[string]string{"https": "443", "http": "80"}
