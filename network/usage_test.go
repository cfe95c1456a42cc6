package main

import (
	"testing"

	"github.com/pie-consortium/pie/internal/usage/usagetest"
)

func TestWrongCallsAreAnsweredInOurWords(t *testing.T) { usagetest.Try(t, root) }
