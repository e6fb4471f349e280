package wamp_test

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// countedConn counts the bytes of messages behind the login.
type countedConn struct {
	transport.Conn
	in, out *atomic.Uint64
	read    int
	written int
}

func (c *countedConn) Read() ([]byte, error) {
	data, err := c.Conn.Read()
	if c.read++; c.read > 1 { // WELCOME
		c.in.Add(uint64(len(data)))
	}
	return data, err
}

func (c *countedConn) Write(b *transport.Batch) error {
	for i := range b.Len() {
		if c.written++; c.written > 1 { // HELLO
			c.out.Add(uint64(len(b.Message(i))))
		}
	}
	return c.Conn.Write(b)
}

// Ping makes keepalive call, which are no calls of the user's.
func (c *countedConn) Ping(context.Context) error { return transport.ErrNoPing }

// The counters count what was done, over all connections, and stay when the session is
// over.
func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var in, out atomic.Uint64
		r := wamptest.NewRouter(t)
		s, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithReconnect(quick()), wamp.WithKeepalive(wamp.Keepalive{Interval: time.Second}),
			wamp.WithTransport(func(ctx context.Context, p []transport.Protocol) (transport.Conn, error) {
				c, err := r.Dial(ctx, p)
				return &countedConn{Conn: c, in: &in, out: &out}, err
			}))
		if err != nil {
			t.Fatal(err)
		}
		p := join(t, r)
		handle(t, p, "com.example.echo", echo)
		handle(t, p, "com.example.count", countTo)
		work := func() {
			subscribe(t, s, "com.example.topic")
			subscribe(t, s, "com.example.topic")
			handle(t, s, "com.example.mine", func(_ context.Context, inv *wamp.Invocation) error {
				for range inv.Chunks() {
				}
				return inv.Return()
			})
			for range 3 {
				if _, err := wamp.Call[int](t.Context(), s, "com.example.echo", wamp.Args(1)); err != nil {
					t.Error(err)
				}
			}
			if err := lastErr(s.Call(t.Context(), "com.example.echo", wamp.Args(strings.Repeat("x", 100_000)))); err != nil {
				t.Error(err)
			}
			if err := lastErr(s.Call(t.Context(), "com.example.count", wamp.Args(5), wamp.Progressive())); err != nil {
				t.Error(err)
			}
			if err := lastErr(s.Call(t.Context(), "com.example.nobody", wamp.Args())); err == nil {
				t.Error("nobody has answered")
			}
			for range 2 {
				if _, err := s.Publish(t.Context(), "com.example.other", wamp.Args(1)).Wait(); err != nil {
					t.Error(err)
				}
			}
			if _, err := s.Publish(t.Context(), "com.example.other", wamp.Args(1), wamp.Acknowledge()).Wait(); err != nil {
				t.Error(err)
			}
			publish(t, p, "com.example.topic", 0, 7)
			if err := lastErr(p.CallStream(t.Context(), "com.example.mine", feeding(t.Context(), 4))); err != nil {
				t.Error(err)
			}
			<-time.After(10500 * time.Millisecond) // with keepalive
		}
		check := func(n uint64) {
			t.Helper()
			synctest.Wait()
			st := s.Stats()
			for what, got := range map[string][2]uint64{
				"calls": {st.Calls, 6 * n}, "results": {st.Results, 10 * n}, "errors": {st.Errors, n}, "publishes": {st.Publishes, 3 * n},
				"events": {st.Events, 7 * n}, "invocations": {st.Invocations, n}, "reconnects": {st.Reconnects, n - 1},
				"bytes received": {st.BytesReceived, in.Load()}, "bytes sent": {st.BytesSent, out.Load()},
			} {
				if got[0] != got[1] {
					t.Errorf("%s: %d, want %d", what, got[0], got[1])
				}
			}
			if st.HeldBytes < int64(n)*7 || st.Sent < 10*n || st.Received < 20*n || st.BytesSent < 100_000*n {
				t.Errorf("%+v", st)
			}
		}
		work()
		check(1)
		r.Cut(s.ID())
		<-time.After(10 * time.Second)
		for range 4 { // what has been restored does not count
			_ = s.Stats()
		}
		if st := s.Stats(); st.Calls != 6 || st.Events != 7 || st.Reconnects != 1 {
			t.Errorf("%+v", st)
		}
		closeIt(t, s)
		st := s.Stats()
		if st.Calls != 6 || st.BytesReceived != in.Load() || st.BytesSent != out.Load() {
			t.Errorf("at the end %d %d %d, want %d and %d bytes", st.Calls, st.BytesReceived, st.BytesSent, in.Load(), out.Load())
		}
	})
}

// The depths of the queues say what waits where.
func TestStatsOfQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, p := join(t, r, wamp.WithOutbound(1000)), join(t, r)
		sub := subscribe(t, s, "com.example.topic", wamp.OverflowBlock(), wamp.Buffer(4, 0))
		publish(t, p, "com.example.topic", 0, 500)
		<-time.After(time.Second)
		if st := s.Stats(); st.Inbox < 300 || st.HeldBytes == 0 {
			t.Errorf("%d messages in the inbox, %d bytes held", st.Inbox, st.HeldBytes)
		}
		for range 500 {
			<-sub.Events()
		}
		synctest.Wait()
		if st := s.Stats(); st.Inbox != 0 || st.HeldBytes != 0 {
			t.Errorf("%d messages in the inbox, %d bytes held", st.Inbox, st.HeldBytes)
		}
		r.StopReading(s.ID())
		ctx, cancel := context.WithCancel(t.Context())
		for range 100 {
			go s.Publish(ctx, "com.example.other", wamp.Args(make([]byte, 100_000)))
		}
		<-time.After(time.Second)
		if st := s.Stats(); st.Mailbox == 0 || st.QueuedBytes == 0 || st.Waited == 0 {
			t.Errorf("%d operations in the mailbox, %d bytes, %d have waited", st.Mailbox, st.QueuedBytes, st.Waited)
		}
		cancel()
		r.ResumeReading(s.ID())
		<-time.After(time.Second)
		if st := s.Stats(); st.Mailbox != 0 || st.QueuedBytes != 0 {
			t.Errorf("%d operations in the mailbox, %d bytes", st.Mailbox, st.QueuedBytes)
		}
	})
}

// counterLine is a row of the table of counters in docs/logs.md, and counterName a name in
// its first column.
var (
	counterLine = regexp.MustCompile("(?m)^\\| (`[A-Z][^|]*) \\|")
	counterName = regexp.MustCompile("`([A-Za-z.]+)`")
)

// The page has every counter, and no other.
func TestCountersAreDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "logs.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "## The counters")
	table, _, _ = strings.Cut(table, "## Readiness")
	told := map[string]bool{}
	for _, row := range counterLine.FindAllStringSubmatch(table, -1) {
		for _, m := range counterName.FindAllStringSubmatch(row[1], -1) {
			told[m[1]] = true
		}
	}
	var look func(prefix string, ty reflect.Type)
	look = func(prefix string, ty reflect.Type) {
		for f := range ty.Fields() {
			if f.Type.Kind() == reflect.Struct {
				look(f.Name+".", f.Type)
				continue
			}
			if !told[prefix+f.Name] {
				t.Errorf("the page does not name %s%s", prefix, f.Name)
			}
			delete(told, prefix+f.Name)
		}
	}
	look("", reflect.TypeFor[wamp.Stats]())
	if len(told) > 0 {
		t.Errorf("the page has counters that are not there: %v", told)
	}
}
