package channel

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"
)

// list is a revocation list of one certificate, PEM.
func list(t testing.TB, serial int64) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(serial), RevocationTime: time.Now()}},
	}, &x509.Certificate{SerialNumber: big.NewInt(1), KeyUsage: x509.KeyUsageCRLSign, SubjectKeyId: []byte{1}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

func encode(t testing.TB, message proto.Message) []byte {
	t.Helper()
	text, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// configuration has two members, both in both groups, with these lists of revocations.
func configuration(t testing.TB, lists ...[]byte) *common.Config {
	t.Helper()
	members := func(version uint64) *common.ConfigGroup {
		group := &common.ConfigGroup{Version: version, Groups: map[string]*common.ConfigGroup{}}
		for _, name := range []string{"HospitalA", "HospitalB"} {
			inner := encode(t, &msp.FabricMSPConfig{Name: name, RootCerts: [][]byte{[]byte("root")}, RevocationList: lists})
			group.Groups[name] = &common.ConfigGroup{Version: 3, Values: map[string]*common.ConfigValue{
				mspValue: {Version: 5, ModPolicy: "Admins", Value: encode(t, &msp.MSPConfig{Config: inner})},
			}}
		}
		return group
	}
	return &common.Config{ChannelGroup: &common.ConfigGroup{Version: 1, Groups: map[string]*common.ConfigGroup{
		applicationGroup: members(2), ordererGroup: members(4),
	}}}
}

// A hospital's administrator can sign the change alone because it touches nothing else.
func TestRevocationTouchesTheMembersOwnDescriptionAlone(t *testing.T) {
	wanted := list(t, 7)
	update, err := Revocation("pie", configuration(t), "HospitalA", wanted)
	if err != nil {
		t.Fatal(err)
	}
	for group, version := range map[string]uint64{applicationGroup: 2, ordererGroup: 4} {
		written := update.GetWriteSet().GetGroups()[group]
		member, foreign := written.GetGroups()["HospitalA"], written.GetGroups()["HospitalB"]
		if written.GetVersion() != version || len(written.GetValues()) > 0 || foreign != nil || member.GetVersion() != 3 || len(member.GetValues()) != 1 {
			t.Errorf("%s: %v", group, written)
		}
		value := member.GetValues()[mspValue]
		var outer msp.MSPConfig
		var inner msp.FabricMSPConfig
		if err := proto.Unmarshal(value.GetValue(), &outer); err != nil {
			t.Fatal(err)
		}
		if err := proto.Unmarshal(outer.GetConfig(), &inner); err != nil {
			t.Fatal(err)
		}
		if value.GetVersion() != 6 || value.GetModPolicy() != "Admins" || len(inner.GetRevocationList()) != 1 ||
			string(inner.GetRevocationList()[0]) != string(wanted) || string(inner.GetRootCerts()[0]) != "root" {
			t.Errorf("%s: version %d, %v", group, value.GetVersion(), &inner)
		}
		if len(update.GetReadSet().GetGroups()[group].GetGroups()["HospitalA"].GetValues()) > 0 {
			t.Errorf("%s: what is written is also read", group)
		}
	}
}

func TestWhatIsRevokedAlreadyChangesNothing(t *testing.T) {
	published := list(t, 7)
	update, err := Revocation("pie", configuration(t, published, list(t, 9)), "HospitalA", list(t, 9))
	if err != nil || update != nil {
		t.Errorf("%v, %v", update, err)
	}
	if update, err := Revocation("pie", configuration(t, []byte("broken")), "HospitalA", published); err != nil || update == nil {
		t.Errorf("a list that nobody can read stays: %v", err)
	}
	for name, c := range map[string]struct {
		member string
		list   []byte
	}{"no member": {"HospitalX", published}, "no list": {"HospitalA", []byte("nothing")}} {
		if update, err := Revocation("pie", configuration(t), c.member, c.list); err == nil || update != nil {
			t.Errorf("%s: %v", name, update)
		}
	}
}
