package pressure

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/ledger"
)

// request is one as it goes over the connection.
type request struct {
	method, target string
	header         []string // lines
	body           []byte
	framing        framing
	ill            bool // its head is not what HTTP allows: the server may refuse it in its own words
}

// framing is how a request says where its body ends.
type framing string

const (
	plain   framing = "plain"
	chunked framing = "chunked"
	short   framing = "short" // less is announced than comes
	endless framing = "long"  // more is announced than comes
	garbled framing = "garbled"
)

// operation is one of the document's.
type operation struct {
	path, method string
	*openapi3.Operation
}

func operations(document *openapi3.T) []operation {
	var all []operation
	for path, item := range document.Paths.Map() {
		for method, o := range item.Operations() {
			all = append(all, operation{path, method, o})
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.method, b.method)) })
	return all
}

// writer makes up requests.
type writer struct {
	*drawer
	document   *openapi3.T
	operations []operation
	credentials
}

// next is a request of one operation: as the document describes it, with most of them
// broken in one way or several.
func (w *writer) next() *request {
	o := pick(w.drawer, w.operations)
	r := &request{method: o.method, framing: plain, target: w.target(o)}
	w.head(r, o)
	if o.RequestBody != nil {
		w.fill(r, o)
	}
	if token := w.authorization(); token != "" {
		r.header = append(r.header, "Authorization: "+token)
	}
	for w.chance(45) {
		w.distort(r)
	}
	return r
}

