package codec_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

// A payload that is sent as one dict is what it is when it is sent as it is, in whatever form
// it was made or came: the same values, and the same payloads are refused.
func FuzzPacked(f *testing.F) {
	for _, tt := range packed {
		for i, c := range codec.All() {
			dict, err := codec.AppendPacked(c, nil, tt.p)
			if err != nil {
				f.Fatal(err)
			}
			p, err := codec.Unpacked(c, dict)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), p.RawArgs(), p.RawKwargs(), dict)
		}
	}
	f.Add(uint8(0), []byte(" [1]"), []byte(" {} "), []byte(`{"args":null, "args":[]}`))
	f.Add(uint8(0), []byte("null"), []byte("null"), []byte(`{"\u0061rgs":[1]}`))
	f.Add(uint8(1), []byte("\xc0"), []byte("\x81\x01\x02"), []byte("\x80"))
	f.Add(uint8(2), []byte("\xf6"), []byte("\xa1\x01\x02"), []byte("\xbf\x7f\x62ar\x62gs\xff\x80\xff"))
	f.Fuzz(func(t *testing.T, form uint8, args, kwargs, dict []byte) {
		from := codec.All()[int(form)%len(codec.All())]
		if len(args) == 0 {
			args = nil
		}
		if len(kwargs) == 0 {
			kwargs = nil
		}
		packsAlike(t, codec.Raw(from, args, kwargs))
		p, err := codec.Unpacked(from, dict)
		if err != nil {
			var bad *codec.SyntaxError
			if !errors.As(err, &bad) {
				t.Fatal(err)
			}
			return
		}
		packsAlike(t, p)
		whole, err := from.Plain(dict)
		if err != nil {
			return
		}
		m, is := whole.(map[string]any)
		if !is {
			t.Fatalf("%T", whole)
		}
		a, err1 := p.Args()
		k, err2 := p.Kwargs()
		if err1 != nil || err2 != nil {
			t.Fatalf("%q: %v, %v", dict, err1, err2)
		}
		if l, is := m["args"].([]any); is && fmt.Sprint(l) != fmt.Sprint(a) {
			t.Fatalf("%q: args %v, and %v", dict, l, a)
		}
		if l, is := m["kwargs"].(map[string]any); is && fmt.Sprint(l) != fmt.Sprint(k) {
			t.Fatalf("%q: kwargs %v, and %v", dict, l, k)
		}
	})
}

// packsAlike compares a payload as one dict with the same in two parts.
func packsAlike(t *testing.T, p codec.Payload) {
	t.Helper()
	for _, c := range codec.All() {
		parts, n, err := p.Encode(c, nil)
		dict, bad := codec.AppendPacked(c, []byte("x"), p)
		if (err == nil) != (bad == nil) {
			if err == nil && p.Opaque() {
				continue // Autobahn's form is none inside of a dict
			}
			t.Fatalf("%q %q to %s: %v, and as one %v", p.RawArgs(), p.RawKwargs(), c.Name(), err, bad)
		}
		if err != nil {
			if string(dict) != "x" {
				t.Fatalf("%q", dict)
			}
			continue
		}
		q, err := codec.Unpacked(c, dict[1:])
		if err != nil {
			t.Fatalf("%q %q to %s: %q, %v", p.RawArgs(), p.RawKwargs(), c.Name(), dict, err)
		}
		want := codec.Raw(c, parts[:n:n], parts[n:])
		a1, e1 := q.Args()
		a2, e2 := want.Args()
		k1, e3 := q.Kwargs()
		k2, e4 := want.Kwargs()
		if fmt.Sprint(a1, k1) != fmt.Sprint(a2, k2) || (e1 == nil) != (e2 == nil) || (e3 == nil) != (e4 == nil) {
			t.Fatalf("%q %q to %s: %v %v %v %v, and as one %v %v %v %v", p.RawArgs(), p.RawKwargs(), c.Name(), a2, k2, e2, e4, a1, k1, e1, e3)
		}
	}
}
