package summary

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/pie-consortium/pie/ledger/fault"
)

// Page is a summary for people. All texts are as their makers wrote them: [Page.Write]
// makes them safe for a terminal.
type Page struct {
	Title    string        `json:"title"`
	Made     string        `json:"made"`
	Name     string        `json:"name"`
	Gender   string        `json:"gender,omitempty"`
	Born     string        `json:"born,omitempty"`
	Contacts []string      `json:"contacts,omitempty"`
	Sections []PageSection `json:"sections"`
}

// PageSection is a heading, and what stands under it.
type PageSection struct {
	Title string   `json:"title"`
	Lines []string `json:"lines,omitempty"`
	Empty string   `json:"empty,omitempty"` // why there is none: "none known", or "unknown" with the reason
}

// composition is of a FHIR Composition what is shown.
type composition struct {
	ResourceType string        `json:"resourceType"`
	Title        string        `json:"title"`
	Date         string        `json:"date"`
	Subject      *reference    `json:"subject"`
	Section      []compSection `json:"section"`
}

type compSection struct {
	Title string `json:"title"`
	Text  struct {
		Div string `json:"div"`
	} `json:"text"`
	Entry       []reference `json:"entry"`
	EmptyReason *concept    `json:"emptyReason"`
}

// Read reads a summary that anybody made. It shows what the resources say, and a section's
// own text where it has none. What it cannot show it says, and leaves nothing out.
func Read(document []byte) (Page, error) {
	var b bundle
	if err := json.Unmarshal(document, &b); err != nil {
		return Page{}, fault.New(fault.InvalidArgument, "this is no FHIR in JSON: %v", err)
	}
	if b.ResourceType != "Bundle" || b.Type != "document" || len(b.Entry) == 0 {
		return Page{}, fault.New(fault.InvalidArgument, "this is no FHIR document with a Composition")
	}
	var c composition
	if err := json.Unmarshal(b.Entry[0].Resource, &c); err != nil || c.ResourceType != "Composition" {
		return Page{}, fault.New(fault.InvalidArgument, "this is no FHIR document: it does not begin with a Composition")
	}
	page := Page{Title: c.Title, Made: c.Date, Sections: []PageSection{}}
	if c.Subject != nil {
		page.show(b.find(c.Subject.Reference))
	}
	for _, s := range c.Section {
		page.Sections = append(page.Sections, b.show(s))
	}
	return page, nil
}

func (p *Page) show(patient resource, found bool) {
	if !found || len(patient.Name) == 0 {
		p.Name = "name not in the document"
		return
	}
	p.Name, p.Gender, p.Born = patient.Name[0].String(), patient.Gender, patient.BirthDate
	for _, c := range patient.Contact {
		words := []string{c.Name.String()}
		for _, t := range c.Telecom {
			words = append(words, t.Value)
		}
		p.Contacts = append(p.Contacts, strings.TrimSpace(strings.Join(words, " ")))
	}
}

func (b bundle) show(s compSection) PageSection {
	section := PageSection{Title: s.Title, Empty: whyEmpty(s.EmptyReason)}
	for _, e := range s.Entry {
		r, found := b.find(e.Reference)
		line := "an entry that is not in the document"
		if found {
			line = describe(b.withMedication(r))
		}
		section.Lines = append(section.Lines, line)
	}
	if len(section.Lines) > 0 || section.Empty != "" {
		return section
	}
	if text := plain(s.Text.Div); text != "" {
		section.Lines = []string{text}
	} else {
		section.Empty = "unknown, no reason given"
	}
	return section
}

// whyEmpty keeps apart that there is none and that nobody knows.
func whyEmpty(reason *concept) string {
	switch {
	case reason == nil:
		return ""
	case reason.is("nilknown"):
		return "none known"
	}
	return "unknown: " + reason.String()
}

