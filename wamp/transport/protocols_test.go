package transport_test

import (
	"slices"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// The names of protocols and serializers, and the forms of a protocol, belong together.
func TestProtocols(t *testing.T) {
	batched := transport.BatchedProtocols()
	ids := map[byte]bool{0: true}
	for i, p := range transport.Protocols() {
		name := p.Serializer()
		if p.Name != "wamp.2."+name || ids[p.RawSocketID] || p.RawSocketID > 15 || p.Batched {
			t.Errorf("%+v", p)
		}
		ids[p.RawSocketID] = true
		b := batched[i]
		if b != (transport.Protocol{Name: p.Name + ".batched", Text: p.Text, Batched: true}) || b.Serializer() != name {
			t.Errorf("%+v is no form of %+v", b, p)
		}
		for _, p := range []transport.Protocol{p, b} {
			if got, ok := transport.ProtocolByName(p.Name); !ok || got != p {
				t.Errorf("%s is %+v", p.Name, got)
			}
		}
	}
	for _, name := range []string{"", "cbor", "wamp.3.cbor", "wamp.2."} {
		if got := (transport.Protocol{Name: name}).Serializer(); got != "" {
			t.Errorf("%q has serializer %q", name, got)
		}
	}
}

func TestOffer(t *testing.T) {
	for _, tt := range []struct {
		batches     bool
		serializers []string
		want        []string
	}{
		{false, []string{"json", "cbor"}, []string{"wamp.2.json", "wamp.2.cbor"}},
		{true, []string{"json", "cbor"}, []string{"wamp.2.json.batched", "wamp.2.json", "wamp.2.cbor.batched", "wamp.2.cbor"}},
		{false, nil, nil},
		{false, []string{"cbor", "ubjson"}, nil},
		{true, []string{"cbor.batched"}, nil},
	} {
		all, err := transport.Offer(tt.batches, tt.serializers...)
		var got []string
		for _, p := range all {
			got = append(got, p.Name)
			if known, ok := transport.ProtocolByName(p.Name); !ok || known != p {
				t.Errorf("%+v is no standard protocol", p)
			}
		}
		if !slices.Equal(got, tt.want) || (err != nil) != (tt.want == nil && tt.serializers != nil) {
			t.Errorf("%v: %v, %v", tt.serializers, got, err)
		}
	}
}
