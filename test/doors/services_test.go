package doors

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/hyperledger/fabric-protos-go-apiv2/transientstore" // so that every service of Fabric's is known
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/health/grpc_health_v1"
	_ "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/emptypb"
)

// open are the methods that users may call behind a gateway's certificate: to propose, and
// to hear that a peer is there.
var open = []string{
	"/gateway.Gateway/Endorse", "/gateway.Gateway/Submit", "/gossip.Gossip/Ping",
}

// Every method that nodes answer is one of the doors.
func TestEveryServiceHasItsDoors(t *testing.T) {
	for _, n := range the.nodes() {
		settings, err := n.of.TLS(n.of.GatewayTLS)
		if err != nil {
			t.Fatal(err)
		}
		connection, _, err := connect(n.address, settings)
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		var found []string
		for _, method := range methods() {
			if answers(t, connection, method) {
				found = append(found, method)
			}
		}
		t.Logf("%s answers %s", n.name, strings.Join(found, " "))
		for _, method := range found {
			if !slices.Contains(open, method) && !slices.ContainsFunc(n.doors, func(d door) bool { return d.method == method }) {
				t.Errorf("%s answers %s, which nobody tries", n.name, method)
			}
		}
		for _, d := range n.doors {
			if !slices.Contains(found, d.method) {
				t.Errorf("%s does not answer %s any more", n.name, d.method)
			}
		}
	}
}

// methods are all that are known to Fabric and gRPC.
func methods() []string {
	var all []string
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				all = append(all, "/"+string(service.FullName())+"/"+string(service.Methods().Get(j).Name()))
			}
		}
		return true
	})
	return all
}

// answers reports whether there is such a method, by asking it nothing.
func answers(t *testing.T, connection *grpc.ClientConn, method string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	stream, err := connection.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	if err != nil {
		t.Fatal(err)
	}
	_ = stream.SendMsg(&emptypb.Empty{}) // what comes of it says the answer
	_ = stream.CloseSend()
	err = stream.RecvMsg(&emptypb.Empty{})
	absent := status.Code(err) == codes.Unimplemented && strings.Contains(err.Error(), "unknown ")
	return !absent
}
