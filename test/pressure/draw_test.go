package pressure

import (
	"encoding/base64"
	"maps"
	"math"
	"math/rand/v2"
	"path"
	"regexp/syntax"
	"slices"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// drawer makes up values. The same dice make the same ones.
type drawer struct {
	dice  *rand.Rand
	known map[string][]string // what is there, by the name of its schema
}

func (d *drawer) chance(percent int) bool { return d.dice.IntN(100) < percent }

func pick[T any](d *drawer, from []T) T { return from[d.dice.IntN(len(from))] }

// value is one that the schema allows, mostly.
func (d *drawer) value(ref *openapi3.SchemaRef, depth int) any {
	schema := ref.Value
	known := d.known[path.Base(ref.Ref)]
	switch {
	case len(known) > 0 && d.chance(60):
		return pick(d, known)
	case schema.Example != nil && d.chance(15):
		return duplicate(schema.Example)
	case len(schema.Enum) > 0:
		return pick(d, schema.Enum)
	case len(schema.AllOf) > 0:
		return d.value(schema.AllOf[0], depth)
	case schema.Type.Is("object"):
		return d.object(schema, depth)
	case schema.Type.Is("array"):
		items := make([]any, d.length(schema.MinItems, schema.MaxItems, 3))
		for i := range items {
			items[i] = d.value(schema.Items, depth+1)
		}
		return items
	case schema.Type.Is("integer"), schema.Type.Is("number"):
		return d.number(schema)
	case schema.Type.Is("boolean"):
		return d.chance(50)
	}
	return d.text(schema)
}

// duplicate keeps the document's examples from damage.
func duplicate(example any) any {
	switch e := example.(type) {
	case map[string]any:
		e = maps.Clone(e)
		for name, value := range e {
			e[name] = duplicate(value)
		}
		return e
	case []any:
		e = slices.Clone(e)
		for i, value := range e {
			e[i] = duplicate(value)
		}
		return e
	}
	return example
}

func (d *drawer) object(schema *openapi3.Schema, depth int) map[string]any {
	object := map[string]any{}
	for _, name := range schema.Required {
		object[name] = d.value(schema.Properties[name], depth+1)
	}
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		if d.chance(50) && depth < 5 {
			object[name] = d.value(schema.Properties[name], depth+1)
		}
	}
	if more := schema.AdditionalProperties.Schema; more != nil {
		for range d.dice.IntN(3) {
			object[pick(d, []string{"fragments", "metadata", "escrow", "narrative", d.letters(8)})] = d.value(more, depth+1)
		}
	}
	return object
}

// length is one within the bounds, and seldom far above the least.
func (d *drawer) length(least uint64, most *uint64, usually int) int {
	n := int(least) + d.dice.IntN(usually+1)
	if most != nil {
		n = min(n, int(*most))
	}
	return n
}

func (d *drawer) number(schema *openapi3.Schema) int64 {
	low, high := int64(0), int64(math.MaxInt32)
	if schema.Min != nil {
		low = int64(*schema.Min)
	}
	if schema.Max != nil {
		high = int64(*schema.Max)
	}
	return pick(d, []int64{low, low + 1, high, low + d.dice.Int64N(max(high-low, 1))})
}

func (d *drawer) text(schema *openapi3.Schema) string {
	switch {
	case schema.Format == "date-time":
		at := time.Now().Add(time.Duration(d.dice.Int64N(int64(200*time.Hour))) - 100*time.Hour)
		return at.UTC().Format(time.RFC3339)
	case schema.Format == "byte":
		return base64.StdEncoding.EncodeToString([]byte(d.letters(d.length(schema.MinLength, schema.MaxLength, 200))))
	case schema.Pattern != "":
		if expression, err := syntax.Parse(schema.Pattern, syntax.Perl); err == nil {
			return d.matching(expression.Simplify())
		}
	}
	return d.letters(d.length(schema.MinLength, schema.MaxLength, 40))
}

func (d *drawer) letters(n int) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789-_./ äß漢\"\\"
	var text strings.Builder
	for range n {
		text.WriteRune(pick(d, []rune(alphabet)))
	}
	return text.String()
}

// matching is a text that matches a regular expression.
func (d *drawer) matching(e *syntax.Regexp) string {
	switch e.Op {
	case syntax.OpLiteral:
		return string(e.Rune)
	case syntax.OpCharClass:
		at := 2 * d.dice.IntN(len(e.Rune)/2)
		return string(e.Rune[at] + d.dice.Int32N(e.Rune[at+1]-e.Rune[at]+1))
	case syntax.OpAlternate:
		return d.matching(pick(d, e.Sub))
	case syntax.OpQuest:
		if d.chance(50) {
			return ""
		}
	case syntax.OpStar, syntax.OpPlus:
		return strings.Repeat(d.matching(e.Sub[0]), 1+d.dice.IntN(5))
	}
	var text strings.Builder
	for _, part := range e.Sub {
		text.WriteString(d.matching(part))
	}
	return text.String()
}

// hostile is what nobody should send.
func (d *drawer) hostile() any {
	return pick(d, []any{
		nil, true, -1, 0, 1e308, math.MaxInt64, -0.5, "", "\x00", "\xff\xfe\xfd", "../../../../etc/passwd", "..%2f..%2fetc%2fpasswd",
		"%00", "%zz", "' OR 1=1 --", "<script>", "${jndi:ldap://x}", "\r\nX-Injected: 1", "\u202e\ufeff", strings.Repeat("A", 64<<10),
		strings.Repeat("漢", 3000), []any{}, map[string]any{}, nested(200), map[string]any{"__proto__": 1}, []any{nil, 1, "x"},
		"9007199254740993", "0x10", "1e9", "٣", "NaN", "2026-02-30T25:61:61Z", "HospitalA/../HospitalB", "system|code|code",
	})
}

// nested is an array within arrays.
func nested(depth int) any {
	var value any = 1
	for range depth {
		value = []any{value}
	}
	return value
}

// damage puts something hostile somewhere into a value.
func (d *drawer) damage(value any) any {
	switch v := value.(type) {
	case map[string]any:
		if len(v) == 0 || d.chance(20) {
			v[pick(d, []string{"admin", "", "role", "__proto__", strings.Repeat("k", 5000)})] = d.hostile()
			return v
		}
		name := pick(d, slices.Sorted(maps.Keys(v)))
		if d.chance(20) {
			delete(v, name)
			return v
		}
		v[name] = d.damage(v[name])
		return v
	case []any:
		if len(v) > 0 && d.chance(70) {
			at := d.dice.IntN(len(v))
			v[at] = d.damage(v[at])
			return v
		}
	}
	return d.hostile()
}
