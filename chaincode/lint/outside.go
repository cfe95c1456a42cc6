package main

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

var outside = &analysis.Analyzer{
	Name: "outside",
	Doc: `refuse what differs from peer to peer: clock, randomness, environment, files, network

Each endorsing peer runs the transaction itself, and their results must be equal. So a
transaction knows the ledger, its arguments and its own timestamp, and nothing else. A
function of this module that reaches outside is refused where a transaction calls it.
Commands may reach outside as they start, but name time.Now as Contract.Clock only.`,
	Run:       runOutside,
	FactTypes: []analysis.Fact{new(reaches)},
}

// reaches is what is known of a function that reaches outside.
type reaches struct{ What world }

// AFact makes it known to the packages that import the function's.
func (*reaches) AFact() {}

func (r *reaches) String() string { return "reaches " + string(r.What) }

// world is a part of what lies outside of transactions.
type world string

const (
	theClock       world = "the clock"
	randomness     world = "randomness"
	theEnvironment world = "the environment"
	theFiles       world = "files"
	theNetwork     world = "the network"
	theProcess     world = "the process"
)

var instead = map[world]string{
	theClock:       "use Context.Now, the transaction's own time",
	randomness:     "let the caller draw it and pass it",
	theEnvironment: "let main read it",
	theFiles:       "keep it on the ledger",
	theNetwork:     "let a gateway do it",
	theProcess:     "let main do it",
}

// outsidePackages are those of which every function and variable reaches outside.
var outsidePackages = map[string]world{
	"math/rand": randomness, "math/rand/v2": randomness, "crypto/rand": randomness, "hash/maphash": randomness,
	"github.com/google/uuid": randomness,
	"os":                     theEnvironment, "os/user": theEnvironment, "os/signal": theProcess, "os/exec": theProcess,
	"syscall": theProcess, "runtime": theProcess, "runtime/debug": theProcess, "plugin": theProcess,
	"io/ioutil": theFiles,
	"net":       theNetwork, "net/http": theNetwork, "net/rpc": theNetwork, "net/smtp": theNetwork, "database/sql": theNetwork,
}

// outsideFuncs are those of packages that otherwise stay inside.
var outsideFuncs = map[string]map[string]world{
	"time": {
		"Now": theClock, "Since": theClock, "Until": theClock, "After": theClock, "AfterFunc": theClock,
		"Tick": theClock, "NewTicker": theClock, "NewTimer": theClock, "Sleep": theClock,
		"Local": theEnvironment, "LoadLocation": theFiles,
	},
	"context":       {"WithTimeout": theClock, "WithTimeoutCause": theClock, "WithDeadline": theClock, "WithDeadlineCause": theClock},
	"path/filepath": {"Walk": theFiles, "WalkDir": theFiles, "Glob": theFiles, "Abs": theEnvironment, "EvalSymlinks": theFiles},
	"crypto/x509":   {"SystemCertPool": theFiles},
	"crypto/ecdsa":  {"GenerateKey": randomness, "Sign": randomness, "SignASN1": randomness},
	"crypto/rsa":    {"GenerateKey": randomness},
	"crypto/ecdh":   {"GenerateKey": randomness},
	"crypto/tls":    {"Dial": theNetwork, "Listen": theNetwork, "LoadX509KeyPair": theFiles},
}

// mention is a place where a function of the package names another function or variable.
type mention struct {
	by     *types.Func // nil in a declaration of variables
	name   *ast.Ident
	object types.Object
	what   world
	stack  []ast.Node // around the name
}

func runOutside(pass *analysis.Pass) (any, error) {
	if !inModule(pass.Pkg) {
		return nil, nil
	}
	mentions := mentionsOf(pass)
	exportReaches(pass, mentions)
	for _, m := range mentions {
		if m.what == "" || !inChaincode(pass.Pkg) {
			continue
		}
		if !inTransactions(pass.Pkg) && (m.what != theClock || isContractClock(pass, m)) {
			continue
		}
		pass.Reportf(m.name.Pos(), "%s reaches %s, which differs from peer to peer; %s", m.name.Name, m.what, instead[m.what])
	}
	return nil, nil
}

func mentionsOf(pass *analysis.Pass) []mention {
	var mentions []mention
	for file := range files(pass) {
		for _, declaration := range file.Decls {
			var by *types.Func
			if function, ok := declaration.(*ast.FuncDecl); ok {
				by = pass.TypesInfo.Defs[function.Name].(*types.Func)
			}
			ast.PreorderStack(declaration, nil, func(node ast.Node, stack []ast.Node) bool {
				if name, ok := node.(*ast.Ident); ok {
					if object := pass.TypesInfo.Uses[name]; object != nil && object.Pkg() != nil {
						mentions = append(mentions, mention{by, name, object, worldOf(pass, object), slices.Clone(stack)})
					}
				}
				return true
			})
		}
	}
	return mentions
}

// worldOf says what the object reaches by itself or, in another package, by what it calls.
func worldOf(pass *analysis.Pass, object types.Object) world {
	path := object.Pkg().Path()
	switch object := object.(type) {
	case *types.Var:
		if object.IsField() || object.Parent() != object.Pkg().Scope() {
			return ""
		}
	case *types.Func:
		var known reaches
		if object.Pkg() != pass.Pkg && pass.ImportObjectFact(object.Origin(), &known) {
			return known.What
		}
		if object.Signature().Recv() != nil {
			return outsidePackages[path]
		}
	default:
		return ""
	}
	if what := outsideFuncs[path][object.Name()]; what != "" {
		return what
	}
	if path == "os" && fileFunc(object.Name()) {
		return theFiles
	}
	return outsidePackages[path]
}

func fileFunc(name string) bool {
	return slices.ContainsFunc([]string{"Open", "Read", "Write", "Create", "Mk", "Remove", "Rename", "Stat", "Lstat"}, func(prefix string) bool {
		return strings.HasPrefix(name, prefix)
	})
}

// exportReaches tells importing packages which functions of this one reach outside,
// through others of this one too.
func exportReaches(pass *analysis.Pass, mentions []mention) {
	known := map[types.Object]world{}
	for grown := true; grown; {
		grown = false
		for _, m := range mentions {
			what := m.what
			if what == "" {
				what = known[m.object]
			}
			if what != "" && m.by != nil && known[m.by] == "" {
				known[m.by], grown = what, true
			}
		}
	}
	for object, what := range known {
		pass.ExportObjectFact(object, &reaches{what})
	}
}

// isContractClock reports whether the clock is handed to the contract as its Clock, and
// not called: "contract.Contract{Clock: time.Now}".
func isContractClock(pass *analysis.Pass, m mention) bool {
	if len(m.stack) < 2 {
		return false
	}
	selector, ok := m.stack[len(m.stack)-1].(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pair, ok := m.stack[len(m.stack)-2].(*ast.KeyValueExpr)
	if !ok || pair.Value != selector {
		return false
	}
	key, ok := pair.Key.(*ast.Ident)
	if !ok {
		return false
	}
	field := pass.TypesInfo.Uses[key]
	return field != nil && field.Name() == "Clock" && field.Pkg() != nil && field.Pkg().Path() == contractPath
}
