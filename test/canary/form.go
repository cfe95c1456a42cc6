package canary

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// form is one way to write a value.
type form struct {
	name string
	text []byte
}

// forms are the ways in which programs write a value: as it is, in the encodings of
// bytes, as the verbs of package fmt print it, and escaped.
func forms(value []byte) []form {
	all := append(encodings(value), printed(value)...)
	if utf8.Valid(value) {
		all = append(all, escapes(string(value))...)
	}
	slices.SortStableFunc(all, func(a, b form) int { return bytes.Compare(a.text, b.text) })
	return slices.CompactFunc(all, func(a, b form) bool { return bytes.Equal(a.text, b.text) })
}

func encodings(value []byte) []form {
	backwards := slices.Clone(value)
	slices.Reverse(backwards) // how numbers stand in memory
	lower := hex.EncodeToString(value)
	all := []form{
		{"raw", value}, {"backwards", backwards},
		{"hex", []byte(lower)}, {"upper-case hex", []byte(strings.ToUpper(lower))},
		{"UTF-16 hex", wide(lower, binary.LittleEndian)},
	}
	for name, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
		for offset := range 3 {
			all = append(all, form{fmt.Sprintf("%s at offset %d", name, offset), aligned(encoding, value, offset)})
		}
	}
	return all
}

// aligned is what stays the same of a value's base64 inside that of something longer,
// when the value begins offset bytes behind a multiple of three.
func aligned(encoding *base64.Encoding, value []byte, offset int) []byte {
	const bitsOfByte, bitsOfCharacter = 8, 6
	text := encoding.EncodeToString(append(make([]byte, offset), value...))
	first := (offset*bitsOfByte + bitsOfCharacter - 1) / bitsOfCharacter
	end := (offset + len(value)) * bitsOfByte / bitsOfCharacter
	return []byte(text[first:end])
}

func printed(value []byte) []form {
	list := strings.Trim(fmt.Sprintf("%d", value), "[]")
	syntax := strings.TrimPrefix(fmt.Sprintf("%#v", value), "[]byte{")
	quoted := strconv.QuoteToASCII(string(value))
	return []form{
		{"decimal bytes", []byte(list)},
		{"decimal bytes in JSON", []byte(strings.ReplaceAll(list, " ", ","))},
		{"decimal bytes in a list", []byte(strings.ReplaceAll(list, " ", ", "))},
		{"Go syntax", []byte(strings.TrimSuffix(syntax, "}"))},
		{"spaced hex", fmt.Appendf(nil, "% x", value)},
		{"hex with colons", []byte(strings.ReplaceAll(fmt.Sprintf("% x", value), " ", ":"))},
		{"decimal number", []byte(new(big.Int).SetBytes(value).String())},
		{"quoted", []byte(quoted[1 : len(quoted)-1])},
	}
}

func escapes(text string) []form {
	inJSON, _ := json.Marshal(text) // of a string: it cannot fail
	quoted := strconv.Quote(text)
	return []form{
		{"JSON", inJSON[1 : len(inJSON)-1]}, {"quoted, not ASCII", []byte(quoted[1 : len(quoted)-1])},
		{"in a query", []byte(url.QueryEscape(text))}, {"in a path", []byte(url.PathEscape(text))},
		{"lower case", []byte(strings.ToLower(text))}, {"upper case", []byte(strings.ToUpper(text))},
		{"UTF-16", wide(text, binary.LittleEndian)}, {"UTF-16, big end first", wide(text, binary.BigEndian)},
	}
}

func wide(text string, order binary.AppendByteOrder) []byte {
	var all []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		all = order.AppendUint16(all, unit)
	}
	return all
}
