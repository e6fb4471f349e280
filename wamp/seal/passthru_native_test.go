package seal_test

import (
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// What stands in a native payload reads as in a message that carries it as it is: also what
// JavaScript makes of undefined, tags that nobody knows, and numbers that are read by their type.
func TestNativeReadsAsPlain(t *testing.T) {
	for name, tt := range map[string]struct {
		c            codec.Codec
		args, kwargs string
		targets      func() []any
	}{
		"undefined of msgpackr": {codec.MsgPack, "\x92\x01\xd4\x00\x00", "\x81\xa1k\xd4\x00\x00", func() []any { return []any{new(int), nil} }},
		"a date of msgpackr":    {codec.MsgPack, "\x92\x01\xd6\xff\x00\x00\x00\x01", "\x80", func() []any { return []any{new(int), new(time.Time)} }},
		"a tag":                 {codec.CBOR, "\x82\x01\xd9\x03\xe7\x01", "\xa1\x61k\xd9\x03\xe7\x01", func() []any { return []any{new(int), nil} }},
		"a time":                {codec.CBOR, "\x82\x01\xc1\x1a\x00\x00\x00\x05", "\xa0", func() []any { return []any{new(int), new(time.Time)} }},
		"a decimal":             {codec.CBOR, "\x82\x01\xc4\x82\x21\x19\x6a\xb3", "\xa0", func() []any { return []any{new(int), new(float64)} }},
		"a large number":        {codec.JSON, "[1,123456789012345678901234567890]", "{}", func() []any { return []any{new(int), new(*big.Int)} }},
		"white space":           {codec.JSON, " [ 1 , 2 ] ", " { \"k\" : 3 } ", func() []any { return []any{new(int), new(int)} }},
		"nothing":               {codec.CBOR, "\xf6", "\xf6", func() []any { return nil }},
		"deep":                  {codec.MsgPack, "\x92\x01" + strings.Repeat("\x91", 120) + "\x00", "\x80", func() []any { return []any{new(int), nil} }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var dict []byte
				switch tt.c {
				case codec.JSON:
					dict = []byte(` [ {"args":` + tt.args + `,"kwargs":` + tt.kwargs + `}]`)
				case codec.CBOR:
					dict = []byte("\x81\xa2\x64args" + tt.args + "\x66kwargs" + tt.kwargs)
				default:
					dict = []byte("\x91\x82\xa4args" + tt.args + "\xa6kwargs" + tt.kwargs)
				}
				r := wamptest.NewRouter(t)
				s := join(t, r, wamp.WithSerializers(tt.c), wamp.WithPayloadCodec(passThru(t, "x_custom", "")))
				sub, err := s.Subscribe(t.Context(), "com.example.topic")
				if err != nil {
					t.Fatal(err)
				}
				plain := proto.Message{Type: proto.Event, ID: sub.ID(), Publication: 5}
				native := proto.Message{Type: proto.Event, ID: sub.ID(), Publication: 6, Options: proto.Dict{{Key: proto.KeyPPTScheme, Value: "x_custom"}}}
				parts := codec.Raw(tt.c, []byte(tt.args), []byte(tt.kwargs))
				if name == "nothing" {
					parts = codec.Payload{}
				}
				if ok, err := r.Send(s.ID(), &plain, parts); err != nil || !ok {
					t.Fatal(err)
				}
				if ok, err := r.Send(s.ID(), &native, codec.Raw(tt.c, dict, nil)); err != nil || !ok {
					t.Fatal(err)
				}
				said := func(ev wamp.Event) string {
					args, err1 := ev.Args()
					kwargs, err2 := ev.Kwargs()
					into := tt.targets()
					err3 := ev.Scan(into...)
					out := fmt.Sprint(args, len(kwargs), kwargs["k"], err1 == nil, err2 == nil, err3 == nil)
					for _, v := range into {
						if v != nil {
							out += fmt.Sprintf(" %v", reflect.ValueOf(v).Elem())
						}
					}
					return out
				}
				if want, got := said(<-sub.Events()), said(<-sub.Events()); got != want {
					t.Errorf("%s, want %s", got, want)
				}
			})
		})
	}
}
