package scripts

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"
)

// Whoever prepares a machine reads scripts/programs: what the Makefile, the scripts, the
// pages whose commands are run, and Go code and tests call is in it.
func TestProgramsAreListed(t *testing.T) {
	listed := listedPrograms(t)
	used, err := programsUsed("..")
	if err != nil {
		t.Fatal(err)
	}
	for program, files := range used {
		if _, ok := listed[program]; !ok {
			t.Errorf("%s is used by %s and is not in scripts/programs", program, strings.Join(files, ", "))
		}
	}
	if len(used["gcc"])+len(used["strace"])+len(used["curl"]) == 0 {
		t.Error("nothing that is known to be used was found")
	}
}

func TestProgramsAreFound(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"Makefile":  "all:\n\t@planted-make --flag $(NAME) $$(planted-inner)\n",
		"script":    "#!/usr/bin/env bash\nown() { :; }\nown; cd /; echo \"$(planted-quoted | planted-piped)\"; xargs -n1 planted-xargs; command -v planted-asked; if ! planted-negated; then :; fi\n",
		"README.md": "Text: `not-this`.\n\n```sh\nplanted-page\n```\n",
		"one.go":    "package p\n\nimport \"os/exec\"\n\nvar _ = exec.Command(\"planted-go\", \"not-this\")\n\nfunc f(with int, program string, rest ...string) { exec.CommandContext(nil, program, rest...); exec.CommandContext(nil, rest[0]) }\n",
		"two_test.go": "package p\n\nimport run \"os/exec\"\n\nfunc g() {\n\tf(1, \"planted-passed\", \"planted-rest\")\n\tfor _, it := range []string{\"planted-ranged\"} {\n\t\trun.LookPath(it)\n\t}\n" +
			"\trun.Command(\"bash\", \"-c\", `planted-script | grep x`)\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, "git init -q && git add .")
	used, err := programsUsed(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"planted-make", "planted-inner", "planted-quoted", "planted-piped", "planted-xargs", "planted-asked", "planted-negated", "planted-page",
		"planted-go", "planted-passed", "planted-rest", "planted-ranged", "planted-script", "bash", "grep", "xargs",
	} {
		if len(used[want]) == 0 {
			t.Errorf("%s is not found", want)
		}
		delete(used, want)
	}
	if len(used) != 0 {
		t.Errorf("found besides: %v", used)
	}
}

// listedPrograms are the lines of scripts/programs: a program, and the Debian package that has it.
func listedPrograms(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("programs")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "#":
		case len(words) < 3:
			t.Errorf("%q: it needs a program, a package and what for", line)
		default:
			listed[words[0]] = words[1]
		}
	}
	return listed
}

// programsUsed are the programs that files of a checkout call by name, and those files.
func programsUsed(checkout string) (map[string][]string, error) {
	tracked, err := tracked(checkout)
	if err != nil {
		return nil, err
	}
	used, packages := map[string][]string{}, map[string][]goFile{}
	for _, name := range tracked {
		text, err := os.ReadFile(filepath.Join(checkout, name))
		if err != nil {
			return nil, err
		}
		var scripts []string
		switch {
		case path.Base(name) == "Makefile":
			scripts = recipes(string(text))
		case slices.Contains(pagesThatRun, name):
			commands := ""
			for _, match := range block.FindAllSubmatch(text, -1) {
				commands += string(match[1])
			}
			scripts = []string{commands}
		case strings.HasSuffix(name, ".txt") && strings.Contains(name, "testdata/"):
			for _, match := range session.FindAllStringSubmatch(string(text), -1) {
				note(used, match[1], name)
			}
		case regexp.MustCompile(`^#!.*\b(ba)?sh\b`).Match(text):
			scripts = []string{string(text)}
		case strings.HasSuffix(name, ".go") && !strings.Contains(name, "testdata/"):
			file, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
			if err != nil {
				return nil, err
			}
			packages[path.Dir(name)] = append(packages[path.Dir(name)], goFile{name, file})
		}
		for _, script := range scripts {
			if err := ofShell(script, name, used); err != nil {
				return nil, err
			}
		}
	}
	for _, files := range packages {
		if err := ofGo(files, used); err != nil {
			return nil, err
		}
	}
	return used, nil
}

// session is a line of a testscript that runs a program.
var session = regexp.MustCompile(`(?m)^!? ?exec (\S+)`)

// own are the checkout's own programs, which `make build` puts into bin.
var own = []string{"pie", "pie-network", "pie-gateway", "pie-chaincode"}

func note(used map[string][]string, program, file string) {
	// A path is somebody's own program, and not the system's.
	if program != "" && !strings.ContainsAny(program, "/$ ") && !slices.Contains(own, program) && !slices.Contains(used[program], file) {
		used[program] = append(used[program], file)
	}
}

var (
	makeVariable = regexp.MustCompile(`\$\([A-Z_]+\)`)
	recipe       = regexp.MustCompile(`(?m)^\t[@+-]*(.*(?:\\\n.*)*)`)
)

// recipes are the commands of a Makefile as the shell sees them.
func recipes(makefile string) (scripts []string) {
	for _, match := range recipe.FindAllStringSubmatch(makefile, -1) {
		scripts = append(scripts, strings.ReplaceAll(makeVariable.ReplaceAllString(match[1], ""), "$$", "$"))
	}
	return scripts
}

// runs are commands that run the program that they are given.
var runs = map[string]bool{"xargs": true, "command": true, "exec": true, "env": true, "time": true, "nice": true, "setsid": true, "nohup": true}

// builtins are what bash does itself.
var builtins = strings.Fields("[ : . alias break builtin cd command compgen continue declare echo eval exec exit export false getopts hash kill let local mapfile printf pwd read readonly return set shift shopt source test time times trap true type ulimit umask unset wait")

