package wamp_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
)

var invocationCases = []struct {
	name    string
	options []wamp.RegisterOption
	play    func(h *handleRig)
	want    string
}{
	{"break and go on", nil, func(h *handleRig) {
		h.put(0, 100)
		h.take(1)
		h.take(40)
		h.put(100, 110)
		h.take(69)
		h.answered()
	}, "0; 1-40; 41-109; 110 results, 0 refused, 0 others"},
	{"Unregister", nil, func(h *handleRig) {
		h.put(0, 100)
		h.take(3) // what the loop had in its hand is refused too
		h.leave()
		h.answered()
		h.take(-1)
	}, "0-2; 3 results, 97 refused, 0 others; ; end"},
	{"ctx", nil, func(h *handleRig) {
		h.put(0, 100)
		h.take(3)
		h.cancel()
		synctest.Wait()
		h.answered()
		h.take(-1)
	}, "0-2; 3 results, 97 refused, 0 others; ; canceled"},
	{"revoked", nil, func(h *handleRig) {
		h.put(0, 100)
		h.take(3)
		h.r.RevokeRegistration(h.reg.ID(), "com.example.reason")
		synctest.Wait()
		h.take(-1)
		h.answered()
	}, "0-2; ; revoked; 3 results, 97 refused, 0 others"},
	{"Drain", nil, func(h *handleRig) {
		h.put(0, 100)
		h.take(3)
		wait := h.later()
		if err := h.s.Drain(h.t.Context()); err != nil {
			h.t.Error(err)
		}
		wait()
		h.answered()
	}, "0-2; 3-99; end; 100 results, 0 refused, 0 others"},
	{"OverflowFail", []wamp.RegisterOption{wamp.Buffer(50, 0)}, func(h *handleRig) {
		h.put(0, 200)
		refused := int(h.reg.Refused())
		h.note("held: %v", 200-refused >= 50 && 200-refused <= 50+16+inHand+2)
		left := 200 - refused
		_ = h.way.invocations(h.reg, func(inv *wamp.Invocation) bool {
			_ = inv.Return(inv.Payload)
			left--
			return left > 0
		})
		h.put(200, 201)
		h.take(1)
	}, "held: true; 200"},
	{"OverflowBlock", []wamp.RegisterOption{wamp.Buffer(20, 0), wamp.OverflowBlock()}, func(h *handleRig) {
		h.put(0, 200)
		h.take(200)
		h.answered()
	}, "0-199; 200 results, 0 refused, 0 others"},
	{"Close", nil, func(h *handleRig) {
		h.put(0, 100)
		h.take(3)
		h.close(time.Minute)
		n := 0
		told := h.way.invocations(h.reg, func(inv *wamp.Invocation) bool {
			n++
			return true
		})
		h.note("%d, %s", n, endOf(told))
	}, "0-2; Close in 1s: <nil>; 16, closed, 81 lost"},
	{"the link is lost", nil, func(h *handleRig) {
		h.put(0, 100)
		h.take(3)
		h.r.Cut(h.s.ID())
		<-time.After(time.Hour)
		n := 0
		told := h.way.invocations(h.reg, func(inv *wamp.Invocation) bool {
			n++
			return inv.Context().Err() != nil
		})
		h.note("%d, %s", n, endOf(told))
	}, "0-2; 97, link lost"},
}

func TestInvocationsByEachWay(t *testing.T) {
	for _, c := range invocationCases {
		for _, w := range handleWays {
			t.Run(c.name+"/"+w.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := &handleRig{t: t, way: w}
					h.r, h.s, h.peer = slowRig(t)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					h.cancel = cancel
					var err error
					if h.reg, err = h.s.Register(ctx, "com.example.procedure", c.options...); err != nil {
						t.Fatal(err)
					}
					if w.name == "channel" {
						h.reg.Invocations()
					}
					c.play(h)
					if got := strings.Join(h.log, "; "); got != c.want {
						t.Errorf("\n got %s\nwant %s", got, c.want)
					}
				})
			})
		}
	}
}
