package fabric

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"
)

// configurationOf is that of a channel with one member, whose description is given.
func configurationOf(description []byte) *common.Config {
	member := &common.ConfigGroup{Values: map[string]*common.ConfigValue{"MSP": {Value: description}}}
	return &common.Config{ChannelGroup: &common.ConfigGroup{Groups: map[string]*common.ConfigGroup{
		"Application": {Groups: map[string]*common.ConfigGroup{"HospitalA": member}},
	}}}
}

func describe(t testing.TB, inner *msp.FabricMSPConfig) []byte {
	t.Helper()
	text, err := proto.Marshal(inner)
	if err != nil {
		t.Fatal(err)
	}
	description, err := proto.Marshal(&msp.MSPConfig{Config: text})
	if err != nil {
		t.Fatal(err)
	}
	return description
}

func TestMalformedConfigurationsAreRefused(t *testing.T) {
	for name, description := range map[string][]byte{
		"no description":  {0xff},
		"no MSP":          {0x12, 0x01, 0xff},
		"a list of other": describe(t, &msp.FabricMSPConfig{Name: "HospitalA", RevocationList: [][]byte{[]byte("none")}}),
	} {
		if revoked, err := revocationsIn(configurationOf(description)); err == nil {
			t.Errorf("%s: %v", name, revoked)
		}
	}
	if revoked, err := revocationsIn(configurationOf(describe(t, &msp.FabricMSPConfig{Name: "HospitalA"}))); err != nil || len(revoked) > 0 {
		t.Errorf("without a list: %v, %v", revoked, err)
	}
}

func FuzzRevocationsIn(f *testing.F) {
	f.Add(describe(f, &msp.FabricMSPConfig{Name: "HospitalA"}))
	f.Fuzz(func(t *testing.T, description []byte) {
		if revoked, err := revocationsIn(configurationOf(description)); err != nil && revoked != nil {
			t.Error("a refused configuration revokes something")
		}
	})
}
