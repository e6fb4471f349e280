package session

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// TestJoinEveryMessage checks every message in the states of the handshake.
func TestJoinEveryMessage(t *testing.T) {
	for _, tr := range proto.AllTraits() {
		for _, state := range []proto.State{proto.StateJoining, proto.StateChallenged} {
			t.Run(state.String()+"/"+tr.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { joinWith(t, &tr, state) })
			})
		}
	}
}

func joinWith(t *testing.T, tr *proto.Traits, state proto.State) {
	client, router := newWires()
	f := &far{t: t, w: router, parser: codec.CBOR.NewParser(codec.Limits{})}
	type outcome struct {
		s   *Session
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		s, err := Connect(t.Context(), Config{Realm: "realm1", Auth: noAuth{},
			Dial: func(context.Context, []transport.Protocol) (transport.Conn, error) { return client, nil }})
		done <- outcome{s, err}
	}()
	f.expect(proto.Hello)
	if state == proto.StateChallenged {
		f.send(proto.Message{Type: proto.Challenge, Text: "x"})
		f.expect(proto.Authenticate)
	}
	m := proto.Message{Type: tr.Type, Request: 1, ID: 1, Publication: 1, URI: "a.b", Text: "x"}
	if tr.Type == proto.Error {
		m.RequestType = proto.Call
	}
	f.send(m)
	if tr.Type == proto.Challenge {
		f.expect(proto.Authenticate)
		f.send(welcome())
	}
	if tr.FromRouter&state != 0 && tr.Type != proto.Abort {
		o := <-done
		if o.err != nil {
			t.Fatalf("a legal message: %v", o.err)
		}
		f.close(o.s)
		return
	}
	o := <-done
	if o.err == nil {
		t.Fatal("Connect accepted it")
	}
	if tr.Type == proto.Abort {
		var abort *AbortError
		if !errors.As(o.err, &abort) || abort.Reason != "a.b" {
			t.Errorf("err %v", o.err)
		}
		return
	}
	var v *ProtocolError
	if !errors.As(o.err, &v) || v.Message != tr.Type {
		t.Errorf("err %v", o.err)
	}
	if abort := f.expect(proto.Abort); abort.URI != proto.ErrURIProtocolViolation {
		t.Errorf("sent %+v", abort)
	}
}
