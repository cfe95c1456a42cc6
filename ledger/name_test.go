package ledger

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/pie-consortium/pie/ledger/fault"
)

func TestNamesAreShownAsTheyAreWritten(t *testing.T) {
	long := strings.Repeat("長", MaxDepartment)
	for _, name := range []string{
		"Dr. Ito", "佐藤 花子", "Björk Þórsdóttir", "Nguyễn Văn Anh", "Ольга Ковалёва", "Ｄｒ．Ｓａｔｏ", "محمد علي", "ด.ร. สมชาย",
		"O’Neill-Núñez", "Dr. \"B\", CN=admin", "=1+1", "null", "Innere Medizin", "R&D", "Radiologie (Nord) / 2. OG", "👩 Ito", "x", long,
	} {
		if err := ValidateName("name", name, MaxDepartment); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, test := range []struct{ name, why string }{
		{"", "1 to 64 characters, and has 0"}, {long + "x", "has 65"}, {"a\xff", "UTF-8"},
		{"\u202eotaS .rD", "character 1 is U+202E"}, {"Dr. \u2066Sato\u2069", "character 5 is U+2066"}, {"a\u061cb", "U+061C"},
		{"Sato\u200b", "character 5 is U+200B"}, {"Sa\u200dto", "U+200D"}, {"Sa\u00adto", "U+00AD"}, {"Sa\ufeffto", "U+FEFF"}, {"Sa\u2060to", "U+2060"},
		{"Dr. Sato\nRole: admin", "U+000A"}, {"a\tb", "U+0009"}, {"a\x1b[2Jb", "U+001B"}, {"a\u0085b", "U+0085"}, {"a\x00b", "U+0000"}, {"a\u2028b", "U+2028"},
		{"a\u00a0b", "U+00A0"}, {"a\u3000b", "U+3000"}, {"a\u2003b", "U+2003"}, {" ", "blanks"}, {" a", "blanks"}, {"a ", "blanks"}, {"a  b", "blanks"},
		{"\u3164", "U+3164"}, {"a\u115fb", "U+115F"}, {"a\u034fb", "U+034F"}, {"a\u2800b", "U+2800"}, {"☎\ufe0e", "U+FE0E"}, {"a\U000e0041b", "U+E0041"},
		{"a\ue000b", "U+E000"}, {"\u0301a", "U+0301"}, {"Zoe\u0308", `write "Zoë"`}, {"\u212bke", `write "Åke"`},
	} {
		if err := ValidateName("name", test.name, MaxDepartment); fault.CodeOf(err) != fault.InvalidArgument || !strings.Contains(err.Error(), test.why) {
			t.Errorf("%q: %v, want %q", test.name, err, test.why)
		}
	}
}

// Whatever is taken has no character that Unicode calls invisible, comes back from JSON as
// it went in, and is no other's text under normalisation.
func TestNamesThatAreTakenAreSafe(t *testing.T) {
	invisible := []*unicode.RangeTable{unicode.C, unicode.Z, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.Bidi_Control}
	some := rapid.SampledFrom([]rune("aÅé \u0301\u200b\u202e\u3000ـ山🧑\u200d\ufe0f\n/&(=\""))
	character := rapid.OneOf(some, rapid.Rune())
	rapid.Check(t, func(t *rapid.T) {
		name := string(rapid.SliceOfN(character, 0, 12).Draw(t, "name"))
		if ValidateName("name", name, MaxName) != nil {
			return
		}
		for _, r := range name {
			if r != ' ' && unicode.In(r, invisible...) {
				t.Errorf("%q has %U", name, r)
			}
		}
		if norm.NFC.String(name) != name || strings.TrimSpace(name) != name || name == "" {
			t.Errorf("%q", name)
		}
		subject := DepartmentSubject("HospitalA", name)
		text, err := json.Marshal(subject)
		if err != nil {
			t.Fatal(err)
		}
		var again Subject
		if err := json.Unmarshal(text, &again); ValidateName("name", name, MaxDepartment) == nil && (err != nil || again != subject) {
			t.Errorf("%q came back as %v: %v", name, again, err)
		}
		if parsed, err := ParseDepartment("HospitalA/" + name); err == nil && parsed != subject {
			t.Errorf("%q was read as %v", name, parsed)
		}
	})
}

func TestWordsWithSlashesAreDepartmentsAndNobody(t *testing.T) {
	if _, err := ParseDepartment("HospitalA/Radiologie (Nord) / 2. OG"); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"", "HospitalA", "HospitalA/", "/x", "../x", "HospitalA/x\u200by"} {
		if subject, err := ParseDepartment(text); err == nil {
			t.Errorf("%q is %v", text, subject)
		}
	}
	var subject Subject
	for _, text := range []string{"person:HospitalA/Innere Medizin", "person:HospitalA/a/b", "nobody:HospitalA/a"} {
		if err := subject.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %v", text, subject)
		}
	}
}

// Peers whose tables differ would disagree about a name. They follow the Go release that
// compiles the chaincode (docs/adr/0018-unicode-on-the-ledger.md).
func TestEveryPeerHasTheSameUnicode(t *testing.T) {
	const pinned = "15.0.0"
	if norm.Version != pinned || unicode.Version != pinned {
		t.Errorf("the normal forms are of Unicode %s and the classes of %s, want %s; other tables are another chaincode for every hospital", norm.Version, unicode.Version, pinned)
	}
}
