// Command pie-gateway is a hospital's door to the consortium: REST for devices,
// a client of the hospital's own peer and IPFS node, and one of the proxies that
// re-encrypt.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/pie-consortium/pie/gateway/internal/config"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pie-gateway:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("pie-gateway", flag.ContinueOnError)
	path := flags.String("config", "", "the gateway's configuration `file`, YAML")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	c, err := config.Load(*path)
	if err != nil {
		return err
	}
	gateway, err := assemble(c)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return gateway.serve(ctx)
}
