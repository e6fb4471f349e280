package codec_test

import (
	"slices"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// codecs are all, JSON first.
var codecs = func() []codec.Codec {
	others := slices.DeleteFunc(codec.All(), func(c codec.Codec) bool { return c == codec.JSON })
	slices.Reverse(others)
	return append([]codec.Codec{codec.JSON}, others...)
}()

// benchMessages are what the header benchmarks parse and append.
func benchMessages(b *testing.B, c codec.Codec) []proto.Message {
	b.Helper()
	args, err := c.AppendList(nil, []any{42, "hello", true})
	if err != nil {
		b.Fatal(err)
	}
	return []proto.Message{
		{Type: proto.Call, Request: 123456, URI: "com.example.procedure", Args: args},
		{Type: proto.Result, Request: 123456, Args: args},
		{Type: proto.Result, Request: 123456, Options: proto.Dict{{Key: "progress", Value: true}}, Args: args},
		{Type: proto.Event, ID: 9876543210, Publication: 1234567890123, Args: args},
	}
}

func benchName(c codec.Codec, m *proto.Message) string {
	name := c.Name() + "/" + m.Type.String()
	if len(m.Options) > 0 {
		name += "-options"
	}
	return name
}

func BenchmarkParse(b *testing.B) {
	for _, c := range codecs {
		for _, m := range benchMessages(b, c) {
			data, err := c.AppendMessage(nil, &m)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(benchName(c, &m), func(b *testing.B) {
				b.ReportAllocs()
				p := c.NewParser(codec.Limits{})
				var got proto.Message
				for b.Loop() {
					if err := p.Parse(data, &got); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkAppendMessage(b *testing.B) {
	for _, c := range codecs {
		for _, m := range benchMessages(b, c) {
			b.Run(benchName(c, &m), func(b *testing.B) {
				b.ReportAllocs()
				var buf []byte
				for b.Loop() {
					var err error
					if buf, err = c.AppendMessage(buf[:0], &m); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkScan(b *testing.B) {
	for _, c := range codecs {
		raw, err := c.AppendList(nil, []any{42, "hello", true, 1.5})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.Name(), func(b *testing.B) {
			b.ReportAllocs()
			p := codec.Raw(c, raw, nil)
			var (
				n  int
				s  string
				ok bool
				x  float64
			)
			for b.Loop() {
				if err := p.Scan(&n, &s, &ok, &x); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type benchStruct struct {
	Name  string   `json:"name"`
	Count int      `json:"count"`
	Tags  []string `json:"tags,omitempty"`
}

var benchValue = benchStruct{Name: "a name", Count: 12345, Tags: []string{"one", "two"}}

func BenchmarkUnmarshalStruct(b *testing.B) {
	for _, c := range codecs {
		raw, err := c.AppendValue(nil, benchValue)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.Name(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var v benchStruct
				if err := c.Unmarshal(raw, &v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPlain(b *testing.B) {
	for _, c := range codecs {
		raw, err := c.AppendList(nil, []any{42, "hello", true, map[string]any{"a": 1, "b": []any{"x", 2.5}}})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.Name(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Plain(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendList(b *testing.B) {
	values := map[string][]any{
		"scalars": {42, "hello", true, 1.5},
		"map":     {map[string]any{"a": 1, "b": []any{"x", 2.5}}},
		"struct":  {benchValue},
	}
	for _, c := range codecs {
		for name, list := range values {
			b.Run(c.Name()+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				var buf []byte
				for b.Loop() {
					var err error
					if buf, err = c.AppendList(buf[:0], list); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
