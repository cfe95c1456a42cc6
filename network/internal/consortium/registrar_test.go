package consortium

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/network/internal/registrar"
	"github.com/pie-consortium/pie/network/internal/settings"
)

// failures is one more than Fabric CA's own limit.
const failures = 11

const ca, caOf = "ca.hospital-a", "HospitalA"

// withCA is a network of which a hospital's CA runs and nothing else.
func withCA(t *testing.T, subnet string) *Network {
	t.Helper()
	data := t.TempDir()
	wanted := description(t)
	wanted.Subnet = netip.MustParsePrefix(subnet)
	if err := Create(data, wanted); err != nil {
		t.Fatal(err)
	}
	network, err := Open(data, supervisor(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := network.Build(t.Context(), t.Output()); err != nil {
		t.Fatal(err)
	}
	if err := network.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	start(t, network)
	return network
}

func start(t *testing.T, network *Network) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	if err := network.Start(ctx, ca); err != nil {
		t.Fatal(err)
	}
}

func signIn(t *testing.T, network *Network) *registrar.Account {
	t.Helper()
	account, err := network.Registrar(t.Context(), caOf)
	if err != nil {
		t.Fatal(err)
	}
	return account
}

// enrol tries to become somebody, with a folder of its own.
func enrol(t *testing.T, network *Network, login registrar.Login) error {
	t.Helper()
	_, err := at(t, network).SignIn(t.Context(), t.TempDir(), login)
	return err
}

func at(t *testing.T, network *Network) registrar.CA {
	t.Helper()
	configuration, err := network.memberTLS(caOf)
	if err != nil {
		t.Fatal(err)
	}
	return registrar.CA{URL: network.Table.Of(settings.CA, caOf)[0].CAURL(), TLS: configuration}
}

func firstLogin(t *testing.T, network *Network) registrar.Login {
	t.Helper()
	secret, err := trust.ReadSecretFile(network.Table.RegistrarSecret(caOf))
	if err != nil {
		t.Fatal(err)
	}
	return registrar.Login{Name: settings.RegistrarName(secret), Secret: string(secret)}
}

// Wrong secrets lock nobody out, neither the registrar nor who has an invitation.
func TestFailuresLockNoAccount(t *testing.T) {
	network := withCA(t, "127.99.81.0/24")
	account := signIn(t, network)
	secret, err := account.Register(t.Context(), "7f3k2a", map[string]string{trust.RoleAttribute: string(ledger.RolePatient)})
	if err != nil {
		t.Fatal(err)
	}
	if len(secret) < 32 { // hexadecimal: 128 bits
		t.Errorf("a secret of %d characters", len(secret))
	}
	for _, name := range []string{firstLogin(t, network).Name, "registrar", "7f3k2a"} {
		for range failures {
			if err := enrol(t, network, registrar.Login{Name: name, Secret: "a guess"}); err == nil || !strings.Contains(err.Error(), "code 20") {
				t.Fatalf("%s with a guess: %v", name, err)
			}
		}
	}
	if err := enrol(t, network, registrar.Login{Name: "7f3k2a", Secret: secret}); err != nil && !strings.Contains(err.Error(), "give 7f3k2a a new secret") {
		t.Errorf("who has an invitation: %v", err) // a patient may enrol, and not do what registrars do then
	}
	if _, err := signIn(t, network).Register(t.Context(), "8g4m3b", nil); err != nil {
		t.Errorf("the registrar: %v", err)
	}
}

func TestTheFirstSecretIsOfUseOnce(t *testing.T) {
	network := withCA(t, "127.99.82.0/24")
	folder := network.Table.Registrar(caOf)
	finished, unfinished := filepath.Join(folder, "account.pem"), filepath.Join(folder, "enrolled.pem")
	signIn(t, network)
	if err := enrol(t, network, firstLogin(t, network)); err == nil || !strings.Contains(err.Error(), "code 20") {
		t.Errorf("the secret is still good: %v", err)
	}
	if info, err := os.Stat(finished); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the account's file: %v, %v", info, err)
	}
	if err := os.Chmod(finished, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := network.Registrar(t.Context(), caOf); err == nil || !strings.Contains(err.Error(), "readable by others") {
		t.Errorf("an account that others may read: %v", err)
	}
	// As a crash leaves it that comes before it is known whether the secret is void.
	if err := os.Chmod(finished, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(finished, unfinished); err != nil {
		t.Fatal(err)
	}
	signIn(t, network)
	if _, err := os.Stat(finished); err != nil {
		t.Error(err)
	}
}

// Nobody has to think of the certificate as long as it is used once in half a year.
func TestTheCertificateIsRenewedInTime(t *testing.T) {
	network := withCA(t, "127.99.83.0/24")
	signIn(t, network)
	path := filepath.Join(network.Table.Registrar(caOf), "account.pem")
	login, later := firstLogin(t, network), at(t, network)
	for _, c := range []struct {
		days    int
		changes bool
	}{{180, false}, {190, true}} {
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		later.Now = func() time.Time { return time.Now().AddDate(0, 0, c.days) }
		account, err := later.SignIn(t.Context(), network.Table.Registrar(caOf), login)
		if err != nil {
			t.Fatalf("after %d days: %v", c.days, err)
		}
		after, err := os.ReadFile(path)
		if err != nil || (string(before) != string(after)) != c.changes {
			t.Errorf("after %d days the account changed: %v, %v", c.days, !c.changes, err)
		}
		if _, err := account.Register(t.Context(), newPseudonym(), nil); err != nil {
			t.Errorf("after %d days: %v", c.days, err)
		}
	}
	later.Now = func() time.Time { return time.Now().AddDate(2, 0, 0) }
	if _, err := later.SignIn(t.Context(), network.Table.Registrar(caOf), login); err == nil || !strings.Contains(err.Error(), "docs/operate.md") {
		t.Errorf("after its end: %v", err)
	}
}

// A registrar whose key is lost is replaced by another, and can be revoked by it.
func TestALostRegistrarIsReplaced(t *testing.T) {
	network := withCA(t, "127.99.84.0/24")
	lost, login := signIn(t, network), firstLogin(t, network)
	if err := os.RemoveAll(network.Table.Registrar(caOf)); err != nil {
		t.Fatal(err)
	}
	if err := network.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := network.Registrar(t.Context(), caOf); err == nil || !strings.Contains(err.Error(), "has to be restarted") {
		t.Errorf("before the CA knows it: %v", err)
	}
	if err := network.nodes.Stop(t.Context(), ca); err != nil {
		t.Fatal(err)
	}
	start(t, network)
	next := signIn(t, network)
	if err := next.Suspend(t.Context(), login.Name); err != nil {
		t.Fatal(err)
	}
	if revoked, err := next.Revoke(t.Context(), login.Name, nil); err != nil || len(revoked) != 1 {
		t.Errorf("revoked %d certificates of the lost one, %v", len(revoked), err)
	}
	if _, err := lost.Register(t.Context(), "7f3k2a", nil); err == nil {
		t.Error("the lost one registers users")
	}
	if _, err := next.Register(t.Context(), "7f3k2a", nil); err != nil {
		t.Error(err)
	}
}
