package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestNoCellIsAFormula(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.csv")
	if err := writeCSV(file, table{{"=1+1", "+1", "-1", "@A1", "\t=1", "＝1", "-", `Dr. "Kim", B`, "a\r\n=1"}}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if want := "\ufeff'=1+1,'+1,'-1,'@A1,' =1,'＝1,,\"Dr. \"\"Kim\"\", B\",a  =1\n"; err != nil || string(text) != want {
		t.Errorf("%v\n%s%s", err, text, want)
	}
}
