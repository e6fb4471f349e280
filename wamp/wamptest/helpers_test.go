package wamptest_test

import (
	"context"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

type dict = map[string]any

// client is a WAMP client as small as it can be: a connection, a codec and a
// count of requests.
type client struct {
	t      testing.TB
	conn   transport.Conn
	codec  codec.Codec
	parser codec.Parser
	id     proto.ID // of the session
	last   proto.ID // request
	inbox  chan reply
}

// reply is a message or the end of the connection.
type reply struct {
	m   *proto.Message
	err error
}

func protocol(t testing.TB, name string) transport.Protocol {
	t.Helper()
	p, ok := transport.ProtocolByName("wamp.2." + name)
	if !ok {
		t.Fatalf("no protocol %s", name)
	}
	return p
}

// dial connects without joining. The link is torn down when the test ends.
func dial(t testing.TB, d transport.Dialer, serializer string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := d(ctx, []transport.Protocol{protocol(t, serializer)})
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, conn)
}

func newClient(t testing.TB, conn transport.Conn) *client {
	c := &client{t: t, conn: conn, inbox: make(chan reply, 1<<16)}
	c.codec, _ = codec.ByName(conn.Protocol().Serializer())
	c.parser = c.codec.NewParser(codec.Limits{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			data, err := conn.Read()
			if err != nil {
				c.inbox <- reply{err: err}
				return
			}
			m := new(proto.Message)
			err = c.parser.Parse(append([]byte(nil), data...), m)
			c.inbox <- reply{m, err}
		}
	}()
	t.Cleanup(func() {
		_ = conn.CloseNow()
		<-done
	})
	return c
}

// roles are all the roles of a client with every feature but the given ones.
func roles(without ...proto.Feature) dict {
	var r proto.Roles
	for _, role := range []proto.Role{proto.Publisher, proto.Subscriber, proto.Caller, proto.Callee} {
		r.Set(role, ^proto.FeatureSet(0).Add(without...))
	}
	return r.Dict()
}

// join connects and joins realm1 anonymously, in CBOR.
func join(t testing.TB, r *wamptest.Router, without ...proto.Feature) *client {
	t.Helper()
	c := dial(t, r.Dial, "cbor")
	c.hello("realm1", proto.Entry{Key: "roles", Value: roles(without...)})
	return c
}

func (c *client) hello(realm string, details ...proto.Entry) *proto.Message {
	c.t.Helper()
	c.send(&proto.Message{Type: proto.Hello, URI: realm, Options: details})
	m := c.expect(proto.Welcome)
	c.id, c.last = m.ID, 0
	return m
}

// send sends a message with positional arguments.
func (c *client) send(m *proto.Message, args ...any) {
	c.t.Helper()
	if len(args) > 0 {
		var err error
		if m.Args, err = c.codec.AppendList(nil, args); err != nil {
			c.t.Fatal(err)
		}
	}
	data, err := c.codec.AppendMessage(nil, m)
	if err != nil {
		c.t.Fatal(err)
	}
	c.sendRaw(data)
}

func (c *client) sendRaw(data []byte) {
	c.t.Helper()
	var b transport.Batch
	b.Begin()
	b.Buf = append(b.Buf, data...)
	b.End()
	_ = c.conn.Write(&b) // the router may have hung up already: what it has said counts
}

// request sends a message with the next request id.
func (c *client) request(m *proto.Message, args ...any) proto.ID {
	c.t.Helper()
	c.last = c.last.Next()
	m.Request = c.last
	c.send(m, args...)
	return c.last
}

func (c *client) next() reply {
	c.t.Helper()
	timer := time.NewTimer(10 * time.Second)
	defer timer.Stop()
	select {
	case r := <-c.inbox:
		return r
	case <-timer.C:
		c.t.Fatal("nothing comes")
		return reply{}
	}
}

// expect returns the next message, which must be of the type.
func (c *client) expect(want proto.MessageType) *proto.Message {
	c.t.Helper()
	r := c.next()
	if r.err != nil {
		c.t.Fatalf("want %v, got %v", want, r.err)
	}
	if r.m.Type != want {
		args, _ := c.payload(r.m).Args()
		c.t.Fatalf("want %v, got %v %s %v", want, r.m.Type, r.m.URI, args)
	}
	return r.m
}

// expectError expects an ERROR for a request.
func (c *client) expectError(t proto.MessageType, request proto.ID, uri string) *proto.Message {
	c.t.Helper()
	m := c.expect(proto.Error)
	if m.RequestType != t || m.Request != request || m.URI != uri {
		c.t.Fatalf("want ERROR %s for %v %d, got %s for %v %d", uri, t, request, m.URI, m.RequestType, m.Request)
	}
	return m
}

// expectEnd expects that the connection ends with nothing before it.
func (c *client) expectEnd() error {
	c.t.Helper()
	r := c.next()
	if r.err == nil {
		c.t.Fatalf("want the end, got %v %s", r.m.Type, r.m.URI)
	}
	return r.err
}

// expectAbort expects ABORT and the end behind it.
func (c *client) expectAbort(reason string) *proto.Message {
	c.t.Helper()
	m := c.expect(proto.Abort)
	if m.URI != reason {
		c.t.Fatalf("want ABORT %s, got %s", reason, m.URI)
	}
	c.expectEnd()
	return m
}

// expectNothing says that nothing has come. Only for bubbles, after a Wait.
func (c *client) expectNothing() {
	c.t.Helper()
	select {
	case r := <-c.inbox:
		if r.err != nil {
			c.t.Fatalf("want nothing, got %v", r.err)
		}
		c.t.Fatalf("want nothing, got %v %s", r.m.Type, r.m.URI)
	default:
	}
}

func (c *client) payload(m *proto.Message) codec.Payload { return codec.Received(c.codec, m) }

// arg returns the first positional argument.
func (c *client) arg(m *proto.Message) any {
	c.t.Helper()
	args, err := c.payload(m).Args()
	if err != nil || len(args) == 0 {
		c.t.Fatalf("no argument in %v: %v", m.Type, err)
	}
	return args[0]
}

func options(kv ...any) proto.Dict {
	var d proto.Dict
	for i := 0; i < len(kv); i += 2 {
		d = append(d, proto.Entry{Key: kv[i].(string), Value: kv[i+1]})
	}
	return d
}

func (c *client) register(procedure string, o ...any) proto.ID {
	c.t.Helper()
	id := c.request(&proto.Message{Type: proto.Register, URI: procedure, Options: options(o...)})
	m := c.expect(proto.Registered)
	if m.Request != id {
		c.t.Fatalf("REGISTERED for %d, want %d", m.Request, id)
	}
	return m.ID
}

func (c *client) subscribe(topic string, o ...any) proto.ID {
	c.t.Helper()
	id := c.request(&proto.Message{Type: proto.Subscribe, URI: topic, Options: options(o...)})
	m := c.expect(proto.Subscribed)
	if m.Request != id {
		c.t.Fatalf("SUBSCRIBED for %d, want %d", m.Request, id)
	}
	return m.ID
}

func (c *client) call(procedure string, o proto.Dict, args ...any) proto.ID {
	c.t.Helper()
	return c.request(&proto.Message{Type: proto.Call, URI: procedure, Options: o}, args...)
}

func (c *client) yield(invocation *proto.Message, progress bool, args ...any) {
	c.t.Helper()
	m := &proto.Message{Type: proto.Yield, Request: invocation.Request}
	if progress {
		m.Options = options("progress", true)
	}
	c.send(m, args...)
}
