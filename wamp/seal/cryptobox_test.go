package seal_test

import (
	"context"
	"encoding/hex"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// What autobahn-python 26.10.2 with PyNaCl 1.6.2 has sealed, with curve(1) as the
// originator's key and curve(2) as the responder's.
func TestAutobahnGolden(t *testing.T) {
	c, err := seal.NewCryptobox([]seal.BoxKey{{Private: curve(2), Public: pub(t, 1)}}, false)
	if err != nil {
		t.Fatal(err)
	}
	about := seal.About{Kind: seal.KindPublish, URI: "com.example.topic"}
	for data, want := range map[string]struct {
		args   []any
		kwargs map[string]any
	}{
		"8dc1d3b0712c63c32b90b50ef292d50a0f3caf6ddfd6cbbcb827a8bc99fa41cb0485c3e1d9e54147632a7130b72ba8da080a15d8e19eb39fec43efe6ebb63810" +
			"a7366067a9839f80d081a04aea90ecb1695752d95d695fe099b3698afcf1cedf3d13e3081efe7ef4cefe749bf8521184": {[]any{int64(1), "zwei", nil}, map[string]any{"drei": 3.5}},
		"859ee3abbc34f68c78eacc2c497cda62a6aad0d962fbe225b010883be14a8ae10cba224138afd430ee16388f91014a9704fd78fbc269df0b8e5d0185fdf175ae" +
			"7ae79286cd6e4eb94fd076e91cfac5c4bdce5decdaed3d5efc9d3692e2": {nil, nil},
	} {
		raw, err := hex.DecodeString(data)
		if err != nil {
			t.Fatal(err)
		}
		o := &seal.Opaque{Autobahn: true, Cipher: "cryptobox", Serializer: "json", Data: raw}
		p, err := c.Open(about, o)
		if err != nil {
			t.Fatal(err)
		}
		args, _ := p.Args()
		kwargs, _ := p.Kwargs()
		if !reflect.DeepEqual(args, want.args) || !reflect.DeepEqual(kwargs, want.kwargs) {
			t.Errorf("%v, %v", args, kwargs)
		}
		if _, err := c.Open(seal.About{Kind: seal.KindPublish, URI: "com.example.other"}, o); err == nil {
			t.Error("opened under another URI")
		}
		raw[30] ^= 1
		if _, err := c.Open(about, o); !errors.Is(err, seal.ErrTampered) {
			t.Error(err)
		}
	}
}

// An error whose own URI has no key is not sent as it is where its procedure has
// one.
func TestCryptoboxErrorOfOtherURI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.CrossbarQuirks(), wamptest.WithHook(nosy(t)))
		keyed := func(private, public byte) wamp.Option {
			box, err := seal.NewCryptobox([]seal.BoxKey{{Prefix: "com.example.", Private: curve(private), Public: pub(t, public)}}, false)
			if err != nil {
				t.Fatal(err)
			}
			return wamp.WithPayloadCodec(box)
		}
		a, b := join(t, r, keyed(1, 2)), join(t, r, keyed(2, 1))
		if _, err := b.Handle(t.Context(), "com.example.proc", func(context.Context, *wamp.Invocation) error {
			return wamp.NewError("org.other.error", payload())
		}); err != nil {
			t.Fatal(err)
		}
		_, err := a.Call(t.Context(), "com.example.proc", payload()).Final()
		var peer *wamp.Error
		if !errors.As(err, &peer) || peer.URI != "org.other.error" || text(t, peer.Payload) != secret {
			t.Error(err)
		}
	})
}
