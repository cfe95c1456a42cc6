package summary

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
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
	Notes    []string      `json:"notes,omitempty"` // what is to be known about the whole
	Sections []PageSection `json:"sections"`
}

// PageSection is a heading, and what stands under it.
type PageSection struct {
	Title string   `json:"title"`
	Lines []string `json:"lines,omitempty"`
	Empty string   `json:"empty,omitempty"` // why there is none: somebody stated it, or "unknown" with the reason
	Notes []string `json:"notes,omitempty"` // what contradicts, is missing, or only stands in the section's text
}

// Read reads a summary that anybody made. It shows what the resources say, and of a section's
// own text what they do not say. What it cannot show it names.
func Read(file []byte) (Page, error) { return rules.read(time.Now(), file) }

func (b *rulebook) read(now time.Time, file []byte) (Page, error) {
	v, err := b.view(now, file)
	if err != nil {
		return Page{}, err
	}
	return v.page(), nil
}

// whyEmpty keeps apart that there is none and that nobody knows.
func whyEmpty(reason *concept) string {
	switch {
	case reason == nil:
		return ""
	case slices.Contains(reason.codes(emptyReasons), "nilknown"):
		return "none known"
	}
	return "unknown: " + reason.String()
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
	for _, note := range p.Notes {
		line("! %s", note)
	}
	for _, s := range p.Sections {
		line("\n%s", strings.ToUpper(s.Title))
		for _, text := range s.Lines {
			line("  - %s", text)
		}
		if s.Empty != "" {
			line("  %s", s.Empty)
		}
		for _, note := range s.Notes {
			line("  ! %s", note)
		}
	}
	_, err := io.WriteString(w, page.String())
	return err
}

// printable leaves no escape sequence, change of direction or line break in a text.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, shortened(text))
}

// shortened is a text in the length that people read, and says when it was longer.
func shortened(text string) string {
	const most = 1200 // characters
	runes := 0
	for at := range text {
		if runes++; runes > most {
			return text[:at] + "… (cut off here: the file has all of it)"
		}
	}
	return text
}
