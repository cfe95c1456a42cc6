package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"
)

// TestChaincodeIsClean runs every analyzer over the chaincode and the ledger's language
// as they are.
func TestChaincodeIsClean(t *testing.T) {
	for place, by := range findings(t, nil) {
		t.Errorf("%s: %s", place, by)
	}
}

// seed is a mistake to make in the chaincode. In put, § ends the line where the linter
// must find it; a finding elsewhere is on the line that holds found.
type seed struct {
	by, file, old, put string
	found              [2]string // file and text
}

var seeds = []seed{
	{by: "outside", file: "chaincode/rules/custodian.go",
		old: "State: ledger.GrantActive, Granted: ctx.Now, Expiry: a.Expiry.UTC(), Fragments: a.Fragments,",
		put: "State: ledger.GrantActive, Granted: time.Now(), Expiry: a.Expiry.UTC(), Fragments: a.Fragments, §"},
	{by: "outside", file: "chaincode/rules/request.go",
		old: "	event := ledger.EventAccessRequested\n",
		put: "	event := ledger.EventAccessRequested\n	request.Grant = ledger.NewID() §\n"},
	{by: "outside", file: "chaincode/rules/organization.go",
		old: "	msp := ctx.Caller.User.MSP\n",
		put: "	msp := os.Getenv(\"MSP\") §\n"},
	{by: "outside", file: "chaincode/main.go",
		old: "contract.Contract{Clock: time.Now},",
		put: "contract.Contract{Clock: func() time.Time { return time.Now() }}, §"},
	{by: "outside", file: "ledger/user.go",
		old:   "func DepartmentSubject(msp, department string) Subject {\n",
		put:   "func DepartmentSubject(msp, department string) Subject {\n	_ = NewSalt()\n",
		found: [2]string{"chaincode/rules/slot.go", "ledger.DepartmentSubject("}},
	{by: "clock", file: "chaincode/internal/contract/contract.go",
		old: "	function, arguments := transaction.GetFunctionAndParameters()\n",
		put: "	function, arguments := transaction.GetFunctionAndParameters()\n	ctx.Now = c.Clock() §\n"},
	{by: "clock", file: "chaincode/internal/stub/stub.go",
		old: "	now := timestamp.AsTime().UTC()\n",
		put: "	now := timestamp.AsTime().UTC()\n	now = clock() §\n"},
	{by: "maporder", file: "chaincode/rules/user.go",
		old: "	profile, err := ownCard(ctx)\n	if err != nil {\n		return row, err\n",
		put: "	for _, jws := range row.Keys { §\n		ctx.Emit(ledger.EventName(jws), ledger.Event{})\n	}\n	profile, err := ownCard(ctx)\n	if err != nil {\n		return row, err\n"},
	{by: "concurrency", file: "chaincode/rules/slot.go",
		old: "	slot.Used = true\n",
		put: "	go func() { slot.Used = true }() §\n"},
	{by: "memory", file: "chaincode/rules/rules.go",
		old: "	return transaction.run(ctx, argument)\n",
		put: "	transactions[name] = transaction §\n	return transaction.run(ctx, argument)\n"},
	{by: "float", file: "ledger/record.go",
		old: "// of a dispute\n",
		put: "// of a dispute\n	Weight float64 §\n"},
	{by: "address", file: "chaincode/rules/request.go",
		old: "\"request %s is between others\", q.Request)",
		put: "\"request %v is between others\", &q) §"},
	{by: "stop", file: "chaincode/rules/search.go",
		old: "	default:\n",
		put: "	case q.Hospital == \"\":\n		panic(\"no search\") §\n	default:\n"},
	{by: "ownwrite", file: "chaincode/rules/grant.go",
		old: "	return ctx.Emit(ledger.EventAccessGranted,",
		put: "	if _, err := state.Requests.Get(ctx, requestKey(request)...); err != nil { §\n		return err\n	}\n	return ctx.Emit(ledger.EventAccessGranted,"},
	{by: "ownwrite", file: "chaincode/rules/state/index.go", // of a method that is not known
		old: "// Page returns the remaining",
		put: "// Drop deletes a key.\nfunc (i Index) Drop(ctx *Context) error { §\n	return ctx.Delete(string(i))\n}\n\n// Page returns the remaining"},
	{by: "maporder", file: "ledger/organization.go", // in the shared language
		old: "// Validate refuses oversized cards.\n",
		put: "func (u User) anyKey() string {\n	for _, jws := range u.Keys { §\n		return jws\n	}\n	return \"\"\n}\n\n// Validate refuses oversized cards.\n"},
	{by: "private", file: "chaincode/rules/record.go", // in an event
		old: "	return record, ctx.Emit(ledger.EventRecordRegistered, recordEvent(record))\n",
		put: "	event := recordEvent(record)\n	event.Request = ledger.ID(metadata.Codes[0]) §\n	return record, ctx.Emit(ledger.EventRecordRegistered, event)\n"},
	{by: "private", file: "chaincode/rules/record.go", // in a fault
		old: "\"the level of a record of class and policy such as these is %s\", level)",
		put: "\"the level of class %s is %s\", metadata.Class, level) §"},
	{by: "private", file: "chaincode/rules/record.go", // in a public row
		old: "		Level: a.Level, Policy: slot.Policy, IsSummary: ",
		put: "		Level: a.Level, Policy: slot.Policy, Reason: metadata.Sex, §\n		IsSummary: "},
	{by: "private", file: "chaincode/rules/record.go", // in a public key
		old: "	return storeMetadata(ctx, record, metadata)\n",
		put: "	if err := state.ByPatient.Add(ctx, string(metadata.Class)); err != nil { §\n		return err\n	}\n	return storeMetadata(ctx, record, metadata)\n"},
	{by: "private", file: "chaincode/rules/record.go", // in a result
		old: "func recordKey(",
		put: "func registerAndShow(ctx *state.Context, a ledger.RegisterRecord) (ledger.Metadata, error) {\n" +
			"	if _, err := registerRecord(ctx, a); err != nil {\n		return ledger.Metadata{}, err\n	}\n	return transientMetadata(ctx) §\n}\n\nfunc recordKey("},
	{by: "private", file: "chaincode/rules/state/private.go", // of a type that is not known
		old: "	MetadataRows = PrivateTable",
		put: "	Notes = PrivateTable[ledger.Decision]{ledger.MetadataCollection, \"note\"} §\n	MetadataRows = PrivateTable"},
	{by: "private", file: "chaincode/rules/state/sealed.go",
		old: "	FragmentRows = SealedTable",
		put: "	Letters = SealedTable[ledger.Decision](\"note\") §\n	FragmentRows = SealedTable"},
	{by: "private", file: "chaincode/rules/state/context.go", // in the text of a decoder's error
		old: "\"the transient entry %q is malformed\", key)",
		put: "\"the transient entry %q is malformed: %v\", key, err) §"},
	{by: "private", file: "ledger/record.go", // in a fault of the shared language
		old: "\"metadata sex must be female, male, other or unknown\")",
		put: "\"metadata sex %s is unknown\", s.Sex) §"},
}

