package umbral

import (
	"fmt"
	"io"
	"log/slog"
)

// placeholder is what a secret looks like wherever it is printed.
const placeholder = "(redacted)"

// redacted is embedded in types that hold secrets and keeps these out of the
// output of fmt and slog.
type redacted struct{}

// Format implements fmt.Formatter by writing a placeholder for every verb.
func (redacted) Format(w fmt.State, _ rune) {
	_, _ = io.WriteString(w, placeholder)
}

// LogValue implements slog.LogValuer by returning a placeholder.
func (redacted) LogValue() slog.Value {
	return slog.StringValue(placeholder)
}

// hidden holds a secret where reflection cannot read it. Methods are not enough:
// in an unexported field of a caller's struct fmt does not call them, and for a
// verb that does not fit, such as %s, it follows pointers.
type hidden[T any] func() T

func hide[T any](secret T) hidden[T] {
	return func() T { return secret }
}
