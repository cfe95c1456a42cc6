// Command bench measures PIE's jobs against their floors: the least that the programs
// underneath, Fabric and Kubo, need for the same effect. Each job and its floor take
// turns in one run at one network, so that whatever else the machine does meets both.
//
//	go run ./test/bench
//
// writes docs/benchmarks.svg, and the measured part of docs/benchmarks.md.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, "docs")
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures everything and writes it into the folder.
func run(ctx context.Context, docs string) error {
	results, err := measure(ctx, full, measurements)
	if err != nil {
		return err
	}
	if err := splice(filepath.Join(docs, "benchmarks.md"), report(thisMachine(ctx), results)); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(docs, "benchmarks.svg"), plot(results), 0o644)
}
