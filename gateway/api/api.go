// Package api is the gateway's REST surface for those who call it: the OpenAPI
// document, its models, which are the types of package ledger wherever those exist,
// and a client. It knows nothing of the server.
package api

import _ "embed"

//go:generate go run ./describe
//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.0 --config models.yaml openapi.yaml
//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.0 --config client.yaml openapi.yaml

// Document is the OpenAPI document of the gateway, YAML.
//
//go:embed openapi.yaml
var Document []byte