// ofShell notes the programs of a shell script.
func ofShell(script, file string, used map[string][]string) error {
	parsed, err := syntax.NewParser().Parse(strings.NewReader(script), file)
	if err != nil {
		return err
	}
	functions := map[string]bool{}
	syntax.Walk(parsed, func(node syntax.Node) bool {
		if function, ok := node.(*syntax.FuncDecl); ok {
			functions[function.Name.Value] = true
		}
		return true
	})
	syntax.Walk(parsed, func(node syntax.Node) bool {
		call, ok := node.(*syntax.CallExpr)
		if !ok {
			return true
		}
		for i, word := range call.Args {
			program := word.Lit()
			if i > 0 && (strings.HasPrefix(program, "-") || strings.Contains(program, "=")) {
				continue
			}
			if !functions[program] && !slices.Contains(builtins, program) {
				note(used, program, file)
			}
			if !runs[program] {
				break
			}
		}
		return true
	})
	return nil
}

// goFile is a file of a package, whose functions call each other.
type goFile struct {
	name string
	*ast.File
}

// execName is what a file calls the package os/exec, or nothing.
func (f goFile) execName() string {
	for _, imported := range f.Imports {
		if imported.Path.Value == `"os/exec"` && imported.Name != nil {
			return imported.Name.Name
		} else if imported.Path.Value == `"os/exec"` {
			return "exec"
		}
	}
	return ""
}

// position is where a function or a method takes a program.
type position struct {
	function string
	method   bool
	argument int
}

// ofGo notes the programs that a package starts or looks for: those that are named in
// the call itself, in what a loop goes over, and by callers of a function that passes one on.
func ofGo(files []goFile, used map[string][]string) error {
	var err error
	passes := map[position]bool{}
	for _, file := range files {
		name := file.execName()
		if name == "" {
			continue
		}
		for _, declaration := range file.Decls {
			ast.Inspect(declaration, func(node ast.Node) bool {
				call, program := started(node, name)
				if program == nil {
					return true
				}
				note(used, literal(program), file.name)
				if shell := call.Args[len(call.Args)-1]; slices.ContainsFunc(call.Args, func(e ast.Expr) bool { return literal(e) == "-c" || literal(e) == "-euc" }) && literal(shell) != "" {
					err = ofShell(literal(shell), file.name, used)
				}
				for _, each := range ranged(declaration, program) {
					note(used, literal(each), file.name)
				}
				if function, ok := declaration.(*ast.FuncDecl); ok {
					if i := parameter(function, program); i >= 0 {
						passes[position{function.Name.Name, function.Recv != nil, i}] = true
					}
				}
				return true
			})
		}
	}
	for _, file := range files {
		ast.Inspect(file.File, func(node ast.Node) bool {
			if call, ok := node.(*ast.CallExpr); ok {
				_, method := call.Fun.(*ast.SelectorExpr)
				for i, argument := range call.Args {
					if passes[position{called(call), method, i}] {
						note(used, literal(argument), file.name)
					}
				}
			}
			return true
		})
	}
	return err
}

// started is a call of os/exec's, under the name that a file gives it, and the program that it names.
func started(node ast.Node, name string) (call *ast.CallExpr, program ast.Expr) {
	call, ok := node.(*ast.CallExpr)
	if !ok || len(call.Args) == 0 {
		return nil, nil
	}
	function, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil, nil
	}
	if of, ok := function.X.(*ast.Ident); !ok || of.Name != name {
		return nil, nil
	}
	switch function.Sel.Name {
	case "Command", "LookPath":
		return call, call.Args[0]
	case "CommandContext":
		return call, call.Args[1]
	}
	return nil, nil
}

func called(call *ast.CallExpr) string {
	switch function := call.Fun.(type) {
	case *ast.Ident:
		return function.Name
	case *ast.SelectorExpr:
		return function.Sel.Name
	}
	return ""
}

func literal(e ast.Expr) string {
	if text, ok := e.(*ast.BasicLit); ok && text.Kind == token.STRING {
		value, _ := strconv.Unquote(text.Value)
		return value
	}
	return ""
}

// variable is the name of a variable, or of a slice that gives its first element.
func variable(e ast.Expr) string {
	if index, ok := e.(*ast.IndexExpr); ok && literalInt(index.Index) == "0" {
		e = index.X
	}
	if name, ok := e.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}

func literalInt(e ast.Expr) string {
	if text, ok := e.(*ast.BasicLit); ok {
		return text.Value
	}
	return ""
}

// ranged is what a loop over a list gives the variable that names a program.
func ranged(declaration ast.Decl, program ast.Expr) (each []ast.Expr) {
	ast.Inspect(declaration, func(node ast.Node) bool {
		loop, ok := node.(*ast.RangeStmt)
		if !ok || loop.Value == nil || variable(loop.Value) != variable(program) {
			return true
		}
		if list, ok := loop.X.(*ast.CompositeLit); ok {
			each = append(each, list.Elts...)
		}
		return true
	})
	return each
}

// parameter is the number of the parameter that names a program, or -1.
func parameter(function *ast.FuncDecl, program ast.Expr) int {
	i := 0
	for _, field := range function.Type.Params.List {
		for _, name := range field.Names {
			if name.Name == variable(program) {
				return i
			}
			i++
		}
	}
	return -1
}

// tracked are the files that git has, or would have after the next commit.
func tracked(checkout string) ([]string, error) {
	output, err := git(checkout, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(string(bytes.TrimSpace(output)), func(r rune) bool { return r == 0 }), nil
}

func git(dir string, arguments ...string) ([]byte, error) {
	command := exec.Command("git", arguments...)
	command.Dir = dir
	return command.Output()
}
