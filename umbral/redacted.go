package umbral

import (
	"fmt"
	"io"
	"log/slog"
)

// placeholder is what a secret looks like wherever it is printed.
const placeholder = "(redacted)"

// redacted is embedded in types that hold secrets and keeps these out of all
// output of fmt and slog. Types that embed it keep their secrets behind pointers,
// because fmt cannot call methods on the unexported fields of a caller's struct
// and prints pointers there as addresses.
type redacted struct{}

// Format implements fmt.Formatter by writing a placeholder for every verb.
func (redacted) Format(w fmt.State, _ rune) {
	_, _ = io.WriteString(w, placeholder)
}

// LogValue implements slog.LogValuer by returning a placeholder.
func (redacted) LogValue() slog.Value {
	return slog.StringValue(placeholder)
}
