# `make` alone lists what it can do.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help build demo up down purge status test check cover bench chaos pressure fuzz

help: ## list what make can do
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build pie, pie-network, pie-gateway and pie-chaincode into bin/
	@scripts/build

demo: build ## start three hospitals and share encrypted records (FILES='a.json b.dcm' shares yours)
	@scripts/demo $(FILES)

up: build ## start the default network, or resume it
	@bin/pie-network up

down: build ## stop the network and keep its data
	@bin/pie-network down

purge: build ## stop the network and delete its data
	@bin/pie-network down --purge

status: build ## show every node of the network
	@bin/pie-network status

test: build ## run every test afresh; builds Fabric, Fabric CA and Kubo the first time
	@scripts/test-tools
	@bin/pie-network tools > /dev/null
	go test -count=1 -p 1 -timeout 40m ./...

check: ## format, vet, lint, run tests without a network for data races, look for vulnerabilities
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run
	go run ./chaincode/lint -test=false ./chaincode/... ./ledger/...
	go run ./tools/redirects ./...
	go test -race -count=1 -timeout 40m $$(scripts/packages without)
	@scripts/vulnerabilities

bench: ## measure every job against its floor, into docs/benchmarks.md (most of an hour)
	go run ./test/bench

chaos: ## put the network under every fault there is, and look for data races, for some hours (needs root)
	go test -v -timeout 4h ./test/chaos -long -seed 0
	go test -v -timeout 4h -run TestEveryRequestIsAnsweredOnce ./client/agent -long
	go test -race -count=1 -p 1 -timeout 4h $$(scripts/packages with)
	@scripts/midnight

pressure: ## send gateways a hundred thousand broken requests, slow ones and far too many (a quarter of an hour)
	go test -count=1 -v -timeout 4h ./test/pressure -long

fuzz: ## run every fuzz target for a minute (FUZZTIME=10s for less)
	@scripts/fuzz

cover: ## report the coverage of packages that need no network
	@mkdir -p .pie
	go test -coverprofile=.pie/coverage ./chaincode/internal/... ./chaincode/rules/... ./client/internal/... ./client/proposal ./gateway/internal/... ./ledger/... ./umbral/...
	@go tool cover -func=.pie/coverage | tail -n 1
