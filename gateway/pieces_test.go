package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// tus sends a request of the protocol, as any of its clients does.
func (d *device) tus(method, path string, body io.Reader, header map[string]string) answer {
	d.t.Helper()
	got, err := d.tryTus(method, path, body, header)
	if err != nil {
		d.t.Fatal(err)
	}
	return got
}

func (d *device) tryTus(method, path string, body io.Reader, header map[string]string) (answer, error) {
	request, err := http.NewRequestWithContext(within(d.t), method, d.gateway.GatewayURL+path, body)
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Tus-Resumable", "1.0.0")
	for name, value := range header {
		request.Header.Set(name, value)
	}
	if err := d.authorize(request.Context(), request); err != nil {
		return answer{}, err
	}
	response, err := d.client.ClientInterface.(*api.Client).Client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	got := answer{status: response.StatusCode, header: response.Header}
	if got.body, err = io.ReadAll(response.Body); err != nil {
		return answer{}, err
	}
	if got.status >= 400 && method != http.MethodHead {
		err = json.Unmarshal(got.body, &got.problem)
	}
	return got, err
}

// begin announces an upload, and returns its path.
func (d *device) begin(record ledger.ID, size int64) string {
	d.t.Helper()
	got := d.announce(record, size)
	if got.status != http.StatusCreated || got.header.Get("Tus-Resumable") != "1.0.0" {
		d.t.Fatalf("%d %s", got.status, got.body)
	}
	return got.header.Get("Location")
}

func (d *device) announce(record ledger.ID, size int64) answer {
	d.t.Helper()
	return d.tus(http.MethodPost, "/v1/records/"+string(record)+"/content/uploads", nil, map[string]string{
		"Upload-Length": strconv.FormatInt(size, 10), "Upload-Metadata": "filename bmFtZSBvZiBhIHBhdGllbnQ=",
	})
}

func (d *device) piece(path string, offset int64, piece io.Reader) answer {
	d.t.Helper()
	return d.tus(http.MethodPatch, path, piece, pieceAt(offset))
}

func pieceAt(offset int64) map[string]string {
	return map[string]string{"Upload-Offset": strconv.FormatInt(offset, 10), "Content-Type": "application/offset+octet-stream"}
}

// offset asks where an upload goes on.
func (d *device) offset(path string) int64 {
	d.t.Helper()
	got := d.tus(http.MethodHead, path, nil, nil)
	offset, err := strconv.ParseInt(got.header.Get("Upload-Offset"), 10, 64)
	if got.status != http.StatusOK || err != nil || got.header.Get("Cache-Control") != "no-store" {
		d.t.Fatalf("status %d, %v, headers %v", got.status, err, got.header)
	}
	return offset
}

// pieces are the gateway's files of uploads that come in pieces.
func pieces(t *testing.T, gateway string) (string, []os.DirEntry) {
	t.Helper()
	dir, err := network.Dir(gateway)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "state", "partial")
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	return folder, entries
}

