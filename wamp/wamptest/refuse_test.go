package wamptest_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// badPayloads are lists of arguments that must not travel, in hex where they
// are no text. Crossbar 26.10.1 closes the link at each but those with integer
// keys in CBOR and bytes as keys in MessagePack.
var badPayloads = []struct {
	codec, name, raw string
	code             int // of a WebSocket
}{
	{"json", "UTF-8", hex.EncodeToString([]byte("[\"\xff\"]")), 1007},
	{"json", "UTF-8 of a key", hex.EncodeToString([]byte("[{\"a\xc3\":1}]")), 1007},
	{"cbor", "UTF-8", "8161ff", 1002},
	{"cbor", "UTF-8 deep inside", "8181a161618161c3", 1002},
	{"cbor", "UTF-8 of a key", "81a161ff01", 1002},
	{"cbor", "UTF-8 in pieces", "817f616161ffff", 1002},
	{"cbor", "UTF-8 under a tag", "81d82061ff", 1002},
	{"cbor", "integer key", "81a10102", 1002},
	{"cbor", "negative key", "81a12002", 1002},
	{"cbor", "key of bytes", "81a1416102", 1002},
	{"cbor", "float key", "81a1f93c0002", 1002},
	{"cbor", "list key", "81a18002", 1002},
	{"cbor", "tagged key", "81a1c6616102", 1002},
	{"cbor", "key after a good one", "81a26161010102", 1002},
	{"cbor", "key of a dict without a length", "81bf0102ff", 1002},
	{"cbor", "key inside of a value", "81a1616181a10102", 1002},
	{"msgpack", "UTF-8", "91a1ff", 1002},
	{"msgpack", "UTF-8 of a key", "9181a1ff01", 1002},
	{"msgpack", "UTF-8 of a long string", "91d901ff", 1002},
	{"msgpack", "integer key", "91810102", 1002},
	{"msgpack", "key of bytes", "9181c4016102", 1002},
	{"msgpack", "nil key", "9181c001", 1002},
	{"msgpack", "list key", "91819002", 1002},
	{"msgpack", "key of a long dict", "91de0002a161010102", 1002},
	{"msgpack", "key inside of a list", "91dc000201810102", 1002},
}

