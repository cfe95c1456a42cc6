package trust

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// foreign makes an assertion as a library of somebody else's may: of a header and claims
// as they stand there.
func foreign(t *testing.T, s *Signer, header map[string]any, claims string) string {
	t.Helper()
	options := &jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{}}
	for name, value := range header {
		options.ExtraHeaders[jose.HeaderKey(name)] = value
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: s.Key}, options)
	if err != nil {
		t.Fatal(err)
	}
	object, err := signer.Sign([]byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	text, err := object.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func base64Of(certificate *x509.Certificate) string {
	return base64.StdEncoding.EncodeToString(certificate.Raw)
}

func wrapped(text string) string { return text[:64] + "\n" + text[64:] }

func url(certificate *x509.Certificate) string {
	return "-" + base64.RawURLEncoding.EncodeToString(certificate.Raw)
}

// What RFC 7519, RFC 7523 and SMART Backend Services let clients send is taken; all else
// is refused in words that say what the gateway wants.
func TestAssertionsOfOthersLibraries(t *testing.T) {
	h := newHospital(t, "HospitalA")
	bundle, device, now := bundleOf(h), h.issue("patient", ledger.RolePatient), time.Unix(time.Now().Unix(), 0)
	own, root := base64Of(device.Certificate), base64Of(h.root)
	const url1, url2 = "https://g", "https://g/oauth2/token"
	for name, test := range map[string]struct {
		header  map[string]any // in the place of x5c and no typ
		claims  map[string]any // in the place of those that are right
		refused string         // what it says; taken when empty
	}{
		"no typ":                       {nil, nil, ""},
		"the usual typ":                {map[string]any{"typ": "JWT"}, nil, ""},
		"a typ in small letters":       {map[string]any{"typ": "jwt"}, nil, ""},
		"the newer typ":                {map[string]any{"typ": "client-authentication+jwt"}, nil, ""},
		"the newer typ in full":        {map[string]any{"typ": "application/client-authentication+jwt"}, nil, ""},
		"the typ of a key statement":   {map[string]any{"typ": string(keyStatement)}, nil, "its typ"},
		"the typ of a token":           {map[string]any{"typ": "at+jwt"}, nil, "its typ"},
		"a typ that is not a text":     {map[string]any{"typ": 1}, nil, "its typ"},
		"a key's name":                 {map[string]any{"kid": "device-1"}, nil, ""},
		"a critical header":            {map[string]any{"crit": []string{"pie"}, "pie": true}, nil, "its signature"},
		"a chain":                      {map[string]any{"x5c": []string{own, root}}, nil, ""},
		"a chain, root first":          {map[string]any{"x5c": []string{root, own}}, nil, "first certificate in x5c"},
		"no certificate":               {map[string]any{"x5c": []string{}}, nil, "no certificate in x5c"},
		"line breaks":                  {map[string]any{"x5c": []string{wrapped(own)}}, nil, "line breaks"},
		"line breaks behind":           {map[string]any{"x5c": []string{own, wrapped(root)}}, nil, "line breaks"},
		"base64url":                    {map[string]any{"x5c": []string{url(device.Certificate)}}, nil, "base64url"},
		"another encoding":             {map[string]any{"x5c": []string{"&&&&"}}, nil, "not base64"},
		"no certificate in it":         {map[string]any{"x5c": []string{"AAAA"}}, nil, "not a certificate"},
		"parts of seconds":             {nil, map[string]any{"iat": float64(now.Unix()) + .25, "exp": float64(now.Unix()) + 59.5}, ""},
		"the token endpoint":           {nil, map[string]any{"aud": url2}, ""},
		"a list of one":                {nil, map[string]any{"aud": []string{url2}}, ""},
		"two audiences":                {nil, map[string]any{"aud": []string{url1, "https://h"}}, url2},
		"both names of the gateway":    {nil, map[string]any{"aud": []string{url1, url2}}, "nothing beside it"},
		"an empty list":                {nil, map[string]any{"aud": []string{}}, url1},
		"a slash behind":               {nil, map[string]any{"aud": url1 + "/"}, url1},
		"no audience":                  {nil, map[string]any{"aud": nil}, url1},
		"other claims":                 {nil, map[string]any{"client_id": "HospitalA/patient", "scope": "system/*.rs", "cnf": map[string]string{"x": "y"}}, ""},
		"not before now":               {nil, map[string]any{"nbf": now.Unix()}, ""},
		"not before, in three minutes": {nil, map[string]any{"nbf": now.Unix() + 180}, "begins in 180 s"},
		"a fast clock":                 {nil, map[string]any{"iat": now.Unix() + 119, "exp": now.Unix() + 179}, ""},
		"a clock too fast":             {nil, map[string]any{"iat": now.Unix() + 180, "exp": now.Unix() + 240}, now.UTC().Format(time.RFC3339)},
		"a slow clock":                 {nil, map[string]any{"iat": now.Unix() - 179, "exp": now.Unix() - 119}, ""},
		"a clock too slow":             {nil, map[string]any{"iat": now.Unix() - 240, "exp": now.Unix() - 180}, "ended 180 s ago; the gateway's clock says " + now.UTC().Format(time.RFC3339)},
		"five minutes":                 {nil, map[string]any{"exp": now.Unix() + 300}, ""},
		"more than five minutes":       {nil, map[string]any{"exp": now.Unix() + 301}, "5m0s at most"},
		"no time of issue":             {nil, map[string]any{"iat": nil}, ""},
		"no time of issue, an hour":    {nil, map[string]any{"iat": nil, "exp": now.Unix() + 3600}, "5m0s at most"},
		"issued an hour ago":           {nil, map[string]any{"iat": now.Unix() - 3600}, "5m0s at most"},
		"no end":                       {nil, map[string]any{"exp": nil}, "exp is missing"},
		"an end as text":               {nil, map[string]any{"exp": "tomorrow"}, "malformed"},
		"no time at all":               {nil, map[string]any{"exp": 1e300}, "not seconds"},
		"before 1970":                  {nil, map[string]any{"iat": -1}, "not seconds"},
		"no ID":                        {nil, map[string]any{"jti": nil}, "jti"},
		"a long ID":                    {nil, map[string]any{"jti": strings.Repeat("x", maxAssertionID+1)}, "jti"},
		"another issuer":               {nil, map[string]any{"iss": "HospitalA/other"}, "HospitalA/patient"},
		"another subject":              {nil, map[string]any{"sub": "HospitalA/other"}, "HospitalA/patient"},
		"keys in the wrong case":       {nil, map[string]any{"iss": nil, "ISS": "HospitalA/patient"}, "iss"},
	} {
		header := map[string]any{"x5c": []string{own}}
		maps.Copy(header, test.header)
		claims := map[string]any{
			"iss": "HospitalA/patient", "sub": "HospitalA/patient", "aud": url1, "jti": "x", "iat": now.Unix(), "exp": now.Unix() + 60,
		}
		maps.Copy(claims, test.claims)
		maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
		text, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		identity, _, _, err := bundle.VerifyAssertion(foreign(t, device, header, string(text)), []string{url1, url2}, now)
		switch {
		case test.refused == "" && (err != nil || identity.User.Pseudonym != "patient"):
			t.Errorf("%s: %v", name, err)
		case test.refused != "" && (fault.CodeOf(err) != fault.Unauthenticated || !strings.Contains(err.Error(), test.refused)):
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A claim or a certificate that is there twice could be read as another.
func TestAssertionsSayNothingTwice(t *testing.T) {
	h := newHospital(t, "HospitalA")
	device, now := h.issue("patient", ledger.RolePatient), time.Now()
	claims := fmt.Sprintf(`{"iss": "HospitalA/patient", "sub": "HospitalA/patient", "aud": "https://h", "aud": "https://g", "jti": "x", "exp": %d}`, now.Unix()+60)
	twice := foreign(t, device, map[string]any{"x5c": []string{base64Of(device.Certificate)}}, claims)
	if _, _, _, err := bundleOf(h).VerifyAssertion(twice, []string{"https://g"}, now); fault.CodeOf(err) != fault.Unauthenticated {
		t.Errorf("two audiences: %v", err)
	}
	header := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg": "ES256", "x5c": [%q], "x5c": [%q]}`, base64Of(h.root), base64Of(device.Certificate)))
	if _, err := firstCertificate(header + ".e30.c2ln"); err == nil {
		t.Error("two x5c were taken")
	}
}

// Another object that the identity key signed is not an assertion, and an assertion is
// not another object.
func TestOtherObjectsAreNotAssertions(t *testing.T) {
	h := newHospital(t, "HospitalA")
	device, now := h.issue("patient", ledger.RolePatient), time.Now()
	for _, typ := range []kind{keyStatement, professionalCard, reencryptionAsk, reencryptionAnswer} {
		claims := Assertion{
			Issuer: ledger.UserID{MSP: "HospitalA", Pseudonym: "patient"}, Subject: ledger.UserID{MSP: "HospitalA", Pseudonym: "patient"},
			Audience: "https://g", ID: "x", IssuedAt: now.Unix(), Expires: now.Unix() + 60,
		}
		object, err := device.sign(typ, claims)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := bundleOf(h).VerifyAssertion(object, []string{"https://g"}, now); fault.CodeOf(err) != fault.Unauthenticated {
			t.Errorf("%s: %v", typ, err)
		}
		for name, header := range map[string]map[string]any{"no typ": {}, "JWT": {"typ": "JWT"}, "newer": {"typ": "client-authentication+jwt"}} {
			header["x5c"] = []string{base64Of(device.Certificate)}
			if _, err := open(typ, foreign(t, device, header, `{}`), new(struct{})); err == nil {
				t.Errorf("an assertion with %s passed for %s", name, typ)
			}
		}
	}
}

func FuzzAssertion(f *testing.F) {
	f.Add("eyJhbGciOiJFUzI1NiIsIng1YyI6WyJBQUFBIl19.e30.c2ln")
	f.Add("..")
	bundle := &Bundle{}
	f.Fuzz(func(t *testing.T, text string) {
		if _, _, _, err := bundle.VerifyAssertion(text, []string{"https://g"}, time.Now()); fault.CodeOf(err) != fault.Unauthenticated {
			t.Errorf("%q: %v", text, err)
		}
	})
}
