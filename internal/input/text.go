package input

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"

	"github.com/pie-consortium/pie/ledger/fault"
)

// Text reads a file of text, as [Decode] does; errors name the file.
func Text(path string) ([]byte, error) {
	file, err := Read(path)
	if err != nil {
		return nil, err
	}
	return Named(path, file)
}

// Named decodes what a file of that name holds; errors name the file.
func Named(path string, file []byte) ([]byte, error) {
	text, err := Decode(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return text, nil
}

// Decode is a text as UTF-8, without a byte order mark. Such a mark decides how it is read
// (UTF-8, UTF-16), as Windows' tools write it; whatever is not UTF-8 then is refused by its
// name ([fault.InvalidArgument]).
func Decode(file []byte) ([]byte, error) {
	if bytes.HasPrefix(file, []byte{0xff, 0xfe, 0, 0}) || bytes.HasPrefix(file, []byte{0, 0, 0xfe, 0xff}) {
		return nil, fault.New(fault.InvalidArgument, "this is UTF-32: save it as UTF-8")
	}
	text, _, err := transform.Bytes(unicode.BOMOverride(transform.Nop), file)
	if err != nil {
		return nil, fault.New(fault.InvalidArgument, "this is not a text: save it as UTF-8")
	}
	if bytes.IndexByte(text[:min(len(text), 4)], 0) >= 0 {
		return nil, fault.New(fault.InvalidArgument, "this is UTF-16 or UTF-32 without a mark at its beginning: save it as UTF-8")
	}
	if at := firstInvalid(text); at < len(text) {
		return nil, fault.New(fault.InvalidArgument,
			"line %d is not UTF-8, but Latin-1, Windows-1252, Shift JIS or another older encoding: save it as UTF-8",
			1+bytes.Count(text[:at], []byte("\n")))
	}
	return text, nil
}

func firstInvalid(text []byte) int {
	at := 0
	for at < len(text) {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return at
}

// Settings is [Text] of a file that people write by hand. It refuses spaces that look like
// others, and what cannot be seen, with the line: a mail or a web page put them there.
func Settings(path string) ([]byte, error) {
	text, err := Text(path)
	if err != nil {
		return nil, err
	}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		if at := strings.IndexFunc(line, disguised); at >= 0 {
			r, _ := utf8.DecodeRuneInString(line[at:])
			return nil, fault.New(fault.InvalidArgument, "%s: line %d, character %d is %U, which looks like a space or like nothing: type it anew",
				path, number, 1+utf8.RuneCountInString(line[:at]), r)
		}
	}
	return text, nil
}

func disguised(r rune) bool {
	return r == '\u00a0' || r == '\u2007' || r == '\u202f' || unseen.Replace(string(r)) == ""
}

// JSON decodes what a file of that name holds. It tells where it is damaged, and nothing
// of the content: that may be secret.
func JSON(path string, text []byte, value any) error {
	err := json.Unmarshal(text, value)
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	line := 1 + bytes.Count(text[:syntax.Offset], []byte("\n"))
	if r, size := utf8.DecodeRune(text[max(0, int(syntax.Offset)-1):]); size > 1 {
		return fault.New(fault.InvalidArgument, "%s: line %d has %U where JSON has none: a mail or a text program put it there; get the file anew", path, line, r)
	}
	return fault.New(fault.InvalidArgument, "%s: line %d is not JSON any more, or the file is cut off; get it anew", path, line)
}

// unseen are what texts pick up in mail, chats and spreadsheets, and nobody can see.
var unseen = strings.NewReplacer("\u200b", "", "\u200c", "", "\u200d", "", "\u2060", "", "\ufeff", "", "\u00ad", "")

// Typed is a text as keyboards type it: full width and non-breaking spaces become what
// they stand for (Unicode's NFKC), and what cannot be seen goes.
func Typed(text string) string { return norm.NFKC.String(unseen.Replace(text)) }
