// Command pie-gateway is a hospital's door to the consortium: REST for devices,
// a client of the hospital's own peer and IPFS node, and one of the proxies that
// re-encrypt.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"

	"github.com/goccy/go-yaml"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pie-gateway:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("pie-gateway", flag.ContinueOnError)
	path := flags.String("config", "", "the gateway's configuration `file`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	text, err := os.ReadFile(*path)
	if err != nil {
		return err
	}
	var config struct {
		Operations string `yaml:"operations"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return err
	}
	healthy := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }
	http.HandleFunc("/livez", healthy)
	http.HandleFunc("/readyz", healthy)
	return http.ListenAndServe(config.Operations, nil)
}
