package lifecycle

import (
	"fmt"
	"strings"

	"github.com/hyperledger/fabric-admin-sdk/pkg/chaincode"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"github.com/pie-consortium/pie/ledger"
)

// pushedTo is how many other peers an endorser hands private data to at once. The
// rest fetch it, so that one hospital that is down blocks nobody.
const pushedTo = 2

// Collections are the private data collections of all the hospitals with these MSPs:
// only members read and write them, and no peer has to be up for another to endorse.
func Collections(msps []string) (*peer.CollectionConfigPackage, error) {
	rule := "OR('" + strings.Join(msps, ".member','") + ".member')"
	policy, err := chaincode.NewApplicationPolicy(rule, "")
	if err != nil {
		return nil, fmt.Errorf("policy of the private data collections: %w", err)
	}
	collections := &peer.CollectionConfigPackage{}
	for _, name := range []string{ledger.MetadataCollection, ledger.FragmentsCollection} {
		collections.Config = append(collections.Config, &peer.CollectionConfig{Payload: &peer.CollectionConfig_StaticCollectionConfig{
			StaticCollectionConfig: &peer.StaticCollectionConfig{
				Name:             name,
				MaximumPeerCount: pushedTo,
				MemberOnlyRead:   true,
				MemberOnlyWrite:  true,
				MemberOrgsPolicy: &peer.CollectionPolicyConfig{Payload: &peer.CollectionPolicyConfig_SignaturePolicy{
					SignaturePolicy: policy.GetSignaturePolicy(),
				}},
			},
		}})
	}
	return collections, nil
}
