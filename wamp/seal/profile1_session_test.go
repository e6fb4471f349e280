package seal_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// fault is what a router does to one message with a sealed payload.
type fault struct {
	name   string
	change func(t *testing.T, x *wamptest.Exchange)
	want   error // nil: that of a message which came as it is
}

func options(change func(d proto.Dict) proto.Dict) func(*testing.T, *wamptest.Exchange) {
	return func(_ *testing.T, x *wamptest.Exchange) { x.Message.Options = change(x.Message.Options) }
}

func without(d proto.Dict, keys ...string) (out proto.Dict) {
	for _, e := range d {
		if !strings.HasPrefix(e.Key, "ppt_") || !strings.Contains(strings.Join(keys, " "), e.Key) {
			out = append(out, e)
		}
	}
	return out
}

func contentsOf(p func(data []byte) wamp.Payload) func(*testing.T, *wamptest.Exchange) {
	return func(t *testing.T, x *wamptest.Exchange) {
		var data []byte
		if err := x.Payload().Scan(&data); err != nil {
			t.Error(err)
		}
		if err := x.SetPayload(p(bytes.Clone(data))); err != nil {
			t.Error(err)
		}
	}
}

// faults are what a router, or whoever is on the way, can do to a payload.
var faults = []fault{
	{"a key taken off", options(func(d proto.Dict) proto.Dict { return without(d, "ppt_keyid") }), seal.ErrNoKey},
	{"another key", options(func(d proto.Dict) proto.Dict { return d.With("ppt_keyid", "none") }), seal.ErrNoKey},
	{"a cipher taken off", options(func(d proto.Dict) proto.Dict { return without(d, "ppt_cipher") }), seal.ErrFormat},
	{"another cipher", options(func(d proto.Dict) proto.Dict { return d.With("ppt_cipher", "aes256gcm") }), seal.ErrTampered},
	{"an unknown cipher", options(func(d proto.Dict) proto.Dict { return d.With("ppt_cipher", "chacha20poly1305") }), seal.ErrFormat},
	{"a serializer taken off", options(func(d proto.Dict) proto.Dict { return without(d, "ppt_serializer") }), seal.ErrFormat},
	{"another serializer", options(func(d proto.Dict) proto.Dict { return d.With("ppt_serializer", "flatbuffers") }), seal.ErrFormat},
	{"another scheme", options(func(d proto.Dict) proto.Dict { return d.With("ppt_scheme", "x_connectanum") }), seal.ErrFormat},
	{"a scheme taken off", options(func(d proto.Dict) proto.Dict { return without(d, "ppt_scheme") }), seal.ErrPlain},
	{"all taken off", options(func(d proto.Dict) proto.Dict {
		return without(d, "ppt_scheme", "ppt_serializer", "ppt_cipher", "ppt_keyid")
	}), seal.ErrPlain},
	{"a scheme that is a number", options(func(d proto.Dict) proto.Dict { return d.With("ppt_scheme", 1) }), errOdd},
	{"a key that is a list", options(func(d proto.Dict) proto.Dict { return d.With("ppt_keyid", []any{"k1"}) }), errOdd},
	{"a cipher that is null", options(func(d proto.Dict) proto.Dict { return d.With("ppt_cipher", nil) }), seal.ErrFormat},
	{"no argument", contentsOf(func([]byte) wamp.Payload { return wamp.Payload{} }), seal.ErrFormat},
	{"two arguments", contentsOf(func(d []byte) wamp.Payload { return wamp.Args(d, d) }), seal.ErrFormat},
	{"text", contentsOf(func(d []byte) wamp.Payload { return wamp.Args(string(bytes.ToValidUTF8(d, nil))) }), seal.ErrFormat},
	{"a list of numbers", contentsOf(func(d []byte) wamp.Payload { return wamp.Args([]int{1, 2}) }), seal.ErrFormat},
	{"a dict", contentsOf(func(d []byte) wamp.Payload { return wamp.Args(map[string]any{"args": []any{"forged"}}) }), seal.ErrFormat},
	{"keyword arguments", contentsOf(func(d []byte) wamp.Payload { return wamp.Args(d).With("more", 1) }), seal.ErrFormat},
	{"no byte", contentsOf(func(d []byte) wamp.Payload { return wamp.Args([]byte{}) }), seal.ErrTampered},
	{"half of it", contentsOf(func(d []byte) wamp.Payload { return wamp.Args(d[:len(d)/2]) }), seal.ErrTampered},
	{"a bit", contentsOf(func(d []byte) wamp.Payload { d[len(d)/2] ^= 1; return wamp.Args(d) }), seal.ErrTampered},
	{"broken inside", contentsOf(func([]byte) wamp.Payload {
		return wamp.Args(seal.SealRaw(seal.SecretBox, bytes.Repeat([]byte{1}, 32), []byte("\xa1\x64args\xa0")))
	}), seal.ErrFormat},
}

