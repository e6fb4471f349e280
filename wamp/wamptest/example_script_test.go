package wamptest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// ofProcedure is a check of Expect: whether a message is about a procedure.
func ofProcedure(uri string) func(*proto.Message) error {
	return func(m *proto.Message) error {
		if m.URI != uri {
			return fmt.Errorf("it is of %q", m.URI)
		}
		return nil
	}
}

// testSentAgain is a test with a router of two connections. The first one breaks when the
// call has arrived; on the second one, the call has to come again, and is answered.
func testSentAgain(t *testing.T) {
	script := wamptest.NewScript(t,
		wamptest.Welcome(),
		wamptest.Expect(proto.Call, ofProcedure("com.example.double")),
		wamptest.Cut(),
	).Again(
		wamptest.Welcome(),
		wamptest.Expect(proto.Call, ofProcedure("com.example.double")),
		wamptest.Answer(&proto.Message{Type: proto.Result}, codec.Args(42)), // has the id of the request
	)
	session, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(script.Dial), wamp.WithReconnect(wamp.Backoff{}))
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close(context.WithoutCancel(t.Context()))
	n, err := wamp.Call[int](t.Context(), session, "com.example.double", wamp.Args(21), wamp.Idempotent())
	if n != 42 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if session.ID() != wamptest.SessionID(2) {
		t.Errorf("session %d", session.ID())
	}
	script.Wait()
}

// testNotWAMP is a test with a router that sends an event to nobody, which is no fault, and
// then what is no message at all.
func testNotWAMP(t *testing.T) {
	script := wamptest.NewScript(t,
		wamptest.Welcome(),
		wamptest.Send(&proto.Message{Type: proto.Event, ID: 1, Publication: 1}),
		wamptest.SendRaw([]byte(`{"hello": "world"}`)),
		wamptest.Expect(proto.Abort),
	)
	session, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(script.Dial), wamp.WithSerializers(codec.JSON))
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close(context.WithoutCancel(t.Context()))
	<-session.Done()
	if broken := new(wamp.ProtocolError); !errors.As(session.Err(), &broken) {
		t.Error(session.Err())
	}
	script.Wait()
}

// Scripts need the t of a test: these are two.
func ExampleScript() {
	var _ = func(t *testing.T) {
		t.Run("sent again", func(t *testing.T) { synctest.Test(t, testSentAgain) })
		t.Run("not WAMP", func(t *testing.T) { synctest.Test(t, testNotWAMP) })
	}
}
