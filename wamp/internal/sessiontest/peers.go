package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Connect connects over sockets and closes the session with the test.
func Connect(t *testing.T, address string, options ...wamp.Option) *wamp.Session {
	t.Helper()
	s, err := wamp.Connect(Within(t, 10*time.Second), address, "realm1", options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Close(t, s) })
	return s
}

// Fails checks that Connect fails, and soon.
func Fails(t *testing.T, address string, options ...wamp.Option) error {
	t.Helper()
	s, err := wamp.Connect(Within(t, 10*time.Second), address, "realm1", options...)
	if err == nil {
		Close(t, s)
		t.Fatal("Connect has succeeded")
	}
	if errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("nothing but the deadline has ended it: %v", err)
	}
	return err
}

// WebScript serves WebSocket connections to a script and keeps their requests.
func WebScript(t *testing.T, script *wamptest.Script, accept transport.AcceptOptions) (address string, requests chan *http.Request) {
	t.Helper()
	requests = make(chan *http.Request, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		requests <- req
		http.SetCookie(w, &http.Cookie{Name: "cbtid", Value: "crumb"})
		if c, err := transport.AcceptWebSocket(w, req, transport.Protocols(), accept); err == nil {
			_ = script.Serve(c)
		}
	}))
	t.Cleanup(server.Close)
	return "ws" + strings.TrimPrefix(server.URL, "http"), requests
}

// Say sends messages, as the lists that they are on the wire, in the serializer of
// the connection.
func Say(messages ...[]any) wamptest.Step {
	return wamptest.Do(fmt.Sprintf("say %.60v", messages), func(p *wamptest.Play) error {
		for _, list := range messages {
			data, err := p.Codec().AppendValue(nil, list)
			if err != nil {
				return err
			}
			if err := p.SendRaw(data); err != nil {
				return err
			}
		}
		return nil
	})
}

// Behind makes the router send what more makes right behind its messages of
// type t, in the same write.
func Behind(t proto.MessageType, more func(x *wamptest.Exchange) *proto.Message) wamptest.Hook {
	return func(x *wamptest.Exchange) wamptest.Action {
		if !x.Sent || x.Message.Type != t {
			return wamptest.Pass()
		}
		m := *x.Message
		return wamptest.Replace(&m, more(x))
	}
}

// TicketLogin lets joe in, with a ticket.
func TicketLogin(ticket string) wamptest.Login {
	return wamptest.Ticket(func(authid, _ string) (string, string, bool) { return ticket, "user", authid == "joe" })
}

// CountTo streams the numbers below its argument.
func CountTo(_ context.Context, inv *wamp.Invocation) error {
	var n int
	if err := inv.Scan(&n); err != nil {
		return wamp.ErrInvalidArgument
	}
	for i := range n {
		if err := inv.Progress(wamp.Args(i)); err != nil {
			return err
		}
	}
	return inv.Return(wamp.Args(n))
}

// Hung registers a procedure that waits for the end of its context, whose
// cause it tells.
func Hung(t *testing.T, s *wamp.Session, procedure string, options ...wamp.RegisterOption) <-chan error {
	t.Helper()
	causes := make(chan error, 100)
	Handle(t, s, procedure, func(ctx context.Context, _ *wamp.Invocation) error {
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return ctx.Err()
	}, options...)
	return causes
}
