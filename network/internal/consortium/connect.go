package consortium

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"

	fabric "github.com/hyperledger/fabric-admin-sdk/pkg/identity"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/pie-consortium/pie/network/internal/identity"
	"github.com/pie-consortium/pie/network/internal/lifecycle"
	"github.com/pie-consortium/pie/network/internal/settings"
)

// admin is the organisation's administrator, who signs for it.
func (n *Network) admin(msp string) (fabric.SigningIdentity, error) {
	dir := filepath.Join(n.Table.Organization(msp), "admin")
	certificate, err := identity.ReadCertificate(filepath.Join(dir, "signcerts", "cert.pem"))
	if err != nil {
		return nil, fmt.Errorf("administrator of %s: %w", msp, err)
	}
	key, err := identity.ReadKey(filepath.Join(dir, "keystore", "key.pem"))
	if err != nil {
		return nil, fmt.Errorf("administrator of %s: %w", msp, err)
	}
	return fabric.NewPrivateKeySigningIdentity(msp, certificate, key)
}

// adminTLS is how an organisation's administrator connects to a node.
func (n *Network) adminTLS(msp string, node settings.Node) (*tls.Config, error) {
	configuration, err := n.memberTLS(node.MSP)
	if err != nil {
		return nil, err
	}
	dir := n.adminTLSDir(msp)
	certificate, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		return nil, fmt.Errorf("TLS certificate of the administrator of %s: %w", msp, err)
	}
	configuration.Certificates = []tls.Certificate{certificate}
	return configuration, nil
}

// adminTLSDir is the folder of an administrator's TLS certificate and key.
func (n *Network) adminTLSDir(msp string) string {
	return filepath.Join(n.Table.Organization(msp), "admin", "tls")
}

// memberTLS believes the servers of one organisation only.
func (n *Network) memberTLS(msp string) (*tls.Config, error) {
	text, err := os.ReadFile(n.TLSRoot(msp))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", n.TLSRoot(msp))
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}, nil
}

// TLSRoot is the file of the root of an organisation's TLS certificates.
func (n *Network) TLSRoot(msp string) string {
	return filepath.Join(n.Table.Public(msp), "msp", "tlscacerts", "tlsca.pem")
}

// Root is the file of the root of an organisation's identities.
func (n *Network) Root(msp string) string {
	return filepath.Join(n.Table.Public(msp), "msp", "cacerts", "ca.pem")
}

// dial connects an organisation's administrator to a peer or an ordering node; the caller
// closes the connection.
func (n *Network) dial(msp string, node settings.Node) (*grpc.ClientConn, error) {
	configuration, err := n.adminTLS(msp, node)
	if err != nil {
		return nil, err
	}
	return grpc.NewClient(node.Endpoint(), grpc.WithTransportCredentials(credentials.NewTLS(configuration)))
}

// hospitals connects each hospital's administrator to its peers.
func (n *Network) hospitals() (hospitals []lifecycle.Hospital, closeAll func(), err error) {
	closeAll = func() {
		for _, hospital := range hospitals {
			for _, connection := range hospital.Peers {
				connection.Close()
			}
		}
	}
	for _, organization := range n.Consortium.Hospitals() {
		hospital := lifecycle.Hospital{MSP: organization.MSP}
		if hospital.Admin, err = n.admin(organization.MSP); err != nil {
			closeAll()
			return nil, nil, err
		}
		for _, peer := range n.Table.Of(settings.Peer, organization.MSP) {
			connection, err := n.dial(peer.MSP, peer)
			if err != nil {
				closeAll()
				return nil, nil, err
			}
			hospital.Peers = append(hospital.Peers, connection)
		}
		hospitals = append(hospitals, hospital)
	}
	return hospitals, closeAll, nil
}
