package wamptest_test

import (
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// window is how many calls are under way in BenchmarkCalls.
const window = 256

// BenchmarkCalls measures what the router does in calls a second, between two
// clients that write by the batch. It says what a test can ask of it, nothing
// about the library.
func BenchmarkCalls(b *testing.B) {
	for _, pair := range [][2]string{{"cbor", "cbor"}, {"json", "json"}, {"cbor", "json"}} {
		b.Run(pair[0]+" to "+pair[1], func(b *testing.B) {
			r := wamptest.NewRouter(b)
			callee, caller := raw(b, r, pair[1]), raw(b, r, pair[0])
			callee.exchange(&proto.Message{Type: proto.Register, Request: 1, URI: "com.example.proc"})
			b.ReportAllocs()
			b.ResetTimer()
			done := make(chan struct{})
			go func() {
				defer close(done)
				callee.answer(b.N)
			}()
			caller.calls(b.N)
			<-done
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		})
	}
}

// BenchmarkEvents measures the fan-out to 10 subscribers.
func BenchmarkEvents(b *testing.B) {
	r := wamptest.NewRouter(b)
	done := make(chan struct{})
	for range 10 {
		s := raw(b, r, "cbor")
		s.exchange(&proto.Message{Type: proto.Subscribe, Request: 1, URI: "com.example.topic"})
		go func() {
			for range b.N {
				s.read()
			}
			done <- struct{}{}
		}()
	}
	p := raw(b, r, "cbor")
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		p.queue(&proto.Message{Type: proto.Publish, Request: proto.ID(i + 1), URI: "com.example.topic", Args: p.args})
		if i%window == 0 {
			p.flush()
		}
	}
	p.flush()
	for range 10 {
		<-done
	}
	b.ReportMetric(10*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// rawClient reads and writes in the goroutine that calls it.
type rawClient struct {
	b      *testing.B
	conn   transport.Conn
	codec  codec.Codec
	parser codec.Parser
	out    transport.Batch
	args   []byte
	m      proto.Message
}

func raw(b *testing.B, r *wamptest.Router, serializer string) *rawClient {
	b.Helper()
	p, _ := transport.ProtocolByName("wamp.2." + serializer)
	conn, err := r.Dial(b.Context(), []transport.Protocol{p})
	if err != nil {
		b.Fatal(err)
	}
	cd, _ := codec.ByName(serializer)
	c := &rawClient{b: b, conn: conn, codec: cd, parser: cd.NewParser(codec.Limits{})}
	c.args, _ = cd.AppendList(nil, []any{"0123456789012345678901234567890123456789", 1})
	c.exchange(&proto.Message{Type: proto.Hello, URI: "realm1", Options: options("roles", roles())})
	return c
}

func (c *rawClient) queue(m *proto.Message) {
	c.out.Begin()
	buf, err := c.codec.AppendMessage(c.out.Buf, m)
	if err != nil {
		c.b.Error(err)
	}
	c.out.Buf = buf
	c.out.End()
}

func (c *rawClient) flush() {
	if err := c.conn.Write(&c.out); err != nil {
		c.b.Error(err)
	}
	c.out.Reset(1 << 20)
}

func (c *rawClient) read() *proto.Message {
	data, err := c.conn.Read()
	if err == nil {
		err = c.parser.Parse(data, &c.m)
	}
	if err != nil {
		c.b.Error(err)
	}
	return &c.m
}

func (c *rawClient) exchange(m *proto.Message) {
	c.queue(m)
	c.flush()
	c.read()
}

func (c *rawClient) answer(n int) {
	for range n {
		m := c.read()
		c.queue(&proto.Message{Type: proto.Yield, Request: m.Request, Args: m.Args})
		if !c.conn.Buffered() {
			c.flush()
		}
	}
	c.flush()
}

func (c *rawClient) calls(n int) {
	sent, got := 0, 0
	for got < n {
		for sent < n && sent-got < window {
			sent++
			c.queue(&proto.Message{Type: proto.Call, Request: proto.ID(sent), URI: "com.example.proc", Args: c.args})
		}
		c.flush()
		c.read()
		for got++; c.conn.Buffered(); got++ {
			c.read()
		}
	}
}
