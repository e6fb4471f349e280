package codec_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Messages that every serializer can write and every strict parser must refuse.
// The reason must contain the text.
func TestParseRefuses(t *testing.T) {
	dict := map[string]any{}
	tests := map[string]struct {
		v    any
		want string
	}{
		"empty array":            {[]any{}, "empty array"},
		"no list":                {dict, "not a list"},
		"type is a string":       {[]any{"48", 1, dict, "a"}, "message type"},
		"type is a float":        {[]any{48.5, 1, dict, "a"}, "message type"},
		"type is negative":       {[]any{-48, 1, dict, "a"}, "message type"},
		"type is unknown":        {[]any{7, 1}, "unknown"},
		"type is huge":           {[]any{uint64(math.MaxUint64), 1}, "unknown"},
		"type 65536 + CALL":      {[]any{65536 + 48, 1, dict, "a"}, "unknown"},
		"too short":              {[]any{48, 1, dict}, "wrong length"},
		"too long":               {[]any{48, 1, dict, "a", []any{}, dict, 1}, "wrong length"},
		"far too long":           {[]any{48, 1, dict, "a", []any{}, dict, 1, 2, 3, 4, 5}, "too many"},
		"payload misplaced":      {[]any{32, 1, dict, "a", []any{}}, "wrong length"},
		"id is a string":         {[]any{48, "1", dict, "a"}, "request id"},
		"id is a float":          {[]any{48, 1.5, dict, "a"}, "request id"},
		"id is -0.0":             {[]any{48, math.Copysign(0, -1), dict, "a"}, "request id"},
		"id is a huge float":     {[]any{48, 1e300, dict, "a"}, "out of range"},
		"id is negative":         {[]any{48, -1, dict, "a"}, "request id"},
		"id is null":             {[]any{48, nil, dict, "a"}, "request id"},
		"id is a bool":           {[]any{48, true, dict, "a"}, "request id"},
		"id above 2^53":          {[]any{48, int64(1<<53 + 1), dict, "a"}, "out of range"},
		"id 2^64-1":              {[]any{48, uint64(math.MaxUint64), dict, "a"}, "out of range"},
		"subscription":           {[]any{36, "x", 1, dict}, "id"},
		"publication":            {[]any{36, 1, "x", dict}, "publication"},
		"options are a list":     {[]any{48, 1, []any{}, "a"}, "dict"},
		"options are null":       {[]any{48, 1, nil, "a"}, "dict"},
		"URI is an int":          {[]any{48, 1, dict, 5}, "URI"},
		"URI is binary":          {[]any{48, 1, dict, []byte("a")}, "URI"},
		"URI is null":            {[]any{6, dict, nil}, "URI"},
		"signature":              {[]any{5, 1, dict}, "string"},
		"arguments are a dict":   {[]any{48, 1, dict, "a", dict}, "arguments"},
		"arguments are binary":   {[]any{48, 1, dict, "a", []byte("a")}, "arguments"},
		"arguments are an int":   {[]any{48, 1, dict, "a", 1}, "arguments"},
		"kwargs are a list":      {[]any{48, 1, dict, "a", []any{}, []any{}}, "keyword"},
		"kwargs are a string":    {[]any{48, 1, dict, "a", []any{}, "x"}, "keyword"},
		"ERROR of no request":    {[]any{8, 50, 1, dict, "a"}, "REQUEST.Type"},
		"ERROR of unknown":       {[]any{8, 7, 1, dict, "a"}, "REQUEST.Type"},
		"known option, type":     {[]any{50, 1, map[string]any{"progress": 1}}, "progress"},
		"known option, value":    {[]any{49, 1, map[string]any{"mode": "stop"}}, "mode"},
		"revocation, type":       {[]any{35, 0, map[string]any{"subscription": "x"}}, "subscription"},
		"options nest too deep":  {[]any{48, 1, map[string]any{"_d": deep(70)}, "a"}, "deep"},
		"payload nests too deep": {[]any{48, 1, dict, "a", []any{deep(70)}}, "deep"},
	}
	each(t, func(t *testing.T, c codec.Codec) {
		p := c.NewParser(codec.Limits{Strict: true, Depth: 64})
		for name, tt := range tests {
			var m proto.Message
			err := p.Parse(appendValue(t, c, tt.v), &m)
			var syntax *codec.SyntaxError
			if !errors.As(err, &syntax) || !strings.Contains(syntax.Reason, tt.want) || syntax.Codec != c.Name() {
				t.Errorf("%s: error is %v, want one with %q", name, err, tt.want)
			}
		}
	})
}