// A gateway that dies within an upload has what came by then; the rest makes it the content
// that it would have been in one piece.
func TestUploadGoesOnAfterACrash(t *testing.T) {
	patient, author := newDevice(t, "HospitalA", ledger.RolePatient), newDevice(t, "HospitalA", ledger.RolePhysician)
	record := authorized(patient, author)
	payload := make([]byte, 5<<20)
	rand.Read(payload)
	file, registration := encrypt(t, patient.delegating, payload)
	path := author.begin(record, int64(len(file)))

	const first, second = 2 << 20, 3 << 20
	if got := author.piece(path, 0, bytes.NewReader(file[:first])); got.status != http.StatusNoContent || got.header.Get("Upload-Offset") != strconv.Itoa(first) {
		t.Fatalf("%d %s", got.status, got.body)
	}
	body, rest := io.Pipe()
	broken := make(chan error, 1)
	go func() {
		_, err := author.tryTus(http.MethodPatch, path, body, pieceAt(first))
		broken <- err
	}()
	if _, err := rest.Write(file[first:second]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second piece to come", func() bool { return author.offset(path) == second })
	refused(t, author.piece(path, second, bytes.NewReader(file[second:])).problem, fault.StateConflict) // the second is under way
	if err := network.Kill(author.gateway.Gateway); err != nil {
		t.Fatal(err)
	}
	rest.CloseWithError(errors.New("the gateway is dead"))
	if err := <-broken; err == nil {
		t.Error("a piece was taken by a gateway that died")
	}
	if err := network.Start(author.gateway.Gateway); err != nil {
		t.Fatal(err)
	}
	author.login()

	offset := author.offset(path)
	if offset != second {
		t.Fatalf("%d of %d bytes are there", offset, second)
	}
	refused(t, author.get(path, nil).problem, fault.StateConflict) // not whole
	if got := author.piece(path, offset, bytes.NewReader(file[offset:])); got.status != http.StatusNoContent {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if author.offset(path) != int64(len(file)) {
		t.Error("a stored upload has another length")
	}
	if got := author.piece(path, int64(len(file)), http.NoBody); got.status != http.StatusNoContent {
		t.Errorf("a repeated end: %d %s", got.status, got.body)
	}
	author.checkStored(path, record, file)
	registration.Record, registration.CID = record, author.upload(record, file).Cid
	author.mustTransact(ledger.TxRegisterRecord, registration, metadata())
}

// checkStored compares with what becomes of the same file in one piece.
func (d *device) checkStored(path string, record ledger.ID, file []byte) {
	d.t.Helper()
	got := d.get(path, nil)
	var stored api.Content
	if err := json.Unmarshal(got.body, &stored); err != nil || got.problem != nil {
		d.t.Fatalf("%v %s", err, got.body)
	}
	dir, err := network.Dir(d.gateway.Gateway)
	if err != nil {
		d.t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "state", "pins", "uploaded", string(record)+"."+stored.Cid)); err != nil {
		d.t.Errorf("no note of the upload: %v", err)
	}
	if whole := d.upload(record, file); stored != *whole {
		d.t.Errorf("stored in pieces %+v, whole %+v", stored, *whole)
	}
	if !pinned(d.t, d.gateway, stored.Cid) {
		d.t.Error("it is not pinned")
	}
	folder, entries := pieces(d.t, d.gateway.Gateway)
	for _, entry := range entries {
		if strings.Contains(entry.Name(), path[strings.LastIndex(path, "/")+1:]) && !strings.HasSuffix(entry.Name(), ".stored") {
			d.t.Errorf("%s is left in %s", entry.Name(), folder)
		}
	}
}

// What is refused changes nothing.
func TestPiecesAreRefused(t *testing.T) {
	patient, author, other := newDevice(t, "HospitalA", ledger.RolePatient), newDevice(t, "HospitalA", ledger.RolePhysician), newDevice(t, "HospitalA", ledger.RolePhysician)
	record := authorized(patient, author)
	refused(t, other.announce(record, 10).problem, fault.PermissionDenied)
	refused(t, author.announce(record, 0).problem, fault.InvalidArgument)
	if got := author.announce(record, ledger.MaxContent+1); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a content that is too large: %d %s", got.status, got.body)
	}
	path := author.begin(record, 10)
	text := func() io.Reader { return strings.NewReader("12345") }
	if got := author.piece(path, 0, text()); got.status != http.StatusNoContent {
		t.Fatalf("%d %s", got.status, got.body)
	}

	if got := other.tus(http.MethodHead, path, nil, nil); got.status != http.StatusNotFound {
		t.Errorf("another caller learns the offset: %d", got.status)
	}
	refused(t, other.piece(path, 5, text()).problem, fault.NotFound)
	refused(t, other.get(path, nil).problem, fault.NotFound)
	refused(t, author.piece(strings.Replace(path, string(record), string(ledger.NewID()), 1), 5, text()).problem, fault.NotFound)
	for offset, body := range map[int64]string{4: "12345", 6: "1234", 10: ""} {
		refused(t, author.piece(path, offset, strings.NewReader(body)).problem, fault.StateConflict)
	}
	if got := author.piece(path, 5, strings.NewReader("123456")); got.status != http.StatusRequestEntityTooLarge || got.problem.Code != fault.InvalidArgument {
		t.Errorf("more than was announced: %d %s", got.status, got.body)
	}
	header := pieceAt(5)
	header["Tus-Resumable"] = "0.2.2"
	if got := author.tus(http.MethodPatch, path, text(), header); got.status != http.StatusPreconditionFailed || got.header.Get("Tus-Version") != "1.0.0" {
		t.Errorf("another version: %d %s", got.status, got.body)
	}
	header = pieceAt(5)
	header["Content-Type"] = "application/octet-stream"
	if got := author.tus(http.MethodPatch, path, text(), header); got.status != http.StatusUnsupportedMediaType {
		t.Errorf("another type: %d %s", got.status, got.body)
	}
	if offset := author.offset(path); offset != 5 {
		t.Errorf("the upload goes on at %d", offset)
	}
	file, registration := encrypt(t, patient.delegating, []byte("payload"))
	registration.Record, registration.CID = record, author.upload(record, file).Cid
	author.mustTransact(ledger.TxRegisterRecord, registration, metadata())
	refused(t, author.piece(path, 5, text()).problem, fault.AlreadyExists)
}

