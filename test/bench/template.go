package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	pb "github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/pie-consortium/pie/ledger"
)

// template is what the registration of one record wrote, and what in it is that
// record's own: the floor writes the same with other names.
type template struct {
	Rows       []row       `json:"rows"`
	Argument   int         `json:"argument"` // length of the transaction's argument, bytes
	Record     ledger.ID   `json:"record"`
	Grant      ledger.ID   `json:"grant"`
	Pseudonym  string      `json:"pseudonym"` // of the patient
	Registered time.Time   `json:"registered"`
	Salt       ledger.Salt `json:"salt"`
}

// copy is the i-th copy: another record of another patient, i minutes older.
func (t template) copy(i int) []row {
	salt := name("salt", i)
	registered := t.Registered.Add(-time.Duration(i) * time.Minute)
	replace := strings.NewReplacer(
		string(t.Record), id("record", i), string(t.Grant), id("grant", i), t.Pseudonym, id("patient", i)[:len(t.Pseudonym)],
		hex.EncodeToString(t.Salt), hex.EncodeToString(salt),
		base64.StdEncoding.EncodeToString(t.Salt), base64.StdEncoding.EncodeToString(salt),
		keyTime(t.Registered), keyTime(registered),
		t.Registered.Format(time.RFC3339Nano), registered.Format(time.RFC3339Nano),
	)
	var rows []row
	for _, r := range t.Rows {
		rows = append(rows, row{r.Collection, replace.Replace(r.Key), []byte(replace.Replace(string(r.Value)))})
	}
	return rows
}

// keyTime is a time in a key of PIE's, whose parts must sort.
func keyTime(t time.Time) string { return t.Format("2006-01-02T15:04:05.000000000Z") }

// name is 16 bytes that nothing else has: the same at every endorser.
func name(kind string, i int) []byte {
	digest := sha256.Sum256([]byte(kind + "/" + strconv.Itoa(i)))
	return digest[:16]
}

func id(kind string, i int) string {
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(name(kind, i)))
}

// template registers a record and reads what that wrote: public rows from its block,
// private ones with the floor's chaincode in the place of PIE's.
func (s *stage) template(ctx context.Context) (template, error) {
	record, err := s.publish(ctx, ledger.ClassAdmission, 400)
	if err != nil {
		return template{}, err
	}
	history, err := s.Patient.History(ctx, ledger.RecordVersion{Record: record.ID, Version: record.Version})
	if err != nil {
		return template{}, err
	}
	uploads, err := s.Patient.Slots(ctx)
	if err != nil {
		return template{}, err
	}
	i := slices.IndexFunc(uploads, func(u ledger.Slot) bool { return u.Record == record.ID })
	t := template{
		Record: record.ID, Grant: uploads[i].Grant, Pseudonym: record.Patient.Pseudonym, Registered: record.Registered,
	}
	if err := s.readWrites(ctx, history[0].Transaction, &t); err != nil {
		return t, fmt.Errorf("read the block of a registration: %w", err)
	}
	return t, s.inPlaceOfPIE(ctx, func() error { return s.readPrivate(ctx, &t) })
}

// readWrites reads the public rows that a transaction wrote, and its argument's length.
func (s *stage) readWrites(ctx context.Context, transaction string, t *template) error {
	answer, err := s.peers["HospitalA"].network.GetContract("qscc").EvaluateWithContext(ctx, "GetTransactionByID",
		client.WithArguments(s.network.Channel, transaction))
	if err != nil {
		return describe(err)
	}
	var processed pb.ProcessedTransaction
	var payload common.Payload
	var actions pb.Transaction
	var action pb.ChaincodeActionPayload
	if err := errors.Join(proto.Unmarshal(answer, &processed),
		proto.Unmarshal(processed.GetTransactionEnvelope().GetPayload(), &payload), proto.Unmarshal(payload.GetData(), &actions)); err != nil {
		return err
	}
	var response pb.ProposalResponsePayload
	var outcome pb.ChaincodeAction
	var results rwset.TxReadWriteSet
	if err := errors.Join(proto.Unmarshal(actions.GetActions()[0].GetPayload(), &action),
		proto.Unmarshal(action.GetAction().GetProposalResponsePayload(), &response),
		proto.Unmarshal(response.GetExtension(), &outcome), proto.Unmarshal(outcome.GetResults(), &results)); err != nil {
		return err
	}
	t.Argument = len(action.GetChaincodeProposalPayload())
	for _, namespace := range results.GetNsRwset() {
		if namespace.GetNamespace() != s.network.Chaincode {
			continue
		}
		var set kvrwset.KVRWSet
		if err := proto.Unmarshal(namespace.GetRwset(), &set); err != nil {
			return err
		}
		for _, w := range set.GetWrites() {
			t.Rows = append(t.Rows, row{Key: w.GetKey(), Value: w.GetValue()})
		}
	}
	return nil
}

// readPrivate reads the private rows of the record.
func (s *stage) readPrivate(ctx context.Context, t *template) error {
	answer, err := s.peers["HospitalA"].evaluate(ctx, call{
		chaincode: s.network.Chaincode, function: "dump", arguments: []string{ledger.MetadataCollection},
	})
	if err != nil {
		return err
	}
	var rows []row
	if err := json.Unmarshal(answer, &rows); err != nil {
		return err
	}
	for _, r := range rows {
		if !strings.Contains(r.Key, string(t.Record)) {
			continue
		}
		t.Rows = append(t.Rows, r)
		if t.Salt, err = hex.DecodeString(r.Key[strings.LastIndex(r.Key, "/")+1:]); err != nil {
			return err
		}
	}
	return nil
}

// inPlaceOfPIE serves the floor's chaincode to the peers under the name of PIE's while
// do runs. What it writes stands where PIE looks for it.
func (s *stage) inPlaceOfPIE(ctx context.Context, do func() error) (err error) {
	var servers []*grpc.Server
	for _, organization := range s.network.Organizations {
		address, id, err := s.chaincodeOf(organization.Chaincode)
		if err != nil {
			return err
		}
		if err := s.network.Stop(organization.Chaincode); err != nil {
			return err
		}
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil {
			return err
		}
		servers = append(servers, serveRules(listener, id))
	}
	if err := s.ready(ctx, call{chaincode: s.network.Chaincode, function: "dump", arguments: []string{ledger.FragmentsCollection}}); err != nil {
		return err
	}
	err = do()
	for i, server := range servers {
		server.Stop()
		err = errors.Join(err, s.network.Start(s.network.Organizations[i].Chaincode))
	}
	return errors.Join(err, s.ready(ctx, call{
		chaincode: s.network.Chaincode, function: string(ledger.TxReadOrganizations), arguments: []string{"{}"},
	}))
}

// chaincodeOf is where a chaincode process listens, and as which.
func (s *stage) chaincodeOf(node string) (address, id string, err error) {
	pid, err := s.pid(node)
	if err != nil {
		return "", "", err
	}
	environment, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		return "", "", err
	}
	for _, variable := range bytes.Split(environment, []byte{0}) {
		key, value, _ := strings.Cut(string(variable), "=")
		switch key {
		case "CHAINCODE_SERVER_ADDRESS":
			address = value
		case "CHAINCODE_ID":
			id = value
		}
	}
	return address, id, nil
}

func (s *stage) pid(node string) (int, error) {
	for _, n := range s.network.Nodes() {
		if n.Name == node && n.PID != 0 {
			return n.PID, nil
		}
	}
	return 0, fmt.Errorf("%s does not run", node)
}
