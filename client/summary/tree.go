package summary

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/unicode/norm"

	"github.com/pie-consortium/pie/ledger/fault"
)

// object is a JSON object. Its values are *object, []any, string, json.Number (as written),
// bool, nil, and unreadable.
type object struct{ members map[string]any }

func (o *object) MarshalJSON() ([]byte, error) { return json.Marshal(o.members) }

// unreadable is in the place of a value that has no single meaning, and says why.
type unreadable string

// flaw is a place where one reader would take this, and another one that.
type flaw struct {
	line int
	at   string // JSON pointer
	what string
}

func (f flaw) String() string { return fmt.Sprintf("line %d, at %.200s: %s", f.line, f.at, f.what) }

// maxFlaws are told of one text.
const maxFlaws = 5

// tree is what stands in a text: one value, or one after the other (NDJSON).
type tree struct {
	values []any
	lines  []int
	flaws  []flaw
}

// parse reads JSON. A key that stands twice, or is another key's in other letters, is a flaw,
// and its value unreadable.
func parse(text []byte) (tree, error) {
	p := parser{text: text, decoder: jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
	line, counted := 1, 0
	for {
		value, err := p.value()
		if errors.Is(err, io.EOF) && p.decoder.StackDepth() == 0 {
			return p.tree, nil
		}
		if err != nil {
			return tree{}, p.explain(err)
		}
		end := int(p.decoder.InputOffset())
		p.values, p.lines = append(p.values, value), append(p.lines, line+bytes.Count(text[counted:p.began], []byte("\n")))
		line, counted = line+bytes.Count(text[counted:end], []byte("\n")), end
		p.began = end
	}
}

type parser struct {
	tree
	text    []byte
	decoder *jsontext.Decoder
	began   int // where the value at the top begins
}

func (p *parser) explain(err error) error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return fault.New(fault.InvalidArgument, "line %d, at %.200q: this is not JSON: %v", lineOf(p.text, int(syntax.ByteOffset)), string(syntax.JSONPointer), syntax.Err)
	}
	return fault.New(fault.InvalidArgument, "this is not JSON: %v", err)
}

func (p *parser) value() (any, error) {
	token, err := p.decoder.ReadToken()
	if err != nil {
		return nil, err
	}
	if p.decoder.StackDepth() == 1 && (token.Kind() == '{' || token.Kind() == '[') {
		p.began = int(p.decoder.InputOffset())
	}
	switch token.Kind() {
	case '{':
		return p.object()
	case '[':
		return p.list()
	case '"':
		return clean(token.String()), nil
	case '0':
		return json.Number(token.String()), nil
	case 't', 'f':
		return token.Bool(), nil
	}
	return nil, nil
}

func (p *parser) list() (any, error) {
	list := []any{}
	for p.decoder.PeekKind() != ']' {
		value, err := p.value()
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	_, err := p.decoder.ReadToken()
	return list, err
}

func (p *parser) object() (any, error) {
	o := &object{map[string]any{}}
	for p.decoder.PeekKind() != '}' {
		token, err := p.decoder.ReadToken()
		if err != nil {
			return nil, err
		}
		written := token.String()
		name := spelled(written)
		_, twice := o.members[name]
		switch {
		case written != name:
			p.flaw(fmt.Sprintf("the key %.100q is not FHIR's %q", written, name))
		case twice:
			p.flaw(fmt.Sprintf("the key %.100q stands twice", name))
		}
		value, err := p.value()
		if err != nil {
			return nil, err
		}
		if twice || written != name {
			value = unreadable("its key stands twice, or in other letters")
		}
		o.members[name] = value
	}
	_, err := p.decoder.ReadToken()
	return o, err
}

func (p *parser) flaw(what string) {
	if len(p.flaws) < maxFlaws {
		at := string(p.decoder.StackPointer())
		p.flaws = append(p.flaws, flaw{lineOf(p.text, int(p.decoder.InputOffset())), at, what})
	}
}

// vocabulary are the keys that are read here, by how they look to people.
var vocabulary = func() map[string]string {
	names := map[string]string{}
	for name := range strings.FieldsSeq(keys) {
		names[strings.ToLower(name)] = name
	}
	return names
}()

const keys = `abatementAge abatementBoolean abatementDateTime abatementPeriod abatementRange abatementString active
	additionalInstruction asNeededBoolean asNeededCodeableConcept authoredOn birthDate bodySite boundsDuration boundsPeriod
	boundsRange category clinicalStatus code coding comparator component conclusion contact contained count countMax
	criticality date dateAsserted dayOfWeek deceasedBoolean deceasedDateTime denominator description deviceName diagnostics
	dispenseRequest display div doNotPerform dosage dosageInstruction doseAndRate doseQuantity doseRange duration
	durationMax durationUnit effectiveDateTime effectivePeriod emptyReason end entry event extension exposureRoute family frequency
	frequencyMax fullUrl gender given high id identifier implicitRules ingredient intent isActive issue itemCodeableConcept
	itemReference lastModified lastOccurrence lastUpdated link low manifestation maxDosePerAdministration
	maxDosePerLifetime maxDosePerPeriod medicationCodeableConcept medicationReference meta method mode modifierExtension
	multipleBirthBoolean multipleBirthInteger name numerator occurrenceDateTime occurrenceString offset onsetAge
	onsetDateTime onsetPeriod onsetRange onsetString other patient patientInstruction performedDateTime performedPeriod
	performedString period periodMax periodUnit profile rateQuantity rateRange rateRatio reaction recordedDate reference
	relation repeat reportedBoolean request resource resourceType response route search section sequence severity site
	start status statusReason strength subject substance suffix system tag telecom text timeOfDay timestamp timing title
	total type unit url use vaccineCode validityPeriod value valueCodeableConcept valueQuantity valueString
	verificationStatus versionId when
	comment dataAbsentReason details device effectiveInstant interpretation issued note outcome recorded relationship
	reportedReference scope valueBoolean valueDateTime valueInteger valuePeriod valueRange valueRatio valueSampledData valueTime`

// spelled is FHIR's key for one that only looks like it: FHIR's keys have one spelling.
func spelled(key string) string {
	if vocabulary[key] == key {
		return key
	}
	name, found := vocabulary[strings.ToLower(strings.TrimSpace(norm.NFKC.String(key)))]
	if !found {
		return key
	}
	return name
}
