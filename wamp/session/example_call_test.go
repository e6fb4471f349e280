package session_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// reply takes the answer of a call that has one. Its methods run on the actor of the
// session, so they hand over and return.
type reply struct {
	codec codec.Codec
	done  chan answer
}

type answer struct {
	payload codec.Payload
	err     error
}

func (r reply) Deliver(*proto.Message) (v session.Verdict) { return v } // progressive results are not asked for

func (r reply) End(e session.End) {
	a := answer{err: e.Err}
	if e.Message != nil {
		a.payload = codec.Received(r.codec, e.Message)
	}
	r.done <- a // it has room
}

// A package that adds an operation to sessions gets the engine by Session.Engine, and
// hands a struct to it. Package wamp does no more for a call.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	s, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close(ctx)
	_, err = wamp.Serve(ctx, s, "com.example.double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	if err != nil {
		fmt.Println(err)
		return
	}

	engine := s.Engine()
	r := reply{engine.Codec(), make(chan answer, 1)}
	call := &session.Call{Ctx: ctx, Bounded: true, URI: "com.example.double", Sink: r}
	if err := call.Encode(engine.Codec(), codec.Args(21)); err != nil {
		fmt.Println(err)
		return
	}
	if err := engine.Call(call); err != nil { // the sink will not be ended
		fmt.Println(err)
		return
	}
	a := <-r.done
	var n int
	fmt.Println(errors.Join(a.err, a.payload.Scan(&n)), n)
	// Output: <nil> 42
}
