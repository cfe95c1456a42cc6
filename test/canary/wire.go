package canary

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// captureBuffer is how many bytes of packets may wait.
	captureBuffer = 256 << 20
	// captureEnd bounds how long the last packet may take to be seen.
	captureEnd = time.Minute
	// maxPacket is the length of the largest packet, in bytes.
	maxPacket = 1 << 18
	// discard is the port of the service that throws away what it gets (RFC 863).
	discard = 9
)

// Recording is every packet on loopback from or to a subnet, kept in a file: what to look
// for is known only afterwards.
type Recording struct {
	subnet netip.Prefix
	socket *os.File
	file   *os.File
	marker []byte // in the packet that ends the recording
	done   chan error
}

// Record begins to keep the subnet's IPv4 packets in a file. It needs the right to
// capture, which root has. Close the recording.
func Record(subnet netip.Prefix, path string) (*Recording, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	socket, err := packetSocket(subnet)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("capture on loopback: %w", err), file.Close())
	}
	r := &Recording{subnet: subnet, socket: socket, file: file, marker: []byte(rand.Text()), done: make(chan error, 1)}
	go func() { r.done <- r.run() }()
	return r, nil
}

func (r *Recording) run() error {
	packet, kept := make([]byte, maxPacket), bufio.NewWriterSize(r.file, 1<<20)
	for {
		n, err := r.socket.Read(packet)
		if err != nil {
			return err
		}
		if bytes.Contains(packet[:n], r.marker) {
			return kept.Flush()
		}
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(n))
		if _, err := kept.Write(append(length[:], packet[:n]...)); err != nil {
			return err
		}
	}
}

// Close ends the recording once it has every packet sent before. That the kernel
// dropped some is an error.
func (r *Recording) Close() error {
	defer r.socket.Close()
	if err := r.socket.SetReadDeadline(time.Now().Add(captureEnd)); err != nil {
		return err
	}
	last, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(r.subnet.Masked().Addr().Next(), discard)))
	if err != nil {
		return err
	}
	_, err = last.Write(r.marker)
	if err := errors.Join(err, last.Close(), <-r.done, r.file.Close()); err != nil {
		return fmt.Errorf("capture on loopback: %w", err)
	}
	return r.complete()
}

func (r *Recording) complete() error {
	raw, err := r.socket.SyscallConn()
	if err != nil {
		return err
	}
	var statistics *unix.TpacketStats
	var errStatistics error
	err = raw.Control(func(fd uintptr) {
		statistics, errStatistics = unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS)
	})
	if err := errors.Join(err, errStatistics); err != nil {
		return err
	}
	if statistics.Drops > 0 {
		return fmt.Errorf("capture on loopback: %d packets were missed", statistics.Drops)
	}
	return nil
}

// packetSocket sees what loopback receives, which is once what it sends, as IP packets.
func packetSocket(subnet netip.Prefix) (*os.File, error) {
	protocol := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_IP))
	loopback, err := net.InterfaceByName("lo")
	if err != nil {
		return nil, err
	}
	// No protocol yet: nothing arrives before the filter stands.
	socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	filter := onlySubnet(subnet)
	err = errors.Join(
		unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, captureBuffer),
		unix.SetsockoptSockFprog(socket, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}),
		unix.Bind(socket, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: loopback.Index}),
	)
	if err != nil {
		return nil, errors.Join(err, unix.Close(socket))
	}
	return os.NewFile(uintptr(socket), "packets"), nil
}

// onlySubnet is a BPF program that accepts IPv4 packets from or to the subnet.
func onlySubnet(subnet netip.Prefix) []unix.SockFilter {
	const source, destination = 12, 16 // in the IP header
	address := subnet.Masked().Addr().As4()
	network := binary.BigEndian.Uint32(address[:])
	mask := ^uint32(0) << (32 - subnet.Bits())
	return []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: source},
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: mask},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: network, Jt: 4},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: destination},
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: mask},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: network, Jt: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: maxPacket},
	}
}

// wire is a recording as it is looked at.
type wire struct {
	search    *Search
	chaincode uint16
	flows     map[flow]*conversation
}

// flow is one direction of a connection.
type flow struct{ from, to netip.AddrPort }

func (f flow) String() string { return f.from.String() + " → " + f.to.String() }

// conversation is a TCP stream as far as it was seen.
type conversation struct {
	finder *Finder
	next   uint32 // sequence number
}

// Packets looks at a recording, stream by stream. Connections with the port of
// chaincodes are a [ChaincodeWire].
func (s *Search) Packets(path string, chaincode uint16) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	w := wire{search: s, chaincode: chaincode, flows: map[flow]*conversation{}}
	packets, packet := bufio.NewReaderSize(file, 1<<20), make([]byte, maxPacket)
	for {
		var length [4]byte
		if _, err := io.ReadFull(packets, length[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		packet = packet[:min(binary.BigEndian.Uint32(length[:]), maxPacket)]
		if _, err := io.ReadFull(packets, packet); err != nil {
			return err
		}
		if err := w.packet(packet); err != nil {
			return fmt.Errorf("recording %s: %w", path, err)
		}
	}
}

func (w *wire) packet(packet []byte) error {
	const header, tcp = 20, 6
	if len(packet) < header || len(packet) < int(packet[0]&15)*4 {
		return errors.New("a packet is cut")
	}
	body := packet[int(packet[0]&15)*4:]
	if len(body) < header || packet[9] != tcp {
		place := Place{Kind: Anywhere, Name: "the wire, a packet that is not TCP"}
		_, _ = w.search.At(place).Write(body) // never fails
		return nil
	}
	ends := flow{
		netip.AddrPortFrom(netip.AddrFrom4([4]byte(packet[12:16])), binary.BigEndian.Uint16(body)),
		netip.AddrPortFrom(netip.AddrFrom4([4]byte(packet[16:20])), binary.BigEndian.Uint16(body[2:])),
	}
	start := int(body[12]>>4) * 4
	if len(body) < start {
		return errors.New("a TCP header is cut")
	}
	w.segment(ends, body, body[start:])
	return nil
}

// segment appends a segment to its stream. What comes twice or out of order is looked at
// by itself.
func (w *wire) segment(ends flow, header, payload []byte) {
	const fin, syn, rst = 1, 2, 4
	flags, sequence := header[13], binary.BigEndian.Uint32(header[4:])
	talk := w.flows[ends]
	if talk == nil || flags&syn != 0 {
		if flags&syn != 0 {
			sequence++
		}
		talk = &conversation{finder: w.search.At(w.place(ends)), next: sequence}
		w.flows[ends] = talk
	}
	if len(payload) > 0 {
		if talk.next == sequence {
			_, _ = talk.finder.Write(payload) // never fails
		} else {
			_, _ = w.search.At(w.place(ends)).Write(payload) // never fails
		}
		if ahead := int32(sequence + uint32(len(payload)) - talk.next); ahead > 0 {
			talk.next += uint32(ahead)
		}
	}
	if flags&(fin|rst) != 0 {
		delete(w.flows, ends)
	}
}

func (w *wire) place(ends flow) Place {
	kind := Anywhere
	if ends.from.Port() == w.chaincode || ends.to.Port() == w.chaincode {
		kind = ChaincodeWire
	}
	return Place{Kind: kind, Name: "the wire, " + ends.String()}
}