// target is path and query, with each parameter broken now and then.
func (w *writer) target(o operation) string {
	path, query := o.path, url.Values{}
	for _, ref := range o.Parameters {
		p := ref.Value
		value := fmt.Sprint(w.value(p.Schema, 0))
		if w.chance(7) {
			value = fmt.Sprint(w.hostile())
		}
		switch {
		case p.In == openapi3.ParameterInPath:
			path = strings.Replace(path, "{"+p.Name+"}", url.PathEscape(value), 1)
		case p.In == openapi3.ParameterInQuery && (p.Required || w.chance(40)):
			query.Set(p.Name, value)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

// head gives a request the headers that its operation takes.
func (w *writer) head(r *request, o operation) {
	for _, ref := range o.Parameters {
		if p := ref.Value; p.In == openapi3.ParameterInHeader && (p.Required || w.chance(40)) {
			r.header = append(r.header, fmt.Sprintf("%s: %v", p.Name, w.value(p.Schema, 0)))
		}
	}
}

// fill gives a request the body that its operation takes.
func (w *writer) fill(r *request, o operation) {
	for kind, media := range o.RequestBody.Value.Content {
		r.header = append(r.header, "Content-Type: "+kind)
		switch kind {
		case "application/json":
			r.body = w.encode(w.argument(r, o, media.Schema))
		case "application/x-www-form-urlencoded":
			r.body = []byte(w.form())
		default:
			r.body = []byte(w.letters(w.dice.IntN(3000)))
		}
	}
}

// argument is the JSON body; of those that carry signed bytes it is often signed indeed,
// by who asks, over what they do not mean to be done.
func (w *writer) argument(r *request, o operation, schema *openapi3.SchemaRef) any {
	body, ok := w.value(schema, 0).(map[string]any)
	if !ok || w.chance(20) {
		return w.damage(body)
	}
	switch o.OperationID {
	case "prepareTransaction":
		body["certificate"] = w.who.certificate()
		body["arguments"] = w.value(w.document.Components.Schemas[fmt.Sprint(body["transaction"])], 0)
	case "endorseTransaction":
		if made := w.propose(); made != nil {
			signature, err := w.who.creator.Sign(made.Bytes)
			if err == nil {
				body["proposal"], body["signature"] = made.Bytes, signature
				r.target = "/v1/transactions/" + made.TransactionID + "/endorsement"
			}
		}
	case "submitTransaction":
		endorsed := pick(w.drawer, w.endorsed)
		body["transaction"], body["signature"] = endorsed.payload, endorsed.wrong
		r.target = "/v1/transactions/" + endorsed.id + "/submission"
	}
	if w.chance(25) {
		return w.damage(body)
	}
	return body
}

// propose makes a proposal of the caller's, of any transaction with any argument.
func (w *writer) propose() *proposal.Proposal {
	name := fmt.Sprint(pick(w.drawer, w.document.Components.Schemas["Transaction"].Value.Enum))
	argument := w.value(w.document.Components.Schemas[name], 0)
	if w.chance(30) {
		argument = w.damage(argument)
	}
	made, err := proposal.New(w.who.creator, proposal.Invocation{
		Channel: network.Channel, Transaction: ledger.Transaction(name), Arguments: w.encode(argument),
		Transient: map[string][]byte{ledger.TransientFragments: w.encode(w.hostile())},
	}, w.now)
	if err != nil {
		return nil
	}
	return made
}

// form asks for a token.
func (w *writer) form() string {
	fields := url.Values{
		"grant_type":            {"client_credentials"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {pick(w.drawer, w.assertions)},
	}
	if w.chance(60) {
		fields.Set(pick(w.drawer, []string{"grant_type", "client_assertion_type", "client_assertion", "scope"}), fmt.Sprint(w.hostile()))
	}
	return fields.Encode()
}

// encode is JSON, now and then with bytes that are none.
func (w *writer) encode(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil { // NaN, say
		text = []byte(fmt.Sprint(value))
	}
	if !w.chance(8) || len(text) == 0 {
		return text
	}
	at := w.dice.IntN(len(text))
	return pick(w.drawer, [][]byte{
		text[:at], append(text, text...), append([]byte("\ufeff"), text...), bytes.ToUpper(text),
		slices.Concat(text[:at], []byte("\xff\xc3\x28\x00"), text[at:]),
		slices.Concat(text[:at], []byte(strings.Repeat("[", 20_000)), text[at:]), {},
	})
}

// distort breaks something outside the values.
func (w *writer) distort(r *request) {
	switch w.dice.IntN(8) {
	case 0:
		r.method = pick(w.drawer, []string{"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "get", "PROPFIND"})
	case 1:
		r.target = w.path(r.target)
	case 2:
		r.header = append(r.header, w.line())
	case 3:
		kind := pick(w.drawer, []string{"text/plain", "application/xml", "application/json; charset=utf-16", "multipart/form-data; boundary=x", "", "/", "application/json, text/html"})
		r.header = append(r.header, "Content-Type: "+kind)
	case 4:
		r.framing = pick(w.drawer, []framing{chunked, chunked, short, endless, garbled})
	case 5:
		r.header = append(r.header, "Content-Encoding: "+pick(w.drawer, []string{"gzip", "br", "identity", "x"}))
	case 6:
		separator := "?"
		if strings.Contains(r.target, "?") {
			separator = "&"
		}
		r.target += separator + pick(w.drawer, []string{"limit=1&limit=2", "x=%zz", ";a=b", "limit=-1", "bookmark=%00", "access_token=x", strings.Repeat("a=1&", 500)})
	case 7:
		r.ill = true
		r.header = append(r.header, pick(w.drawer, []string{
			"Host: other", "No colon", "Space : x", "X-\x00: y", "Transfer-Encoding: gzip, chunked", "Content-Length: -1", "Content-Length: 1\r\nContent-Length: 2",
			"Expect: nothing", "X-Long: " + strings.Repeat("a", 2<<20), " folded", "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings",
		}))
	}
}

func (w *writer) path(target string) string {
	parts := strings.Split(target, "/")
	at := w.dice.IntN(len(parts))
	parts[at] = pick(w.drawer, []string{
		"..", ".", "", "%2e%2e", "..%2f..", "%00", "%ff%fe", "%c0%af", strings.Repeat("a", 9000), "~root", "etc%2fpasswd", "{record}", "%25", ":record", "*",
	}) + pick(w.drawer, []string{"", parts[at]})
	joined := strings.Join(parts, "/")
	if !strings.HasPrefix(joined, "/") {
		joined = "/" + joined
	}
	return joined
}

// line is a header that HTTP allows.
func (w *writer) line() string {
	return pick(w.drawer, []string{
		"Range: bytes=0-", "Range: bytes=9-1", "Range: bytes=0-0,1-1", "Range: bytes=99999999999999999999-", "Range: " + w.letters(20), "Range: bytes=--1",
		`If-None-Match: *`, `If-None-Match: "x", W/"y", `, "Accept: text/html", "Accept-Encoding: gzip;q=0", "Accept-Encoding: " + w.letters(10),
		"Origin: https://evil.example", "Origin: null", "X-Forwarded-For: 127.0.0.1", "X-Request-ID: " + w.letters(300), "X-HTTP-Method-Override: DELETE",
		"Cookie: a=b", "Last-Event-ID: -1", "Traceparent: 00-" + strings.Repeat("f", 32) + "-0000000000000000-01", "Authorization: Bearer x", "X-Many: " + w.letters(8000),
	})
}

// bytes is what goes over the connection.
func (r *request) bytes(host string) []byte {
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.method, r.target, host)
	for _, line := range r.header {
		text.WriteString(line + "\r\n")
	}
	switch r.framing {
	case chunked:
		fmt.Fprintf(&text, "Transfer-Encoding: chunked\r\n\r\n")
		for part := range slices.Chunk(r.body, 1000) {
			fmt.Fprintf(&text, "%x\r\n%s\r\n", len(part), part)
		}
		text.WriteString("0\r\n\r\n")
		return text.Bytes()
	case garbled:
		fmt.Fprintf(&text, "Transfer-Encoding: chunked\r\n\r\nzz\r\n%s", r.body)
		return text.Bytes()
	case short:
		fmt.Fprintf(&text, "Content-Length: %d\r\n\r\n", len(r.body)/2)
	case endless:
		fmt.Fprintf(&text, "Content-Length: %d\r\n\r\n", len(r.body)+100)
	default:
		fmt.Fprintf(&text, "Content-Length: %d\r\n\r\n", len(r.body))
	}
	text.Write(r.body)
	return text.Bytes()
}

// whole reports whether what is sent is one request, no more and no less.
func (r *request) whole() bool { return !r.ill && (r.framing == plain || r.framing == chunked) }

// String shows a request without the token.
func (r *request) String() string {
	lines := slices.Clone(r.header)
	for i, line := range lines {
		if strings.HasPrefix(line, "Authorization:") {
			lines[i] = fmt.Sprintf("%.40s… (%d bytes)", line, len(line))
		}
	}
	return fmt.Sprintf("%s %.300q %.600q, %s, body %.600q", r.method, r.target, lines, r.framing, r.body)
}
