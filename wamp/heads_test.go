package wamp_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// What a plain request says is the same whether its URI was named before or not, whatever
// others were in between, in each serializer.
func TestPlainRequests(t *testing.T) {
	payloads := []wamp.Payload{
		{}, wamp.Args(1, "two"), wamp.Kwargs(d{"k": 1}), wamp.Args("a").With("k", 2), wamp.Args(strings.Repeat("long ", 50)),
		wamp.Args(strings.Repeat("large ", 5000)), wamp.Args().Last(),
	}
	for _, c := range serializers {
		t.Run(c.Name(), func(t *testing.T) {
			wamp.ForgetHeads()
			synctest.Test(t, func(t *testing.T) {
				var got []proto.Message
				r := wamptest.NewRouter(t, wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
					if m := x.Message; !x.Sent && (m.Type == proto.Publish || m.Type == proto.Call) {
						got = append(got, proto.Message{Type: m.Type, URI: m.URI, Options: m.Options, Args: bytes.Clone(m.Args), Kwargs: bytes.Clone(m.Kwargs)})
					}
					return wamptest.Pass()
				}))
				s := join(t, r, wamp.WithSerializers(c))
				handle(t, s, "com.example", echo, wamp.Match(wamp.Prefix))
				var want []proto.Message
				for i := range 1200 {
					uri := fmt.Sprintf("com.example.n%d", i/3%400)
					if i%50 == 0 {
						uri += strings.Repeat(".and.further", 30)
					}
					p := payloads[i%len(payloads)]
					m := proto.Message{Type: proto.Publish, URI: uri}
					buf, n, err := p.Encode(c, nil)
					if err != nil {
						t.Fatal(err)
					}
					if n < len(buf) && n == 0 {
						m.Args, m.Kwargs = value(c.AppendValue(nil, []any{})), buf
					} else {
						m.Args, m.Kwargs = buf[:n], buf[n:]
					}
					if _, err := s.Publish(t.Context(), uri, p).Wait(); err != nil {
						t.Fatal(err)
					}
					want = append(want, m)
					m.Type = proto.Call
					if back, err := wamp.Call[wamp.Payload](t.Context(), s, uri, p); err != nil || !bytes.Equal(back.RawArgs(), argsBack(m)) {
						t.Fatal(back, err)
					}
					if _, err := s.Call(t.Context(), uri, p).Final(); err != nil {
						t.Fatal(err)
					}
					want = append(want, m, m)
				}
				synctest.Wait()
				kept := 0
				for i := range 400 {
					if wamp.HasHead(c, fmt.Sprintf("com.example.n%d", i)) {
						kept++
					}
				}
				if kept < 100 {
					t.Errorf("%d are kept", kept)
				}
				if len(got) != len(want) {
					t.Fatalf("%d messages, not %d", len(got), len(want))
				}
				for i, m := range got {
					if w := want[i]; m.Type != w.Type || m.URI != w.URI || len(m.Options) != 0 || !bytes.Equal(m.Args, w.Args) || !bytes.Equal(m.Kwargs, w.Kwargs) {
						t.Fatalf("%d: %+v, not %+v", i, m, w)
					}
				}
			})
		})
	}
}

// argsBack is what comes back of a message: null, and an empty list, are no arguments.
func argsBack(m proto.Message) []byte {
	if len(m.Args) == 0 {
		return nil
	}
	return m.Args
}

// A URI that is not valid is refused each time, and so is a payload that cannot be sent;
// what follows is not affected.
func TestPlainRequestsAreChecked(t *testing.T) {
	wamp.ForgetHeads()
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		handle(t, s, "com.example.echo", echo)
		defer func() {
			if !wamp.HasHead(s.Codec(), "com.example.echo") {
				t.Error("it took the way of others")
			}
		}()
		var uri *wamp.URIError
		var enc *wamp.EncodeError
		opaque := codec.Raw(codec.CBOR, []byte{0x42, 1, 2}, nil)
		for range 3 {
			for _, bad := range []string{"", "com..example", "com.exa mple", "com.example.", strings.Repeat("a#", 300)} {
				if _, err := s.Publish(t.Context(), bad, wamp.Args(1)).Wait(); !errors.As(err, &uri) {
					t.Errorf("publish %q: %v", bad, err)
				}
				if _, err := wamp.Call[int](t.Context(), s, bad, wamp.Args(1)); !errors.As(err, &uri) {
					t.Errorf("call %q: %v", bad, err)
				}
			}
			if _, err := s.Publish(t.Context(), "com.example.echo", wamp.Args(func() {})).Wait(); !errors.As(err, &enc) {
				t.Errorf("publish: %v", err)
			}
			if _, err := wamp.Call[int](t.Context(), s, "com.example.echo", wamp.Args(func() {})); !errors.As(err, &enc) {
				t.Errorf("call: %v", err)
			}
			if _, err := wamp.Call[int](t.Context(), s, "com.example.echo", opaque); err == nil || !strings.Contains(err.Error(), "encrypted form") {
				t.Errorf("call: %v", err)
			}
			if n, err := wamp.Call[int](t.Context(), s, "com.example.echo", wamp.Args(7)); n != 7 || err != nil {
				t.Errorf("call: %d, %v", n, err)
			}
		}
	})
}
