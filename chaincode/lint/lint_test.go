package main

import (
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"
)

// TestAnalyzers runs each analyzer over packages of seeded mistakes and of correct code
// beside them: it must find what the comments there want, and nothing else.
func TestAnalyzers(t *testing.T) {
	seeded := map[*analysis.Analyzer][]string{
		outside:     {"outside", "outsidemain"},
		clock:       {"clock", "clock/stub"},
		mapOrder:    {"maporder"},
		concurrency: {"concurrency"},
		memory:      {"memory"},
		float:       {"float"},
		address:     {"address"},
		stop:        {"stop"},
		ownWrite:    {"ownwrite"},
		private:     {"private"},
	}
	for _, analyzer := range analyzers {
		t.Run(analyzer.Name, func(t *testing.T) {
			if len(seeded[analyzer]) == 0 {
				t.Fatal("no mistakes are seeded for it")
			}
			var patterns []string
			for _, folder := range seeded[analyzer] {
				patterns = append(patterns, "./chaincode/lint/testdata/"+folder)
			}
			analysistest.Run(t, "../..", analyzer, patterns...)
		})
	}
}
