package summary

import (
	"slices"
	"strings"
)

// concept is a CodeableConcept.
type concept struct {
	text   string
	coding []coding
}

type coding struct{ system, code, display string }

func (r *reader) concept(o *object, name string) *concept {
	return r.asConcept(r.object(o, name))
}

func (r *reader) concepts(o *object, name string) []*concept {
	var list []*concept
	for _, member := range r.objects(o, name) {
		list = append(list, r.asConcept(member))
	}
	return list
}

func (r *reader) asConcept(o *object) *concept {
	if o == nil {
		return nil
	}
	c := &concept{text: r.text(o, "text")}
	for _, member := range r.objects(o, "coding") {
		c.coding = append(c.coding, coding{r.text(member, "system"), r.text(member, "code"), r.text(member, "display")})
	}
	return c
}

// String is what people call it: its text, else a display, else a code.
func (c *concept) String() string {
	if c == nil {
		return ""
	}
	if c.text != "" {
		return c.text
	}
	for _, has := range c.coding {
		if has.display != "" {
			return has.display
		}
	}
	for _, has := range c.coding {
		if has.code != "" {
			return strings.TrimSpace(has.system + " " + has.code)
		}
	}
	return ""
}

// codes are its codes of one system: other systems' words decide nothing.
func (c *concept) codes(system string) []string {
	var codes []string
	if c != nil {
		for _, has := range c.coding {
			if has.system == system && has.code != "" {
				codes = append(codes, has.code)
			}
		}
	}
	return codes
}

// status is what a status says to people: codes of HL7's system, and whatever else stands there.
func (c *concept) status(system string) string {
	if c == nil {
		return ""
	}
	codes := c.codes(system)
	var others []string
	for _, has := range c.coding {
		if has.system != system && has.code != "" && !slices.Contains(codes, has.code) {
			others = append(others, has.code)
		}
	}
	if len(codes) == 0 && c.text != "" {
		others = append(others, c.text)
	}
	said := strings.Join(slices.Compact(codes), " and ")
	if len(others) == 0 {
		return said
	}
	return strings.TrimPrefix(said+", status in words of its source: "+strings.Join(others, ", "), ", ")
}