// withMedication is a resource with the name of a medication that it only refers to.
func (b bundle) withMedication(r resource) resource {
	if r.MedicationConcept != nil || r.MedicationReference == nil {
		return r
	}
	r.MedicationConcept = &concept{Text: r.MedicationReference.Display}
	if medication, found := b.find(r.MedicationReference.Reference); found && medication.Code != nil {
		r.MedicationConcept = medication.Code
	}
	return r
}

// find follows a reference within the document.
func (b bundle) find(to string) (resource, bool) {
	for _, e := range b.Entry {
		r, err := parseResource(e.Resource)
		if err == nil && to != "" && (e.FullURL == to || r.ResourceType+"/"+r.ID == to || strings.HasSuffix(e.FullURL, "/"+to)) {
			return r, true
		}
	}
	return resource{}, false
}

// about is what a resource is about.
func about(r resource) string {
	if r.MedicationConcept != nil {
		return r.MedicationConcept.String()
	}
	return r.Code.String()
}

// describe is one line about a resource.
func describe(r resource) string {
	parts := []string{about(r)}
	if parts[0] == "" {
		parts[0] = "a " + r.ResourceType + " that does not say what it is about"
	}
	for _, reaction := range r.Reaction {
		for _, m := range reaction.Manifestation {
			parts = append(parts, m.String())
		}
	}
	if r.Criticality != "" {
		parts = append(parts, "criticality "+r.Criticality)
	}
	if text := r.Severity.String(); text != "" {
		parts = append(parts, text)
	}
	if text := describeDosage(append(r.Dosage, r.DosageInstruction...)); text != "" {
		parts = append(parts, text)
	}
	if r.Status != "" && r.Status != "active" {
		parts = append(parts, r.Status)
	}
	for _, status := range []*concept{r.ClinicalStatus, r.VerificationStatus} {
		if status != nil && !status.is("active", "confirmed") {
			parts = append(parts, statusOf(status))
		}
	}
	if since := max(r.OnsetDateTime, r.EffectiveDateTime, r.AuthoredOn); since != "" {
		parts = append(parts, "since "+day(since))
	}
	return strings.Join(parts, ", ")
}

func statusOf(c *concept) string {
	if c.Text == "" && len(c.Coding) > 0 {
		return c.Coding[0].Code
	}
	return c.Text
}

// day is the date of a FHIR dateTime.
func day(text string) string {
	date, _, _ := strings.Cut(text, "T")
	return date
}

// plain is the text of XHTML.
func plain(div string) string {
	decoder := xml.NewDecoder(strings.NewReader(div))
	decoder.Strict = false
	var words []string
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return strings.Join(words, " ")
		}
		if err != nil {
			return strings.Join(append(words, "(the rest of the text is not readable)"), " ")
		}
		if text, is := token.(xml.CharData); is {
			words = append(words, strings.Fields(string(text))...)
		}
	}
}

// Write writes the page for a terminal: nothing that others wrote controls it.
func (p Page) Write(w io.Writer) error {
	var page strings.Builder
	line := func(format string, texts ...string) {
		safe := make([]any, len(texts))
		for i, text := range texts {
			safe[i] = printable(text)
		}
		fmt.Fprintf(&page, format+"\n", safe...)
	}
	line("%s", p.Title)
	line("%s  %s  born %s", p.Name, orUnknown(p.Gender), orUnknown(p.Born))
	line("as of %s", orUnknown(p.Made))
	for _, contact := range p.Contacts {
		line("contact: %s", contact)
	}
	for _, s := range p.Sections {
		line("\n%s", strings.ToUpper(s.Title))
		for _, text := range s.Lines {
			line("  - %s", text)
		}
		if s.Empty != "" {
			line("  %s", s.Empty)
		}
	}
	_, err := io.WriteString(w, page.String())
	return err
}

func orUnknown(text string) string {
	if text == "" {
		return "unknown"
	}
	return text
}

// printable leaves no escape sequence, change of direction or line break in a text.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
}
