package seal_test

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func passThru(t *testing.T, scheme, serializer string) seal.Codec {
	t.Helper()
	c, err := seal.PassThru(scheme, serializer)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var serializers = []string{"", "native", "json", "msgpack", "cbor"}

func TestPassThruIsForSchemesOfOnesOwn(t *testing.T) {
	for _, tt := range [][2]string{{"", "cbor"}, {"wamp", "cbor"}, {"mqtt", ""}, {"X_a", "cbor"}, {"x_", "cbor"}, {"x_\xff", "cbor"}, {seal.Scheme, "cbor"}, {"x_a", "flatbuffers"}, {"x_a", "CBOR"}} {
		if c, err := seal.PassThru(tt[0], tt[1]); err == nil || c != nil || !strings.HasPrefix(err.Error(), "seal: ") {
			t.Errorf("%q: %v, %v", tt, c, err)
		}
	}
}

// foreign are PUBLISH messages of other clients, see testdata/README.
type foreign struct {
	client, session, serializer, contents string
	message                               []byte
}

func foreigners(t *testing.T) (all []foreign) {
	t.Helper()
	file, err := os.ReadFile("testdata/passthru.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(file)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		message, err := hex.DecodeString(f[4])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, foreign{f[0], f[1], f[2], f[3], message})
	}
	if len(all) != 105 {
		t.Fatalf("%d messages", len(all))
	}
	return all
}

// What wampy.js and nexus send opens, in whatever form, but for bytes of wampy.js in a session
// in JSON, which it sends as a dict of Node's that nobody reads, itself included.
func TestPassThruOpensOthers(t *testing.T) {
	args, kwargs := []any{int64(1), "zwei", nil, 3.5}, map[string]any{"k": true}
	wants := map[string]struct {
		args   []any
		kwargs map[string]any
	}{"args": {args, nil}, "both": {args, kwargs}, "kwargs": {nil, map[string]any{"k": int64(1)}}, "nothing": {}}
	for _, f := range foreigners(t) {
		t.Run(strings.Join([]string{f.client, f.session, f.serializer, f.contents}, " "), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := codec.ByName(f.session)
				var m proto.Message
				if err := c.NewParser(codec.Limits{}).Parse(f.message, &m); err != nil {
					t.Fatal(err)
				}
				r := wamptest.NewRouter(t)
				s := join(t, r, wamp.WithSerializers(c), wamp.WithPayloadCodec(passThru(t, "x_custom", "")))
				sub, err := s.Subscribe(t.Context(), m.URI)
				if err != nil {
					t.Fatal(err)
				}
				event := proto.Message{Type: proto.Event, ID: sub.ID(), Publication: 5, Options: m.Options}
				if ok, err := r.Send(s.ID(), &event, codec.Received(c, &m)); err != nil || !ok {
					t.Fatal(err)
				}
				ev := <-sub.Events()
				gotArgs, err1 := ev.Args()
				gotKwargs, err2 := ev.Kwargs()
				err = errors.Join(err1, err2)
				if f.client[0] == 'w' && f.session == "json" && (f.serializer == "msgpack" || f.serializer == "cbor") {
					if !errors.Is(err, seal.ErrFormat) {
						t.Errorf("%v, %v, %v", gotArgs, gotKwargs, err)
					}
					return
				}
				want := wants[f.contents]
				if err != nil || !reflect.DeepEqual(gotArgs, want.args) || !reflect.DeepEqual(gotKwargs, want.kwargs) {
					t.Errorf("%v, %v, %v", gotArgs, gotKwargs, err)
				}
			})
		})
	}
}

// What is sent is what nexus sends, byte for byte, but for JSON in which nexus has no binary
// of WAMP's.
func TestPassThruSealsAsNexus(t *testing.T) {
	payloads := map[string]codec.Payload{"args": codec.Args(1, "zwei", nil, 3.5), "both": codec.Args(1, "zwei", nil, 3.5).With("k", true),
		"kwargs": codec.Kwargs(map[string]any{"k": 1}), "nothing": {}}
	compared := 0
	for _, f := range foreigners(t) {
		if f.client[0] != 'n' || f.session == "json" || f.serializer == "-" || f.serializer == "native" {
			continue
		}
		compared++
		c, _ := codec.ByName(f.session)
		var m proto.Message
		if err := c.NewParser(codec.Limits{}).Parse(f.message, &m); err != nil {
			t.Fatal(err)
		}
		o, err := passThru(t, "x_custom", f.serializer).Seal(anywhere, payloads[f.contents])
		if err != nil {
			t.Fatal(err)
		}
		var data []byte
		if err := codec.Received(c, &m).Scan(&data); err != nil || string(data) != string(o.Data) || o.Scheme != "x_custom" || o.Serializer != f.serializer {
			t.Errorf("%s %s: %q, %v, want %q", f.serializer, f.contents, o.Data, err, data)
		}
	}
	if compared != 24 {
		t.Errorf("%d messages", compared)
	}
}