// What is unusual and still right.
func TestParseAccepts(t *testing.T) {
	dict := map[string]any{}
	each(t, func(t *testing.T, c codec.Codec) {
		p := c.NewParser(codec.Limits{})
		parse := func(v any) (m proto.Message) {
			t.Helper()
			if err := p.Parse(appendValue(t, c, v), &m); err != nil {
				t.Error(err)
			}
			return m
		}
		if m := parse([]any{48, 1, dict, "a", nil, nil}); m.Args != nil || m.Kwargs != nil {
			t.Errorf("null payload: %+v", m)
		}
		if m := parse([]any{48, 1, dict, "a", nil, map[string]any{"k": 1}}); m.Args != nil || m.Kwargs == nil {
			t.Errorf("null arguments: %+v", m)
		}
		if m := parse([]any{48, 0, dict, "", []any{}}); m.Request != 0 || m.URI != "" || m.Args == nil {
			t.Errorf("zeros: %+v", m)
		}
		if m := parse([]any{50, int64(1 << 53), map[string]any{"progress": nil, "_x": 1}}); m.Options.Bool("progress") || m.Request != proto.MaxID {
			t.Errorf("null option: %+v", m)
		}
		m := parse([]any{36, 1, 2, map[string]any{"enc_algo": "cryptobox"}, []byte("secret")})
		var b []byte
		if err := c.Unmarshal(m.Args, &b); err != nil || string(b) != "secret" {
			t.Errorf("binary payload: %q, %v", b, err)
		}
	})
}

func TestLimits(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		data := appendValue(t, c, []any{48, 1, map[string]any{"_a": 1}, "a", []any{1, 2, []any{3}}})
		for name, tt := range map[string]struct {
			l  codec.Limits
			ok bool
		}{
			"defaults":         {codec.Limits{}, true},
			"strict":           {codec.Limits{Strict: true}, true},
			"just":             {codec.Limits{Strict: true, Depth: 3, Elements: 11, Size: len(data)}, true},
			"depth":            {codec.Limits{Strict: true, Depth: 2}, false},
			"elements":         {codec.Limits{Strict: true, Elements: 10}, false},
			"elements, list":   {codec.Limits{Strict: true, Elements: 3}, false},
			"not of a payload": {codec.Limits{Depth: 2, Elements: 3}, true},
			"size":             {codec.Limits{Size: len(data) - 1}, false},
		} {
			var m proto.Message
			if err := c.NewParser(tt.l).Parse(data, &m); (err == nil) != tt.ok {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// Every shorter prefix of a message is broken, and so is one with more behind.
func TestTruncated(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		data := appendValue(t, c, []any{48, int64(1 << 40), map[string]any{"_a": []any{1.5, "text", nil}}, "com.example",
			[]any{300, -70000, []byte("binary"), strings.Repeat("x", 300), true}, map[string]any{"key": []any{}}})
		p := c.NewParser(codec.Limits{})
		var m proto.Message
		if err := p.Parse(data, &m); err != nil {
			t.Fatal(err)
		}
		for n := range data {
			if err := p.Parse(data[:n:n], &m); err == nil {
				t.Errorf("the first %d bytes were accepted", n)
			}
			if _, err := c.Plain(data[:n:n]); err == nil {
				t.Errorf("the first %d bytes are a value", n)
			}
			var v struct{ A, B int }
			if err := c.Unmarshal(data[:n:n], &v); err == nil {
				t.Errorf("the first %d bytes were decoded", n)
			}
		}
		if err := p.Parse(append(bytes.Clone(data), data...), &m); err == nil {
			t.Error("two messages were accepted as one")
		}
	})
}

// The options of a message must not live in the buffer it was parsed from.
func TestHeaderDoesNotAlias(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		data := appendValue(t, c, []any{48, 1, map[string]any{"caller_authid": "joe", "_b": []byte("xyz")}, "com.example"})
		var m proto.Message
		p := c.NewParser(codec.Limits{})
		if err := p.Parse(data, &m); err != nil {
			t.Fatal(err)
		}
		again := bytes.Clone(data)
		for i := range data {
			data[i] = 0xff
		}
		b, _ := m.Options.Get("_b")
		if m.URI != "com.example" || m.Options.Str("caller_authid") != "joe" || string(b.([]byte)) != "xyz" {
			t.Errorf("the message changed with its buffer: %+v", m)
		}
		if err := p.Parse(again, &m); err != nil || m.Options.Str("caller_authid") != "joe" {
			t.Errorf("the memo changed with the buffer: %+v, %v", m, err)
		}
	})
}

// A dict that the memo holds for one message must still be checked for another.
func TestMemoIsPerType(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		p := c.NewParser(strict)
		var m proto.Message
		opts := map[string]any{"match": 5}
		if err := p.Parse(appendValue(t, c, []any{48, 1, opts, "a"}), &m); err != nil {
			t.Fatalf("CALL does not know match: %v", err)
		}
		if err := p.Parse(appendValue(t, c, []any{32, 1, opts, "a"}), &m); err == nil {
			t.Error("SUBSCRIBE took a wrong match from the memo")
		}
	})
}

func TestParseDoesNotAllocate(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		for name, v := range map[string]any{
			"CALL":         []any{48, 1, map[string]any{}, "com.example", []any{1, "a"}, map[string]any{"k": 1}},
			"RESULT":       []any{50, 1, map[string]any{"progress": true}, []any{1}},
			"INVOCATION":   []any{68, 1, 2, map[string]any{"caller": 3, "caller_authid": "joe"}, []any{1}},
			"UNSUBSCRIBED": []any{35, 1},
		} {
			data := appendValue(t, c, v)
			p := c.NewParser(codec.Limits{})
			var m proto.Message
			var out []byte
			if n := testing.AllocsPerRun(100, func() {
				if err := p.Parse(data, &m); err != nil {
					t.Fatal(err)
				}
				var err error
				if out, err = c.AppendMessage(out[:0], &m); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%s: %v allocations", name, n)
			}
		}
	})
}
