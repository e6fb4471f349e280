package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// taken are the values of the events that come, or their errors, as text.
func taken[T any](sub *wamp.Subscription, n int) (out []string) {
	for ev, err := range wamp.Events[T](sub) {
		switch {
		case err != nil && !reflect.ValueOf(ev.Value).IsZero():
			out = append(out, fmt.Sprintf("%v beside %v", ev.Value, err))
		case err != nil:
			out = append(out, err.Error())
		default:
			out = append(out, fmt.Sprint(ev.Value))
		}
		if len(out) == n {
			break
		}
	}
	return out
}

// tell publishes one event.
func tell(t *testing.T, s *wamp.Session, p wamp.Payload) {
	t.Helper()
	if _, err := s.Publish(t.Context(), "com.example.topic", p, wamp.Acknowledge()).Wait(); err != nil {
		t.Fatal(err)
	}
}

// One event that does not decode is an error, and those behind it come.
func TestEvents(t *testing.T) {
	payloads := []wamp.Payload{
		wamp.Args(7), wamp.Args("seven"), wamp.Kwargs(d{"a": 1, "b": "x"}), wamp.Args(pair{2, "y"}), wamp.Args(d{"a": 3, "b": 4}),
		wamp.Args(), wamp.Args(1, 2), wamp.Args(8),
	}
	const at = "wamp: event com.example.topic: "
	for name, row := range map[string]struct {
		take func(*wamp.Subscription, int) []string
		want []string
	}{
		"int": {taken[int], []string{
			"7", at + "args[0]", at + "the event has only keyword", at + "args[0]", at + "args[0]", at + "the event is empty", at + "the event has 2 arguments", "8",
		}},
		"struct": {taken[pair], []string{
			at + "args[0]", at + "args[0]", "{1 x}", "{2 y}", at + "args[0].b", at + "the event is empty", at + "the event has 2", at + "args[0]",
		}},
		"nothing": {taken[struct{}], []string{"{}", "{}", "{}", "{}", "{}", "{}", "{}", "{}"}},
	} {
		for _, c := range serializers {
			t.Run(name+"/"+c.Name(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := wamptest.NewRouter(t)
					s, other := join(t, r, wamp.WithSerializers(c)), join(t, r, wamp.WithSerializers(c))
					sub := subscribe(t, s, "com.example.topic")
					for _, p := range payloads {
						tell(t, other, p)
					}
					got := row.take(sub, len(row.want))
					for i, want := range row.want {
						if i >= len(got) || !strings.HasPrefix(got[i], want) || want == "" {
							t.Errorf("%d: %q, want %q", i, got, want)
						}
					}
				})
			})
		}
	}
}

// The loop ends as that of All does.
func TestEventsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		for ev, err := range wamp.Events[int](nil) {
			if err == nil || ev.Value != 0 {
				t.Errorf("of nothing: %v, %v", ev, err)
			}
		}
		sub := subscribe(t, s, "com.example.topic")
		tell(t, join(t, r), wamp.Args(7))
		for ev, err := range wamp.Events[int](sub) {
			if ev.Value != 7 || err != nil || ev.Publication == 0 {
				t.Errorf("%v, %v", ev, err)
			}
			break
		}
		ctx, cancel := context.WithCancel(t.Context())
		short, err := s.Subscribe(ctx, "com.example.short")
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		n := 0
		for _, err = range wamp.Events[int](short) {
			n++
		}
		if n != 1 || !errors.Is(err, context.Canceled) {
			t.Errorf("%d pairs, %v", n, err)
		}
		if err := sub.Unsubscribe(t.Context()); err != nil {
			t.Fatal(err)
		}
		for ev, err := range wamp.Events[int](sub) {
			t.Errorf("after Unsubscribe: %v, %v", ev, err)
		}
	})
}