var errOdd = errors.New("an error that says what is odd")

// judge checks the error of a payload that something was done to.
func (f *fault) judge(t *testing.T, where string, p wamp.Payload) {
	t.Helper()
	var got any
	err := p.Scan(&got)
	_, err2 := p.Args()
	_, err3 := p.Kwargs()
	for _, err := range []error{err, err2, err3} {
		var bad *seal.PayloadError
		if !errors.As(err, &bad) || f.want != errOdd && !errors.Is(err, f.want) || got != nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v, %v", where, got, err)
		}
	}
	if f.want == errOdd && !strings.Contains(err.Error(), "ppt_") {
		t.Errorf("%s: %v", where, err)
	}
}

// What a router does to one message is an error of that message, of whatever type, in every
// serializer; the session and its other messages go on.
func TestProfile1Faults(t *testing.T) {
	for _, f := range faults {
		for _, cd := range codec.All() {
			t.Run(f.name+" "+cd.Name(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { faulty(t, &f, cd) })
			})
		}
	}
}

func faulty(t *testing.T, f *fault, cd codec.Codec) {
	var hit proto.MessageType
	r := wamptest.NewRouter(t, wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
		if x.Sent && x.Message.Type == hit {
			hit = 0 // the next one is none the worse
			f.change(t, x)
		}
		return wamptest.Pass()
	}))
	keys := wamp.WithPayloadCodec(profile1(t, nil, key("k1", "com.example", 1)))
	a, b := join(t, r, keys, wamp.WithSerializers(cd)), join(t, r, keys, wamp.WithSerializers(cd))
	ctx := t.Context()
	sub, err := b.Subscribe(ctx, "com.example.topic")
	if err != nil {
		t.Fatal(err)
	}
	var judged bool
	if _, err := b.Handle(ctx, "com.example.proc", func(_ context.Context, inv *wamp.Invocation) error {
		if judged {
			f.judge(t, "INVOCATION", inv.Payload)
			judged = false
		} else if text(t, inv.Payload) != secret {
			t.Error("another text")
		}
		if err := inv.Progress(payload()); err != nil {
			return err
		}
		if inv.Procedure() == "com.example.proc" && inv.Progressive() {
			return inv.Return(payload())
		}
		return wamp.NewError("com.example.error", payload())
	}); err != nil {
		t.Fatal(err)
	}
	set := func(typ proto.MessageType) { synctest.Wait(); hit = typ }

	set(proto.Event)
	a.Publish(ctx, "com.example.topic", payload())
	f.judge(t, "EVENT", (<-sub.Events()).Payload)
	a.Publish(ctx, "com.example.topic", payload())
	if ev := <-sub.Events(); text(t, ev.Payload) != secret {
		t.Error("another text")
	}

	judged = true
	set(proto.Invocation)
	if _, err := a.Call(ctx, "com.example.proc", payload()).Final(); wamp.ErrorURI(err) != "com.example.error" || judged {
		t.Errorf("%v, not seen: %v", err, judged)
	}

	set(proto.Result)
	n := 0
	for res := range a.Call(ctx, "com.example.proc", payload(), wamp.Progressive()) {
		if n++; n == 1 {
			f.judge(t, "RESULT", res.Payload)
		} else if res.Err != nil || text(t, res.Payload) != secret {
			t.Errorf("%+v", res)
		}
	}
	if n != 2 {
		t.Errorf("%d results", n)
	}

	set(proto.Error)
	_, err = a.Call(ctx, "com.example.proc", payload()).Final()
	var peer *wamp.Error
	if !errors.As(err, &peer) || peer.URI != "com.example.error" {
		t.Fatal(err)
	}
	if f.want != seal.ErrPlain { // errors may come as they are
		f.judge(t, "ERROR", peer.Payload)
	}
	if _, err = a.Call(ctx, "com.example.proc", payload()).Final(); !errors.As(err, &peer) || text(t, peer.Payload) != secret {
		t.Error(err)
	}
	if a.Err() != nil || b.Err() != nil {
		t.Errorf("%v, %v", a.Err(), b.Err())
	}
}
