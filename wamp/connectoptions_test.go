package wamp_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Each serializer, batched, over a real WebSocket: events and calls in bursts
// arrive whole and in order; where there is no batched form, the plain one does.
func TestBatching(t *testing.T) {
	r := wamptest.NewRouter(t)
	address, err := r.ListenWebSocket("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := r.ListenRawSocket("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	plainRouter := wamptest.NewRouter(t, wamptest.WithProtocols(namesOf(transport.Protocols())...))
	plain, err := plainRouter.ListenWebSocket("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for _, cd := range serializers {
		for name, tt := range map[string]struct {
			address   string
			separator byte
			want      string
		}{
			"batched":              {address, 0, ".batched"},
			"Crossbar's separator": {address, 0x18, ".batched"},
			"not at this router":   {plain, 0, ""},
			"RawSocket":            {raw, 0, ""},
		} {
			t.Run(cd.Name()+" "+name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				s, err := wamp.Connect(ctx, tt.address, "realm1", wamp.WithSerializers(cd), wamp.WithBatching(tt.separator))
				if err != nil {
					t.Fatal(err)
				}
				defer closeIt(t, s)
				if got := s.Details().Protocol; got != "wamp.2."+cd.Name()+tt.want {
					t.Errorf("protocol %s", got)
				}
				sub := subscribe(t, s, "com.example.topic")
				const count = 3000
				text := strings.Repeat("x", 100)
				publish(t, s, "com.example.unheard", 0, 1)
				for i := range count {
					s.Publish(ctx, "com.example.topic", wamp.Args(i, text), wamp.ExcludeMe(false))
				}
				for i := range count {
					ev := <-sub.Events()
					var got string
					if ev.Scan(nil, &got) != nil || number(t, ev.Payload) != i || got != text {
						t.Fatalf("event %d: %s", i, got)
					}
				}
			})
		}
	}
	if _, err := wamp.Connect(t.Context(), address, "realm1", wamp.WithBatching(7)); err == nil {
		t.Error("a separator that is none")
	}
	// With several serializers each is offered in both forms, by preference.
	s, err := wamp.Connect(t.Context(), address, "realm1", wamp.WithSerializers(codec.JSON, codec.CBOR), wamp.WithBatching(0))
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, s)
	if got := s.Details().Protocol; got != "wamp.2.json.batched" {
		t.Errorf("protocol %s", got)
	}
}
