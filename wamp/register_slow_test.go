package wamp_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func TestSlowRegistrationRefuses(t *testing.T) {
	const n, bound = 500, 100
	for name, buffer := range map[string]wamp.StreamOption{
		"by messages": wamp.Buffer(bound, 0),
		"by bytes":    wamp.Buffer(0, bound*260),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var p tap
				_, s, callee := slowRig(t, wamptest.WithHook(p.hook))
				reg, err := callee.Register(t.Context(), "com.example.slow", buffer)
				if err != nil {
					t.Fatal(err)
				}
				calls := make([]wamp.Results, n)
				for i := range calls {
					calls[i] = s.Call(t.Context(), "com.example.slow", wamp.Args(i))
				}
				synctest.Wait()
				refused := int(reg.Refused())
				if got := n - refused; got < bound || got > bound+16+inHand+2 {
					t.Errorf("it took %d, its bound is %d", got, bound)
				}
				if st := callee.Stats(); st.Refused != uint64(refused) || st.Tables.Invocations != n-refused {
					t.Errorf("Stats: refused %d, running %d; Refused says %d", st.Refused, st.Tables.Invocations, refused)
				}
				errorsSent := 0
				for _, m := range p.take(proto.Error) {
					if m.session == callee.ID() && m.RequestType == proto.Invocation && m.URI == proto.ErrURIUnavailable {
						errorsSent++
					}
				}
				if errorsSent != refused {
					t.Errorf("%d invocations were answered unavailable, Refused says %d", errorsSent, refused)
				}
				alive(t, s)
				taken := make(map[int]bool)
				for i, last := 0, -1; i < n-refused; i++ { // in order, and the first ones are among them
					inv := <-reg.Invocations()
					now := number(t, inv.Payload)
					if now <= last || i < bound && now != i {
						t.Fatalf("invocation %d is %d, behind %d", i, now, last)
					}
					taken[now], last = true, now
					if err := inv.Return(inv.Payload); err != nil {
						t.Error(err)
					}
				}
				for i, c := range calls {
					r, err := c.Final()
					switch {
					case taken[i] && (err != nil || number(t, r.Payload) != i):
						t.Fatalf("call %d: %v", i, err)
					case !taken[i] && !errors.Is(err, wamp.ErrNoAvailableCallee):
						t.Fatalf("call %d was not refused: %v", i, err)
					}
				}
				r := s.Call(t.Context(), "com.example.slow", wamp.Args(n)) // there is room again
				inv := <-reg.Invocations()
				if err := inv.Return(); err != nil {
					t.Error(err)
				}
				if _, err := r.Final(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestSlowRegistrationBlocks(t *testing.T) {
	const n = 1000
	synctest.Test(t, func(t *testing.T) {
		_, s, callee := slowRig(t)
		reg, err := callee.Register(t.Context(), "com.example.slow", wamp.Buffer(10, 0), wamp.OverflowBlock())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		calls := make([]wamp.Results, n)
		for i := range calls {
			calls[i] = s.Call(ctx, "com.example.slow", wamp.Args(i))
		}
		synctest.Wait()
		waiting := callee.Call(t.Context(), "com.example.echo", wamp.Args(1))
		synctest.Wait()
		if len(waiting) > 0 {
			t.Fatal("the link is not held back")
		}
		for i := range n {
			inv := <-reg.Invocations()
			if number(t, inv.Payload) != i {
				t.Fatalf("invocation %d is %d", i, number(t, inv.Payload))
			}
			_ = inv.Return(inv.Payload)
		}
		for i, c := range calls {
			if r, err := c.Final(); err != nil || number(t, r.Payload) != i {
				t.Fatalf("call %d: %v", i, err)
			}
		}
		if _, err := waiting.Final(); err != nil || reg.Refused() != 0 {
			t.Errorf("%d refused: %v", reg.Refused(), err)
		}
	})
}