// Everything that has a payload, in every form and serializer, there and back.
func TestPassThruEndToEnd(t *testing.T) {
	for _, form := range serializers {
		for _, cd := range codec.All() {
			for _, far := range codec.All() {
				t.Run(strings.Join([]string{form, cd.Name(), far.Name()}, " "), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { passEverything(t, form, cd, far) })
				})
			}
		}
	}
}

func passEverything(t *testing.T, form string, near, far codec.Codec) {
	sent := 0
	r := wamptest.NewRouter(t, wamptest.WithHistory(10), wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
		d := x.Message.Options
		if d.Str(proto.KeyPPTScheme) == "x_custom" && !x.Sent {
			sent++
			if d.Str(proto.KeyPPTSerializer) != form || d.Has(proto.KeyPPTCipher) || d.Has(proto.KeyPPTKeyID) || x.Payload().NArgs() != 1 || x.Message.Kwargs != nil {
				t.Errorf("%v %v", x.Message.Type, d.Map())
			}
			var bytes []byte
			if native := form == "" || form == "native"; (x.Payload().Scan(&bytes) != nil) != native {
				t.Errorf("%v has bytes", x.Message.Type)
			}
		}
		return wamptest.Pass()
	}))
	own := func() wamp.Option { return wamp.WithPayloadCodec(passThru(t, "x_custom", form)) }
	a, b := join(t, r, own(), wamp.WithSerializers(near)), join(t, r, own(), wamp.WithSerializers(far))
	ctx := t.Context()
	sub, err := b.Subscribe(ctx, "com.example.topic")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Publish(ctx, "com.example.topic", payload(), wamp.Acknowledge(), wamp.Retain()).Wait(); err != nil {
		t.Fatal(err)
	}
	if err := a.AddTestament(ctx, wamp.Destroyed, "com.example.topic", payload()); err != nil {
		t.Fatal(err)
	}
	late, err := b.Subscribe(ctx, "com.example.topic", wamp.GetRetained())
	if err != nil {
		t.Fatal(err)
	}
	for _, ev := range []wamp.Event{<-sub.Events(), <-late.Events()} {
		if text(t, ev.Payload) != secret {
			t.Error("another text")
		}
	}
	for name, h := range map[string]wamp.Handler{
		"com.example.echo": func(_ context.Context, inv *wamp.Invocation) error {
			if err := inv.Progress(inv.Payload); err != nil { // which was opened, and goes again
				return err
			}
			return inv.Return(inv.Payload)
		},
		"com.example.fails": func(_ context.Context, inv *wamp.Invocation) error {
			return wamp.NewError("com.example.error", inv.Payload)
		},
		"com.example.upload": func(_ context.Context, inv *wamp.Invocation) error {
			n := 0
			for p := range inv.Chunks() {
				if n++; text(t, p) != secret {
					t.Error("another text")
				}
			}
			return inv.Return(wamp.Args(n))
		},
	} {
		if _, err := b.Handle(ctx, name, h); err != nil {
			t.Fatal(err)
		}
	}
	for res := range a.Call(ctx, "com.example.echo", payload(), wamp.Progressive()) {
		if res.Err != nil || text(t, res.Payload) != secret {
			t.Errorf("%+v", res)
		}
	}
	var peer *wamp.Error
	if _, err := a.Call(ctx, "com.example.fails", payload()).Final(); !errors.As(err, &peer) || peer.URI != "com.example.error" || text(t, peer.Payload) != secret {
		t.Error(err)
	}
	sum, err := a.CallFunc(ctx, "com.example.upload", func(_ context.Context, send func(wamp.Payload) error) error {
		return errors.Join(send(payload()), send(payload()))
	}).Final()
	var n int
	if err != nil || sum.Scan(&n) != nil || n != 2 {
		t.Errorf("%d chunks, %v", n, err)
	}
	r.Cut(a.ID())
	if ev := <-sub.Events(); text(t, ev.Payload) != secret {
		t.Error("another text in the testament")
	}
	events, err := sub.History(ctx, wamp.HistoryQuery{})
	if err != nil || len(events) != 2 {
		t.Fatal(err)
	}
	for ev := range events {
		if text(t, ev.Payload) != secret {
			t.Error("another text")
		}
	}
	if sent < 7 {
		t.Errorf("%d messages", sent)
	}
}

