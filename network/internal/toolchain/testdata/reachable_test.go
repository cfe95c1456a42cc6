package cluster

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
)

// A node that cannot be reached is given up before the others miss this one.
func TestUnreachableNodeIsGivenUp(t *testing.T) {
	rc := &RemoteContext{
		ProbeConn: func(*grpc.ClientConn) error { return nil },
		GetStreamFunc: func(ctx context.Context) (StepClientStream, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
	}
	ended := make(chan error, 1)
	go func() {
		_, err := rc.NewStream(time.Hour)
		ended <- err
	}()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("there is a stream to a node that cannot be reached")
		}
	case <-time.After(time.Minute):
		t.Error("the node is still waited for")
	}
}
