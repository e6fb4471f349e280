package codec_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// A request from its rest is the one that AppendMessage makes, byte for byte.
func TestRest(t *testing.T) {
	options := proto.Dict{{Key: "acknowledge", Value: true}, {Key: "exclude", Value: []proto.ID{1, 2}}}
	for _, c := range codec.All() {
		other := codec.JSON
		if c == codec.JSON {
			other = codec.CBOR
		}
		data, n, err := codec.Args(1, "two").With("k", 3).Encode(other, nil)
		if err != nil {
			t.Fatal(err)
		}
		raw := codec.Raw(other, data[:n], data[n:])
		for name, p := range map[string]codec.Payload{
			"nothing":            codec.Args(),
			"arguments":          codec.Args(1, "two", nil),
			"keywords":           codec.Args().With("k", "v"),
			"both":               codec.Args([]any{}, map[string]any{"a": 1}).With("k", "v"),
			"no keywords":        codec.Args(1).WithKwargs(map[string]any{}),
			"another serializer": raw,
			"much":               codec.Args(strings.Repeat("x", 100_000)).With("k", strings.Repeat("y", 100_000)),
		} {
			for _, o := range []proto.Dict{nil, options} {
				for _, id := range []proto.ID{1, 23, 24, 255, 256, 1 << 16, 1 << 32, proto.MaxID} {
					t.Run(fmt.Sprint(c.Name(), "/", name, "/", len(o), "/", id), func(t *testing.T) {
						for _, typ := range []proto.MessageType{proto.Publish, proto.Call, proto.Yield} {
							m := proto.Message{Type: typ, Options: o, URI: "com.example.topic"}
							rest, err := codec.AppendRest(c, []byte("before"), &m, p)
							if err != nil || !bytes.HasPrefix(rest, []byte("before")) {
								t.Fatalf("%.40q, %v", rest, err)
							}
							got := codec.AppendRequest(c, []byte("before"), typ, id, rest[len("before"):])
							buf, n, err := p.Encode(c, nil)
							if err != nil {
								t.Fatal(err)
							}
							if m.Request = id; n > 0 {
								m.Args = buf[:n]
							}
							if n < len(buf) {
								m.Kwargs = buf[n:]
							}
							want, err := c.AppendMessage([]byte("before"), &m)
							if err != nil || !bytes.Equal(got, want) {
								t.Fatalf("%.200q, want %.200q, %v", got, want, err)
							}
							head, err := codec.AppendHead(c, []byte("before"), &m)
							if err != nil || !bytes.HasPrefix(want, head) {
								t.Errorf("the head is %.200q, of %.200q, %v", head, want, err)
							}
							parts := append(head, m.Args...)
							if c == codec.JSON && m.Args != nil && m.Kwargs != nil {
								parts = append(parts, ',')
							}
							if parts = codec.AppendEnd(c, append(parts, m.Kwargs...)); !bytes.Equal(parts, want) {
								t.Errorf("of head, payload and end: %.200q, want %.200q", parts, want)
							}
							if n := len(codec.AppendRequestHead(c, nil, typ, id, 9)); n > codec.MostRequestHead {
								t.Errorf("the head of a request has %d bytes", n)
							}
							with, err := codec.AppendWith(c, []byte("before"), &proto.Message{Type: typ, Request: id, Options: o, URI: m.URI}, p)
							if err != nil || !bytes.Equal(with, want) {
								t.Errorf("with its payload: %.200q, want %.200q, %v", with, want, err)
							}
							again, err := codec.AppendRest(c, []byte("before"), &m, codec.Payload{})
							if err != nil || !bytes.Equal(again, rest) {
								t.Errorf("of encoded parts: %.200q, want %.200q, %v", again, rest, err)
							}
						}
					})
				}
			}
		}
	}
}

// Bulk is no less than what text, bytes and raw payloads take, and not much more.
func TestBulk(t *testing.T) {
	for _, c := range codec.All() {
		raw, n, err := codec.Args(strings.Repeat("x", 50_000)).With("k", 1).Encode(c, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, p := range map[string]codec.Payload{
			"text": codec.Args(strings.Repeat("x", 50_000), strings.Repeat("y", 300), 7), "bytes": codec.Args(make([]byte, 70_000), make([]byte, 1)),
			"keywords": codec.Args(1).With("one", strings.Repeat("x", 40_000)).With("two", make([]byte, 30_000)),
			"raw":      codec.Raw(c, raw[:n], raw[n:]),
		} {
			buf, _, err := p.Encode(c, nil)
			if err != nil {
				t.Fatal(err)
			}
			if n := codec.Bulk(c, &p); n < len(buf)-8 || n > len(buf)+100 {
				t.Errorf("%s, %s: %d, it takes %d", c.Name(), name, n, len(buf))
			}
		}
		for _, p := range []codec.Payload{{}, codec.Args(), codec.Args(1, "x").With("k", nil), codec.Args(make([]int, 1000))} {
			if n := codec.Bulk(c, &p); n > 100 {
				t.Errorf("%s: a small one has %d", c.Name(), n)
			}
		}
	}
}

// What cannot be sent leaves nothing behind.
func TestRestRefuses(t *testing.T) {
	for _, c := range codec.All() {
		for name, row := range map[string]struct {
			m proto.Message
			p codec.Payload
		}{
			"an argument":             {proto.Message{Type: proto.Publish, URI: "a.b"}, codec.Args(make(chan int))},
			"a keyword":               {proto.Message{Type: proto.Publish, URI: "a.b"}, codec.Args(1).With("k", make(chan int))},
			"an option":               {proto.Message{Type: proto.Publish, URI: "a.b", Options: proto.Dict{{Key: "x", Value: make(chan int)}}}, codec.Args()},
			"a text":                  {proto.Message{Type: proto.Publish, URI: "a\xff"}, codec.Args()},
			"no request":              {proto.Message{Type: proto.Goodbye, URI: "a.b"}, codec.Args()},
			"no payload":              {proto.Message{Type: proto.Subscribe, URI: "a.b"}, codec.Args()},
			"no known message":        {proto.Message{Type: 99}, codec.Args()},
			"an id that is not first": {proto.Message{Type: proto.Error, URI: "a.b"}, codec.Args()},
		} {
			buf, err := codec.AppendRest(c, []byte("before"), &row.m, row.p)
			if err == nil || string(buf) != "before" {
				t.Errorf("%s, %s: %q, %v", c.Name(), name, buf, err)
			}
		}
	}
}

func BenchmarkRest(b *testing.B) {
	for _, c := range codec.All() {
		b.Run(c.Name(), func(b *testing.B) {
			var buf, out []byte
			m := proto.Message{Type: proto.Publish, URI: "com.example.topic"}
			p := codec.Args(42)
			for b.Loop() {
				buf, _ = codec.AppendRest(c, buf[:0], &m, p)
				out = codec.AppendRequest(c, out[:0], proto.Publish, 12345, buf)
			}
		})
	}
}