func TestPiecesHaveAQuota(t *testing.T) {
	patient, author, other := newDevice(t, "HospitalB", ledger.RolePatient), newDevice(t, "HospitalB", ledger.RolePhysician), newDevice(t, "HospitalB", ledger.RolePhysician)
	record := authorized(patient, author)
	large := author.begin(record, ledger.MaxContent-15)
	refused(t, author.announce(record, 16).problem, fault.RateLimited) // bytes
	var last string
	for range 15 {
		last = author.begin(record, 1)
	}
	got := author.announce(record, 1) // number
	refused(t, got.problem, fault.RateLimited)
	if got.header.Get("Retry-After") == "" {
		t.Error("it does not say when to come again")
	}
	if got := author.tus(http.MethodDelete, last, nil, nil); got.status != http.StatusNoContent || got.header.Get("Tus-Resumable") != "1.0.0" {
		t.Errorf("%d %s", got.status, got.body)
	}
	author.begin(record, 1) // what was given up has no place
	other.begin(authorized(patient, other), 1)
	if author.offset(large) != 0 {
		t.Error("an upload without a piece has some")
	}
}

// An upload is given up by who began it, before it is stored, and nothing of it is left.
func TestPiecesAreGivenUp(t *testing.T) {
	patient, author, other := newDevice(t, "HospitalA", ledger.RolePatient), newDevice(t, "HospitalA", ledger.RolePhysician), newDevice(t, "HospitalA", ledger.RolePhysician)
	record := authorized(patient, author)
	path, stored := author.begin(record, 10), author.begin(record, 5)
	for _, path := range []string{path, stored} {
		if got := author.piece(path, 0, strings.NewReader("12345")); got.status != http.StatusNoContent {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	refused(t, other.tus(http.MethodDelete, path, nil, nil).problem, fault.NotFound)
	refused(t, author.tus(http.MethodDelete, stored, nil, nil).problem, fault.StateConflict)
	if author.offset(path) != 5 || author.offset(stored) != 5 {
		t.Error("a refusal took something away")
	}
	if got := author.tus(http.MethodDelete, path, nil, nil); got.status != http.StatusNoContent {
		t.Fatalf("%d %s", got.status, got.body)
	}
	refused(t, author.piece(path, 5, strings.NewReader("67890")).problem, fault.NotFound)
	refused(t, author.tus(http.MethodDelete, path, nil, nil).problem, fault.NotFound)
	_, entries := pieces(t, author.gateway.Gateway)
	for _, entry := range entries {
		if strings.Contains(entry.Name(), path[strings.LastIndex(path, "/")+1:]) {
			t.Errorf("%s is left", entry.Name())
		}
	}
}

func TestPiecesAreDescribed(t *testing.T) {
	d := newDevice(t, "HospitalA", ledger.RolePatient)
	d.token = "" // for everybody
	got := d.tus(http.MethodOptions, "/v1/records/"+string(ledger.NewID())+"/content/uploads", nil, nil)
	for name, want := range map[string]string{
		"Tus-Version": "1.0.0", "Tus-Extension": "creation,termination", "Tus-Max-Size": strconv.FormatInt(ledger.MaxContent, 10),
	} {
		if got.status != http.StatusNoContent || got.header.Get(name) != want {
			t.Errorf("%d, %s %q", got.status, name, got.header.Get(name))
		}
	}
}

// Uploads that get no more go after a day, also those of a gateway that was down meanwhile.
func TestPiecesExpire(t *testing.T) {
	patient, author := newDevice(t, "HospitalC", ledger.RolePatient), newDevice(t, "HospitalC", ledger.RolePhysician)
	record := authorized(patient, author)
	old, fresh, stored := author.begin(record, 10), author.begin(record, 10), author.begin(record, 5)
	for _, path := range []string{old, fresh, stored} {
		if got := author.piece(path, 0, strings.NewReader("12345")); got.status != http.StatusNoContent {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	if err := network.Stop(author.gateway.Gateway); err != nil {
		t.Fatal(err)
	}
	folder, entries := pieces(t, author.gateway.Gateway)
	for _, entry := range entries {
		if strings.Contains(entry.Name(), "filename") {
			t.Errorf("%s is named after its content", entry.Name())
		}
		text, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil || bytes.Contains(text, []byte("name of a patient")) || bytes.Contains(text, []byte(author.user.Pseudonym)) {
			t.Errorf("%s says who or what it is about: %s, %v", entry.Name(), text, err)
		}
		past := time.Now().Add(-25 * time.Hour)
		if strings.HasSuffix(entry.Name(), fresh[strings.LastIndex(fresh, "/")+1:]) {
			continue // it got its last byte today, whenever it was begun
		}
		if err := os.Chtimes(filepath.Join(folder, entry.Name()), past, past); err != nil {
			t.Fatal(err)
		}
	}
	if err := network.Start(author.gateway.Gateway); err != nil {
		t.Fatal(err)
	}
	author.login()
	for _, path := range []string{old, stored} {
		eventually(t, "an old upload to go", func() bool { return author.tus(http.MethodHead, path, nil, nil).status == http.StatusNotFound })
	}
	if author.offset(fresh) != 5 {
		t.Error("a fresh upload has gone")
	}
	if _, left := pieces(t, author.gateway.Gateway); len(left) != 2 {
		t.Errorf("%d files are left, want the two of the fresh upload", len(left))
	}
}
