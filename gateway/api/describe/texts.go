package main

// texts are schemas of texts, and of bytes, that have no Go type of their own: by the name
// of the field, or by type and name where that differs.
var texts = map[string]string{
	"cid": "CID", "capsule": "Capsule", "msp": "MSP", "proxy": "MSP", "RegisterOrganization.proxy": "Pseudonym",
	"pseudonym": "Pseudonym", "listed": "Pseudonym", "gateway": "GatewayURL", "gateways": "GatewayURL", "aud": "GatewayURL",
	"recordKey": "JWS", "keys": "JWS", "card": "JWS", "key": "JWS", "open": "TransactionID", "transaction": "TransactionID", "officers": "MSP", "roots": "PEM", "tlsRoots": "PEM",
	"certificate": "PEM",
}

// examples are other texts.
var examples = map[string]string{
	"name": "Hospital A", "id": "1207-3", "channel": "pie", "department": "cardiology",
	"jti": "b7c1f0e2-5a4d-4f0e-9c52-0f1d2a3b4c5d", "text": "found on the floor of the ward, no reaction",
}

// omitted are left out of examples: what stands there excludes them.
var omitted = map[string]bool{
	"ReplaceKeys.replacement": true, "DeclareBreakGlass.records": true, "SetEmergencyPolicy.trusted": true, "ConfirmReplicas.lost": true,
	"OpenRecord.declaration": true, "NewSlot.stream": true, "NewSlot.isSummary": true, "GrantAccess.standing": true,
}
