package main

import (
	"io"
	"testing"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/internal/usage/usagetest"
)

func TestWrongCallsAreAnsweredInOurWords(t *testing.T) {
	t.Setenv("PIE_HOME", t.TempDir())
	usagetest.Try(t, func() *cobra.Command { return (&app{out: io.Discard, err: io.Discard}).root() })
}
