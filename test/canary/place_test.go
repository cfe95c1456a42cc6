package canary

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/util"
)

// holdVariable makes this program hold what it reads in its memory.
const holdVariable = "CANARY_HOLD"

func TestMain(m *testing.M) {
	if os.Getenv(holdVariable) != "" {
		hold()
		return
	}
	os.Exit(m.Run())
}

// hold keeps a word in memory until its input ends.
func hold() {
	word := make([]byte, 8<<10)
	n, _ := os.Stdin.Read(word)
	fmt.Println("holding")
	_, _ = io.Copy(io.Discard, os.Stdin)
	fmt.Println(len(word[:n]))
}

func newWord(name string) Canary {
	return Canary{Name: name, Kind: Plaintext, Value: []byte("canary-" + rand.Text())}
}

func TestMemoryIsSeen(t *testing.T) {
	word := newWord("word in memory")
	search := newSearch(t, word)
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), holdVariable+"=1")
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	unnamed, err := os.CreateTemp(t.TempDir(), "unnamed")
	if err != nil {
		t.Fatal(err)
	}
	defer unnamed.Close()
	if _, err := unnamed.Write(word.Value); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(unnamed.Name()); err != nil {
		t.Fatal(err)
	}
	command.ExtraFiles = []*os.File{unnamed}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := input.Write(word.Value); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(output, make([]byte, len("holding"))); err != nil {
		t.Fatal(err)
	}
	if err := search.Process(command.Process.Pid, Place{Kind: MemberMemory, Name: "a process"}, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if err := input.Close(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait() // its output was cut
	places := map[string]bool{}
	for _, finding := range search.Forbidden() {
		places[finding.Place.Name] = true
	}
	if !places["memory of a process"] {
		t.Errorf("what a process holds was not found: %v", places)
	}
	if !places[unnamed.Name()+" (deleted), open in a process"] {
		t.Errorf("an open file without a name was not found: %v", places)
	}
}

func TestPacketsAreSeen(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("capturing on loopback needs root")
	}
	word, private := newWord("word on the wire"), Canary{Name: "code", Kind: Metadata, Value: []byte(rand.Text())}
	search := newSearch(t, word, private)
	subnet, path := netip.MustParsePrefix("127.99.3.0/24"), filepath.Join(t.TempDir(), "packets")
	recording, err := Record(subnet, path)
	if err != nil {
		t.Fatal(err)
	}
	chaincode := talk(t, private.Value)
	talk(t, word.Value)
	// Without a listener the kernel repeats the datagram in its refusal.
	listener, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 99, 3, 9)})
	if err != nil {
		t.Fatal(err)
	}
	closed(t, listener)
	datagram, err := net.DialUDP("udp", nil, listener.LocalAddr().(*net.UDPAddr))
	if err != nil {
		t.Fatal(err)
	}
	closed(t, datagram)
	if _, err := datagram.Write(append([]byte("a datagram "), word.Value...)); err != nil {
		t.Fatal(err)
	}
	if err := recording.Close(); err != nil {
		t.Fatal(err)
	}
	if err := search.Packets(path, chaincode); err != nil {
		t.Fatal(err)
	}
	forbidden := search.Forbidden()
	if len(forbidden) != 2 {
		t.Errorf("got %v, want the word in a stream and in a datagram", forbidden)
	}
	if all := search.Findings(); len(all) != 3 {
		t.Errorf("got %v, want the code on the wire to the chaincode as well", all)
	}
}

// talk sends a text over TCP in two segments and returns the port.
func talk(t *testing.T, text []byte) uint16 {
	t.Helper()
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 99, 3, 7)})
	if err != nil {
		t.Fatal(err)
	}
	closed(t, listener)
	received := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			_, err = io.ReadFull(conn, make([]byte, len(text)))
			_ = conn.Close()
		}
		received <- err
	}()
	conn, err := net.DialTCP("tcp", nil, listener.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	closed(t, conn)
	for _, part := range [][]byte{text[:9], text[9:]} { // no delay: each is a segment
		if _, err := conn.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-received; err != nil {
		t.Fatal(err)
	}
	return netip.MustParseAddrPort(listener.Addr().String()).Port()
}

func TestFilesAreSeen(t *testing.T) {
	root := t.TempDir()
	word := newWord("word in files")
	search := newSearch(t, word)
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, _ = writer.Write(bytes.Repeat(word.Value, 2))
	_ = writer.Close()
	for name, content := range map[string][]byte{
		"a.log": append([]byte("a line\n"), word.Value...), "deep/er/core.1": append(make([]byte, 1<<20), word.Value...),
		"package.tar.gz": packed.Bytes(), "bin/program": word.Value,
	} {
		write(t, filepath.Join(root, name), content)
	}
	if err := search.Tree(root, "bin"); err != nil {
		t.Fatal(err)
	}
	wantPlaces(t, search.Forbidden(), "a.log", "deep/er/core.1", "package.tar.gz (decompressed)")
	write(t, filepath.Join(root, "dump"), []byte("\x28\xb5\x2f\xfd…"))
	if err := search.Tree(root); err == nil {
		t.Error("a file that cannot be read passed for clean")
	}
}

func TestCompressedRowsAreSeen(t *testing.T) {
	root := t.TempDir()
	word := Canary{Name: "code", Kind: Metadata, Value: []byte("canary-" + rand.Text())}
	database := filepath.Join(root, "stateLeveldb")
	db, err := leveldb.OpenFile(database, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Alternating copies, so that compression leaves none whole.
	var value []byte
	for i := range 40 {
		value = append(value, word.Value[:i%len(word.Value)]...)
	}
	value = append(value, word.Value...)
	put := func(key string) {
		if err := db.Put([]byte(key), value, nil); err != nil {
			t.Fatal(err)
		}
	}
	put("pie\x00dpie\x00public")
	put("pie\x00dpie$$pmetadata\x00private")
	if err := db.CompactRange(util.Range{}); err != nil {
		t.Fatal(err)
	}
	put("pie\x00dpie\x00deleted")
	if err := db.Delete([]byte("pie\x00dpie\x00deleted"), nil); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	tables, err := filepath.Glob(filepath.Join(database, "*.ldb"))
	if err != nil || len(tables) != 1 {
		t.Fatalf("want one table, got %v, %v", tables, err)
	}
	if content, err := os.ReadFile(tables[0]); err != nil || bytes.Contains(content, word.Value) {
		t.Fatalf("the table does not compress the word, or cannot be read: %v", err)
	}
	search := newSearch(t, word)
	if err := search.Tree(root); err != nil {
		t.Fatal(err)
	}
	wantPlaces(t, search.Forbidden(), "stateLeveldb/"+filepath.Base(tables[0])+" (rows)", ".log (rows)")
	if all := search.Findings(); !anyPlace(all, "(private rows)") {
		t.Errorf("the private row was not seen: %v", all)
	}
}

// closed closes something when the test ends.
func closed(t *testing.T, open io.Closer) {
	t.Helper()
	t.Cleanup(func() {
		if err := open.Close(); err != nil {
			t.Error(err)
		}
	})
}

func wantPlaces(t *testing.T, found []Finding, places ...string) {
	t.Helper()
	for _, place := range places {
		if !anyPlace(found, place) {
			t.Errorf("nothing was found in %s", place)
		}
	}
	if len(found) != len(places) {
		t.Errorf("got %v, want %d findings", found, len(places))
	}
}

func anyPlace(found []Finding, part string) bool {
	for _, finding := range found {
		if strings.Contains(finding.Place.Name, part) {
			return true
		}
	}
	return false
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
