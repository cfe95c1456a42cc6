package main

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"
)

// It finds every planted client that follows redirects, and nothing else.
func TestPlantedClientsAreFound(t *testing.T) {
	analysistest.Run(t, "../..", redirects, "./tools/redirects/testdata/clients")
}