// goodPayloads look like those and are fine.
var goodPayloads = []struct{ codec, raw string }{
	{"json", hex.EncodeToString([]byte(`["\ud83d\ude00 \u0000AQ==",{"1":{"":[null,true,1.5e3]}}]`))},
	{"json", hex.EncodeToString([]byte(`["\ud800"]`))},
	{"cbor", "8c01206161" + "4161" + "f97e00" + "f6" + "9fff" + "bf616101ff" + "7f6161ff" + "5f41ffff" + "c249010000000000000000" + "a2616101617802"},
	{"cbor", "82fb7ff80000000000001bffffffffffffffff"},
	{"msgpack", "9c01ffa161c40161cac0000000c0c3cf8000000000000000d38000000000000000d40100c7020101ff82a16101a17802"},
	{"msgpack", "92dd00000001df00000001a161cc01db0000000161"},
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// closed returns the end of the connection, behind what may have come before.
func (c *client) closed() error {
	for {
		if r := c.next(); r.err != nil {
			return r.err
		}
	}
}

// code is that of a close, 0 if there was none.
func code(err error) int {
	var e *transport.CloseError
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// ways are a link in memory and one of each kind of socket.
func ways(t *testing.T, r *wamptest.Router) map[string]transport.Dialer {
	t.Helper()
	server, clientTLS, err := wamptest.LocalTLS()
	if err != nil {
		t.Fatal(err)
	}
	url := func(url string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return url
	}
	return map[string]transport.Dialer{
		"memory": r.Dial,
		"raw":    rawDialer(url(r.ListenRawSocket("tcp", "")), nil, 0),
		"ws":     webDialer(url(r.ListenWebSocket("")), nil, false),
		"wss":    webDialer(url(r.ListenWebSocket("", wamptest.WithTLS(server))), clientTLS, false),
	}
}

// A payload that Crossbar cannot decode ends the link of who has sent it, with
// the code that it closes with, and nobody else sees it.
func TestBadPayloadEndsTheLink(t *testing.T) {
	r := wamptest.NewRouter(t)
	other := join(t, r)
	other.subscribe("com.example.topic")
	violations := 0
	for way, d := range ways(t, r) {
		for _, tt := range badPayloads {
			t.Run(way+" "+tt.codec+" "+tt.name, func(t *testing.T) {
				c := dial(t, d, tt.codec)
				c.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
				c.request(&proto.Message{Type: proto.Publish, URI: "com.example.topic", Args: unhex(t, tt.raw)})
				err := c.expectEnd()
				want := tt.code
				if way == "raw" {
					want = 0
				}
				if got := code(err); got != want {
					t.Errorf("closed with %d, want %d: %v", got, want, err)
				}
				reason := "PUBLISH: payload"
				if want == 1007 { // WebSocket itself refuses it
					reason = "UTF-8"
				}
				if e := (*transport.CloseError)(nil); want != 0 && (!errors.As(err, &e) || !strings.Contains(e.Reason, reason)) {
					t.Errorf("the reason is %v", err)
				}
			})
			violations++
		}
	}
	if s := r.Stats(); len(s.Violations) != violations || s.Sessions != 1 || len(other.inbox) != 0 {
		t.Errorf("%d violations, want %d; %d sessions, %d came", len(s.Violations), violations, s.Sessions, len(other.inbox))
	}
}

// Every message with a payload is looked at, in arguments and keyword arguments.
func TestBadPayloadOfEveryMessage(t *testing.T) {
	for name, m := range map[string]*proto.Message{
		"PUBLISH":        {Type: proto.Publish, Request: 2, URI: "com.example", Args: unhex(t, "8161ff")},
		"PUBLISH kwargs": {Type: proto.Publish, Request: 2, URI: "com.example", Kwargs: unhex(t, "a1616161ff")},
		"CALL":           {Type: proto.Call, Request: 2, URI: "com.example", Args: unhex(t, "81a10102")},
		"CALL kwargs":    {Type: proto.Call, Request: 2, URI: "com.example", Kwargs: unhex(t, "a10102")},
		"YIELD":          {Type: proto.Yield, Request: 1, Args: unhex(t, "8161ff")},
		"ERROR":          {Type: proto.Error, RequestType: proto.Invocation, Request: 1, URI: "com.example", Args: unhex(t, "8161ff")},
		"ABORT":          {Type: proto.Abort, URI: "com.example", Args: unhex(t, "8161ff")},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				c, caller := join(t, r), join(t, r)
				c.register("com.example.proc")
				id := caller.call("com.example.proc", nil)
				c.expect(proto.Invocation)
				c.send(m)
				if got := code(c.expectEnd()); got != 1002 {
					t.Errorf("closed with %d", got)
				}
				caller.expectError(proto.Call, id, proto.ErrURICanceled)
				synctest.Wait()
				if s := r.Stats(); len(s.Violations) != 1 || s.Links != 1 || !s.Idle() {
					t.Errorf("left: %+v", s)
				}
			})
		})
	}
}

func TestGoodPayloads(t *testing.T) {
	for _, tt := range goodPayloads {
		t.Run(tt.codec+" "+tt.raw, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				c := dial(t, r.Dial, tt.codec)
				c.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
				c.subscribe("com.example.topic")
				raw := unhex(t, tt.raw)
				c.request(&proto.Message{Type: proto.Publish, URI: "com.example.topic", Options: options("exclude_me", false), Args: raw})
				if e := c.expect(proto.Event); string(e.Args) != string(raw) {
					t.Errorf("% x", e.Args)
				}
			})
		})
	}
}

// A callee whose error has a URI that is none is thrown out, and the caller
// learns that it is gone. So it is with the reason of GOODBYE and ABORT.
func TestURIsThatAreNone(t *testing.T) {
	bad := []string{"", "bad file", "com..x", "com.x.", ".x", "com.x#", "com.\u00a0x", "com.x\n"}
	good := []string{"com.x", "x", "Com.Ü", "wamp.error.whatever", "wamp"}
	for _, uri := range append(good, bad...) {
		wrong := strings.Contains(strings.Join(bad, "|"), uri) && !strings.Contains("|"+strings.Join(good, "|")+"|", "|"+uri+"|")
		t.Run(uri, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				callee, caller := join(t, r), join(t, r)
				callee.register("com.example.proc")
				id := caller.call("com.example.proc", nil)
				callee.invocationError(callee.expect(proto.Invocation), uri)
				if !wrong {
					caller.expectError(proto.Call, id, uri)
					return
				}
				m := callee.expectAbort(proto.ErrURIProtocolViolation)
				if text := m.Options.Str("message"); !strings.Contains(text, "ERROR") || uri != "" && !strings.Contains(text, strings.TrimSpace(uri)[:2]) {
					t.Errorf("it does not say what was wrong: %s", text)
				}
				caller.expectError(proto.Call, id, proto.ErrURICanceled)
			})
			for _, typ := range []proto.MessageType{proto.Goodbye, proto.Abort} {
				bubble(t, func(t *testing.T, r *wamptest.Router) {
					c := join(t, r)
					c.send(&proto.Message{Type: typ, URI: uri})
					synctest.Wait()
					if s := r.Stats(); len(s.Violations) == 1 != wrong {
						t.Errorf("%v: violations %v", typ, s.Violations)
					}
				})
			}
		})
	}
}

