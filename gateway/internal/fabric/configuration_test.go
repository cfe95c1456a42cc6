package fabric

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"
)

// configurationOf is that of a channel with these members' descriptions.
func configurationOf(descriptions map[string][]byte) *common.Config {
	members := map[string]*common.ConfigGroup{}
	for member, description := range descriptions {
		members[member] = &common.ConfigGroup{Values: map[string]*common.ConfigValue{"MSP": {Value: description}}}
	}
	return &common.Config{ChannelGroup: &common.ConfigGroup{Groups: map[string]*common.ConfigGroup{"Application": {Groups: members}}}}
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

// listOf is a revocation list, DER, of a CA of its own.
func listOf(t testing.TB, serial int64) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(serial), RevocationTime: time.Now()}},
	}, &x509.Certificate{KeyUsage: x509.KeyUsageCRLSign, SubjectKeyId: []byte{1}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// broken are descriptions of HospitalA that hold no list which could be read.
func broken(t testing.TB) map[string][]byte {
	return map[string][]byte{
		"no description":        {0xff},
		"no MSP":                {0x12, 0x01, 0xff},
		"no list":               describe(t, &msp.FabricMSPConfig{Name: "HospitalA", RevocationList: [][]byte{[]byte("none")}}),
		"one list beside a bad": describe(t, &msp.FabricMSPConfig{Name: "HospitalA", RevocationList: [][]byte{listOf(t, 7), []byte("none")}}),
	}
}

func TestWhatCannotBeReadConcernsItsMemberAlone(t *testing.T) {
	other := describe(t, &msp.FabricMSPConfig{Name: "HospitalB", RevocationList: [][]byte{listOf(t, 7)}})
	for name, description := range broken(t) {
		revoked := revocationsIn(configurationOf(map[string][]byte{"HospitalA": description, "HospitalB": other}))
		if revoked.Unreadable()["HospitalA"] == nil || revoked.Unreadable()["HospitalB"] != nil || !revoked.Has("HospitalB", big.NewInt(7)) {
			t.Errorf("%s: %+v", name, revoked)
		}
	}
	revoked := revocationsIn(configurationOf(map[string][]byte{"HospitalA": describe(t, &msp.FabricMSPConfig{Name: "HospitalA"}), "HospitalB": other}))
	if len(revoked.Unreadable()) > 0 || revoked.Len() != 1 {
		t.Errorf("without a list: %+v", revoked)
	}
}

func FuzzRevocationsIn(f *testing.F) {
	f.Add(describe(f, &msp.FabricMSPConfig{Name: "HospitalA"}))
	for _, description := range broken(f) {
		f.Add(description)
	}
	other := describe(f, &msp.FabricMSPConfig{Name: "HospitalB", RevocationList: [][]byte{listOf(f, 7)}})
	f.Fuzz(func(t *testing.T, description []byte) {
		revoked := revocationsIn(configurationOf(map[string][]byte{"HospitalA": description, "HospitalB": other}))
		if !revoked.Has("HospitalB", big.NewInt(7)) {
			t.Error("another member's list is lost")
		}
	})
}
