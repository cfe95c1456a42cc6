package channel

// anyAdmin is the policy that each member's administrator satisfies alone.
const anyAdmin = "AnyAdmin"

// accessRules say who may ask peers for what beside proposing transactions, which every
// member may. Fabric's own rules are those of readers too, but for the chaincode's
// definition, which every member could ask for and commit.
func accessRules() fields {
	rules := fields{}
	for _, resource := range []string{
		"event/Block", "event/FilteredBlock", "gateway/CommitStatus", "gateway/ChaincodeEvents",
		"qscc/GetChainInfo", "qscc/GetBlockByNumber", "qscc/GetBlockByHash", "qscc/GetTransactionByID", "qscc/GetBlockByTxID",
		"cscc/GetConfigBlock", "cscc/GetChannelConfig",
		"_lifecycle/QueryChaincodeDefinition", "_lifecycle/QueryChaincodeDefinitions", "_lifecycle/CheckCommitReadiness",
	} {
		rules[resource] = "/Channel/Application/Readers"
	}
	rules["_lifecycle/CommitChaincodeDefinition"] = "/Channel/Application/" + anyAdmin
	return rules
}