// Crossbar says no ABORT.
func TestCrossbarCloses(t *testing.T) {
	for name, tt := range map[string]struct {
		m    *proto.Message
		code int
	}{
		"malformed":       {&proto.Message{Type: proto.Welcome, ID: 1}, 1002},
		"topic":           {&proto.Message{Type: proto.Publish, Request: 1, URI: "bad topic"}, 1011},
		"procedure":       {&proto.Message{Type: proto.Call, Request: 1, URI: "bad"[:0]}, 1011},
		"subscription":    {&proto.Message{Type: proto.Subscribe, Request: 1, URI: "bad topic"}, 1011},
		"registration":    {&proto.Message{Type: proto.Register, Request: 1, URI: "com..x"}, 1011},
		"reason":          {&proto.Message{Type: proto.Goodbye, URI: "bad reason"}, 1011},
		"error":           {&proto.Message{Type: proto.Error, RequestType: proto.Invocation, Request: 1, URI: "bad error"}, 1011},
		"bad UTF-8":       {&proto.Message{Type: proto.Call, Request: 1, URI: "com.x", Args: unhex(t, "8161ff")}, 1002},
		"too big":         {&proto.Message{Type: proto.Call, Request: 1, URI: "com.x", Args: append([]byte{0x81, 0x59, 0x20, 0}, make([]byte, 8192)...)}, 1009},
		"fine, a pattern": {&proto.Message{Type: proto.Register, Request: 1, URI: "com..x", Options: options("match", "wildcard")}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				c := join(t, r)
				c.send(tt.m)
				if tt.code == 0 {
					c.expect(proto.Registered)
					return
				}
				if got := code(c.expectEnd()); got != tt.code {
					t.Errorf("closed with %d", got)
				}
			}, wamptest.CrossbarQuirks(), wamptest.WithMaxMessage(8192))
		})
	}
}

// A message that is larger than the router takes ends the link: WebSocket says
// 1009, RawSocket nothing. What is just small enough is served.
func TestMaxMessage(t *testing.T) {
	const limit = 5000 // no power of two: RawSocket has told 8192
	for name, options := range map[string][]wamptest.Option{
		"by WithMaxMessage": {wamptest.WithMaxMessage(limit)},
		"by WithLimits":     {wamptest.WithLimits(codec.Limits{Size: limit})},
		"by both":           {wamptest.WithMaxMessage(limit), wamptest.WithLimits(codec.Limits{Depth: 8})},
	} {
		r := wamptest.NewRouter(t, options...)
		for way, d := range ways(t, r) {
			for _, serializer := range []string{"json", "cbor", "msgpack"} {
				t.Run(name+" "+way+" "+serializer, func(t *testing.T) {
					c := dial(t, d, serializer)
					c.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
					fits := c.padded(limit)
					c.sendRaw(fits)
					c.expect(proto.Published)
					c.sendRaw(c.padded(limit + 1))
					err := c.closed()
					want := 1009
					if way == "raw" {
						want = 0
					}
					if got := code(err); got != want {
						t.Errorf("closed with %d: %v", got, err)
					}
				})
			}
		}
	}
}

// padded is an acknowledged PUBLISH of a size.
func (c *client) padded(size int) []byte {
	c.t.Helper()
	c.last = c.last.Next()
	m := &proto.Message{Type: proto.Publish, Request: c.last, URI: "com.example.topic", Options: options("acknowledge", true)}
	for pad := size; ; pad-- {
		var err error
		if m.Args, err = c.codec.AppendList(nil, []any{strings.Repeat("x", pad)}); err != nil {
			c.t.Fatal(err)
		}
		data, err := c.codec.AppendMessage(nil, m)
		if err != nil {
			c.t.Fatal(err)
		}
		if len(data) == size {
			return data
		}
	}
}

// The close frame is read also by a client that is still sending.
func TestMaxMessageOfLongOnes(t *testing.T) {
	r := wamptest.NewRouter(t, wamptest.WithMaxMessage(1<<16))
	big := make([]byte, 4<<20)
	for way, d := range ways(t, r) {
		if way == "raw" {
			continue
		}
		for range 4 {
			c := dial(t, d, "cbor")
			c.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
			go c.sendRaw(big)
			if got := code(c.closed()); got != 1009 {
				t.Errorf("%s: closed with %d", way, got)
			}
		}
	}
}