// TestSeededMistakes makes all mistakes at once in the chaincode as it is: the linter
// must find each, by the right analyzer, and nothing else.
func TestSeededMistakes(t *testing.T) {
	texts := map[string]string{
		"chaincode/rules/grant.go": source(t, "chaincode/rules/grant.go"),
	}
	for n, s := range seeds {
		if texts[s.file] == "" {
			texts[s.file] = source(t, s.file)
		}
		if strings.Count(texts[s.file], s.old) != 1 {
			t.Fatalf("%s does not hold %q once; seed the mistake elsewhere", s.file, s.old)
		}
		texts[s.file] = strings.Replace(texts[s.file], s.old, strings.ReplaceAll(s.put, "§", marker(n)), 1)
	}
	texts["chaincode/rules/organization.go"] = strings.Replace(
		texts["chaincode/rules/organization.go"], "import (\n", "import (\n\t\"os\"\n", 1)
	found := findings(t, texts)
	for n, s := range seeds {
		place := lineOf(texts[s.file], s.file, marker(n))
		if s.found[0] != "" {
			place = lineOf(texts[s.found[0]], s.found[0], s.found[1])
		}
		if found[place] != s.by {
			t.Errorf("%s: seeded %q for %s, found by %q", place, s.put, s.by, found[place])
		}
		delete(found, place)
	}
	for place, by := range found {
		t.Errorf("%s: found by %s, not seeded", place, by)
	}
}

const root = "../.."

func source(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func marker(n int) string { return fmt.Sprintf("// seeded %d.", n) }

// lineOf is the place of a text in a file, as "file:line".
func lineOf(text, file, part string) string {
	before, _, _ := strings.Cut(text, part)
	return fmt.Sprintf("%s:%d", file, 1+strings.Count(before, "\n"))
}

// findings runs every analyzer over the chaincode and the ledger's language, with some
// files' texts replaced: place → the analyzers that found something there.
func findings(t *testing.T, texts map[string]string) map[string]string {
	t.Helper()
	directory, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	config := &packages.Config{Mode: packages.LoadAllSyntax, Dir: directory, Overlay: map[string][]byte{}}
	for file, text := range texts {
		config.Overlay[filepath.Join(directory, file)] = []byte(text)
	}
	loaded, err := packages.Load(config, "./chaincode/...", "./ledger/...")
	if err != nil {
		t.Fatal(err)
	}
	if packages.PrintErrors(loaded) > 0 {
		t.Fatal("the chaincode does not compile")
	}
	graph, err := checker.Analyze(analyzers, loaded, nil)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, action := range graph.Roots {
		if action.Err != nil {
			t.Fatal(action.Err)
		}
		for _, diagnostic := range action.Diagnostics {
			at := action.Package.Fset.Position(diagnostic.Pos)
			file, err := filepath.Rel(directory, at.Filename)
			if err != nil {
				t.Fatal(err)
			}
			found[fmt.Sprintf("%s:%d", filepath.ToSlash(file), at.Line)] = action.Analyzer.Name
		}
	}
	return found
}