// Where something must be sealed, a payload that is passed through is no way around it, in
// whatever form; and who passes through takes no other scheme's.
func TestPassThruIsNoEncryption(t *testing.T) {
	boxed, err := seal.NewCryptobox([]seal.BoxKey{{Private: curve(1), Public: pub(t, 2)}}, true)
	if err != nil {
		t.Fatal(err)
	}
	k := key("k1", "com.example", 1)
	lenient := profile1(t, []seal.Profile1Option{seal.AllowPlain()}, k)
	for name, c := range map[string]seal.Codec{"ring": ring(t, k), "profile 1": profile1(t, nil, k), "lenient": lenient, "cryptobox": boxed, "another": passThru(t, "x_other", "cbor")} {
		for _, form := range serializers {
			for _, cd := range codec.All() {
				t.Run(strings.Join([]string{name, form, cd.Name()}, " "), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						r := wamptest.NewRouter(t)
						a := join(t, r, wamp.WithSerializers(cd), wamp.WithPayloadCodec(passThru(t, "x_custom", form)))
						b := join(t, r, wamp.WithPayloadCodec(c))
						sub, err := b.Subscribe(t.Context(), "com.example.topic")
						if err != nil {
							t.Fatal(err)
						}
						a.Publish(t.Context(), "com.example.topic", wamp.Args("forged"))
						ev := <-sub.Events()
						var got string
						if err := ev.Scan(&got); !errors.Is(err, seal.ErrFormat) || got != "" {
							t.Errorf("%q, %v", got, err)
						}
					})
				})
			}
		}
	}
}

func TestPassThruRefuses(t *testing.T) {
	c := passThru(t, "x_a", "cbor")
	dict := map[string]any{"args": []any{1}}
	for name, o := range map[string]seal.Opaque{
		"another scheme":        {Scheme: "x_b", Serializer: "json", Data: []byte("{}")},
		"Autobahn's":            {Autobahn: true, Scheme: "x_a", Serializer: "json", Data: []byte("{}")},
		"another serializer":    {Scheme: "x_a", Serializer: "flatbuffers", Data: []byte("{}")},
		"bytes, native":         {Scheme: "x_a", Serializer: "native", Data: []byte("{}")},
		"bytes, none named":     {Scheme: "x_a", Data: []byte("{}")},
		"text, native":          {Scheme: "x_a", Serializer: "native", Value: "{}"},
		"a dict, not native":    {Scheme: "x_a", Serializer: "json", Value: dict},
		"nothing":               {Scheme: "x_a", Serializer: "json"},
		"no dict":               {Scheme: "x_a", Serializer: "json", Data: []byte("[]")},
		"no text of JSON":       {Scheme: "x_a", Serializer: "json", Value: "hello?"},
		"no base64":             {Scheme: "x_a", Serializer: "cbor", Value: "{}"},
		"cut short":             {Scheme: "x_a", Serializer: "json", Data: []byte(`{"args":[`)},
		"args no list":          {Scheme: "x_a", Serializer: "json", Data: []byte(`{"args":1}`)},
		"args no list, native":  {Scheme: "x_a", Value: map[string]any{"args": "a"}},
		"kwargs none, native":   {Scheme: "x_a", Value: map[string]any{"kwargs": []any{}}},
		"another tag, native":   {Scheme: "x_a", Value: map[string]any{"kwargs": codec.Tag{Number: 1, Content: []byte{0}}}},
		"a longer tag, native":  {Scheme: "x_a", Value: map[string]any{"kwargs": codec.Tag{Content: []byte{0, 0}}}},
		"a tag of CBOR, native": {Scheme: "x_a", Value: map[string]any{"kwargs": codec.Tag{Content: "text"}}},
	} {
		if p, err := c.Open(anywhere, &o); !errors.Is(err, seal.ErrFormat) {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
	for _, form := range serializers {
		if _, err := passThru(t, "x_a", form).Seal(anywhere, wamp.Args(func() {})); err == nil {
			t.Errorf("%s: a function is sent", form)
		}
	}
	if c.Plain(anywhere) != nil {
		t.Error("plain payloads are refused")
	}
}
