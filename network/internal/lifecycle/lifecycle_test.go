package lifecycle_test

import (
	"slices"
	"testing"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/network/internal/lifecycle"
)

// Hospitals that package the chaincode by themselves have to come to one identifier.
func TestPackageIsTheSameEverywhere(t *testing.T) {
	first, err := lifecycle.NewPackage("pie")
	if err != nil {
		t.Fatal(err)
	}
	second, err := lifecycle.NewPackage("pie")
	if err != nil || first.ID != second.ID {
		t.Errorf("%s and %s, %v", first.ID, second.ID, err)
	}
	other, err := lifecycle.NewPackage("other")
	if err != nil || other.ID == first.ID {
		t.Errorf("another name gives %s too, %v", other.ID, err)
	}
}

func TestCollectionsBelongToAllHospitals(t *testing.T) {
	msps := []string{"HospitalA", "HospitalB", "HospitalC"}
	collections, err := lifecycle.Collections(msps)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, config := range collections.GetConfig() {
		collection := config.GetStaticCollectionConfig()
		names = append(names, collection.GetName())
		if !collection.GetMemberOnlyRead() || !collection.GetMemberOnlyWrite() || collection.GetRequiredPeerCount() != 0 || collection.GetBlockToLive() != 0 {
			t.Errorf("%v", collection)
		}
		policy := collection.GetMemberOrgsPolicy().GetSignaturePolicy()
		if len(policy.GetIdentities()) != len(msps) || policy.GetRule().GetNOutOf().GetN() != 1 {
			t.Errorf("%s: policy %v", collection.GetName(), policy)
		}
	}
	if !slices.Equal(names, []string{ledger.MetadataCollection, ledger.FragmentsCollection}) {
		t.Errorf("collections %v", names)
	}
	if _, err := lifecycle.Collections([]string{"a'b"}); err == nil {
		t.Error("a policy that does not parse was accepted")
	}
}
