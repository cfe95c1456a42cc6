// Package config reads the gateway's configuration file. It is strict: unknown fields
// are refused, and everything that is wrong is reported at once. Secrets are paths of
// files that only their owner can read.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"

	"github.com/goccy/go-yaml"

	"github.com/pie-consortium/pie/internal/input"
	"github.com/pie-consortium/pie/ledger/trust"
)

// Config is the configuration of one gateway.
type Config struct {
	MSP        string   `yaml:"msp"`        // the hospital's
	URL        string   `yaml:"url"`        // by which clients know this gateway; the audience of tokens
	Listen     string   `yaml:"listen"`     // host:port of the REST API, TLS
	Operations string   `yaml:"operations"` // host:port of health, metrics and profiles, for the hospital only
	Channel    string   `yaml:"channel"`
	Chaincode  string   `yaml:"chaincode"`
	Origins    []string `yaml:"origins"` // of apps in browsers that may call, such as https://app.example; none when empty
	Data       string   `yaml:"data"`    // folder for proxy key, event checkpoint, used assertions, pending replicas, notes of pins and places of webhooks; losing it costs the proxy key
	Trust      string   `yaml:"trust"`   // file: the consortium's trust bundle, JSON
	TLS        KeyPair  `yaml:"tls"`
	Identity   KeyPair  `yaml:"identity"` // of role gateway
	Peer       Peer     `yaml:"peer"`
	CA         CA       `yaml:"ca"`
	IPFS       IPFS     `yaml:"ipfs"`
	Traces     string   `yaml:"traces"` // base URL of an OTLP receiver over HTTP, such as http://127.0.0.1:4318; no traces when empty

	Webhooks []Webhook `yaml:"webhooks"` // the hospital's own systems that are told of events
}

// KeyPair names the files of a certificate and its private key, PEM.
type KeyPair struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"` // readable by its owner only
}

// Peer is the hospital's own peer, the only one that the gateway talks to.
type Peer struct {
	Address string  `yaml:"address"` // host:port
	TLSRoot string  `yaml:"tlsRoot"` // file, PEM
	Client  KeyPair `yaml:"client"`  // the TLS certificate that the gateway shows to the peer, which lets in nobody without one
}

// CA is the hospital's Fabric CA.
type CA struct {
	URL     string `yaml:"url"`
	TLSRoot string `yaml:"tlsRoot"` // file, PEM
}

// IPFS is the hospital's own Kubo node.
type IPFS struct {
	API string `yaml:"api"` // base URL of its RPC interface
}

// Load reads and checks a configuration file.
func Load(path string) (*Config, error) {
	text, err := input.Settings(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	var config Config
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&config); err != nil {
		return nil, fmt.Errorf("configuration %s: %w", path, err)
	}
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("configuration %s:\n%w", path, err)
	}
	return &config, nil
}

func (c *Config) validate() error {
	return errors.Join(
		present("msp", c.MSP), present("channel", c.Channel), present("chaincode", c.Chaincode), present("data", c.Data),
		baseURL("url", c.URL, "https"), baseURL("ca.url", c.CA.URL, "https"), baseURL("ipfs.api", c.IPFS.API, "http", "https"),
		address("listen", c.Listen), address("operations", c.Operations), address("peer.address", c.Peer.Address),
		readable("trust", c.Trust), readable("peer.tlsRoot", c.Peer.TLSRoot), readable("ca.tlsRoot", c.CA.TLSRoot),
		readable("tls.certificate", c.TLS.Certificate), readable("identity.certificate", c.Identity.Certificate),
		readable("peer.client.certificate", c.Peer.Client.Certificate),
		origins(c.Origins), optionalURL("traces", c.Traces),
		webhooks(c.Webhooks),
		secret("tls.key", c.TLS.Key), secret("identity.key", c.Identity.Key), secret("peer.client.key", c.Peer.Client.Key),
	)
}

func present(field, value string) error {
	if value == "" {
		return fmt.Errorf("%s is missing", field)
	}
	return nil
}

func baseURL(field, value string, schemes ...string) error {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil {
		return fmt.Errorf("%s must be a URL without a path, such as %s://host:port", field, schemes[0])
	}
	for _, scheme := range schemes {
		if u.Scheme == scheme {
			return nil
		}
	}
	return fmt.Errorf("%s must begin with %s://", field, schemes[0])
}

func optionalURL(field, value string) error {
	if value == "" {
		return nil
	}
	return baseURL(field, value, "https", "http")
}

func address(field, value string) error {
	host, port, err := net.SplitHostPort(value)
	if err != nil || host == "" || port == "" {
		return fmt.Errorf("%s must be host:port", field)
	}
	return nil
}

func readable(field, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	return file.Close()
}

func secret(field, path string) error {
	if _, err := trust.ReadSecretFile(path); err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	return nil
}
