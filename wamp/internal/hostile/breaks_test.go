package hostile_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// The tests of this file are what breaks in WAMP clients that exist: each row
// of that list which is about one session is a test here.

// rounds is how often a race is tried.
const rounds = 5000

// eventBehindSubscribed: the EVENT in the same write as SUBSCRIBED arrives.
func eventBehindSubscribed(t *testing.T, r *wamptest.Router, s *wamp.Session, n int) {
	r.SetHook(behind(proto.Subscribed, func(x *wamptest.Exchange) *proto.Message {
		return &proto.Message{Type: proto.Event, ID: x.Message.ID, Publication: 1}
	}))
	defer r.SetHook(nil)
	for i := range n {
		sub, err := s.Subscribe(t.Context(), "com.example.topic")
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-sub.Events():
		case <-time.After(5 * time.Second):
			t.Fatalf("round %d: the event behind SUBSCRIBED was lost", i)
		}
		if err := sub.Unsubscribe(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// invocationBehindRegistered: the INVOCATION in the same write as REGISTERED
// arrives.
func invocationBehindRegistered(t *testing.T, r *wamptest.Router, s *wamp.Session, n int) {
	var id atomic.Uint64
	r.SetHook(behind(proto.Registered, func(x *wamptest.Exchange) *proto.Message {
		return &proto.Message{Type: proto.Invocation, Request: proto.ID(1_000_000 + id.Add(1)), ID: x.Message.ID}
	}))
	defer r.SetHook(nil)
	for i := range n {
		reg, err := s.Register(t.Context(), "com.example.proc")
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-reg.Invocations(): // never answered: the router does not know of it
		case <-time.After(5 * time.Second):
			t.Fatalf("round %d: the invocation behind REGISTERED was lost", i)
		}
		if err := reg.Unregister(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBreaksBehindAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		eventBehindSubscribed(t, r, s, rounds)
	})
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		invocationBehindRegistered(t, r, s, rounds)
	})
}

func TestBreaksBehindAcknowledgementOverSockets(t *testing.T) {
	for name, listen := range listeners {
		t.Run(name, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			address, err := listen(t, r)
			if err != nil {
				t.Fatal(err)
			}
			s, err := wamp.Connect(t.Context(), address, "realm1")
			if err != nil {
				t.Fatal(err)
			}
			defer closeIt(t, s)
			eventBehindSubscribed(t, r, s, rounds)
			invocationBehindRegistered(t, r, s, rounds)
		})
	}
}

func TestBreaksBusyHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		handle(t, s, "com.example.slow", func(context.Context, *wamp.Invocation) error {
			<-time.After(2 * time.Second)
			return nil
		})
		handle(t, s, "com.example.echo", echo)
		start := time.Now()
		slow := s.Call(t.Context(), "com.example.slow", wamp.Args())
		synctest.Wait()
		if _, err := s.Call(t.Context(), "com.example.echo", wamp.Args(1)).Final(); err != nil || time.Since(start) > 0 {
			t.Errorf("an unrelated call took %v: %v", time.Since(start), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := s.Call(ctx, "com.example.slow", wamp.Args()).Final()
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 200*time.Millisecond {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		if _, err := slow.Final(); err != nil {
			t.Error(err)
		}
	})
}

func TestBreaksKillAnsweredWithResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		handle(t, s, "com.example.stubborn", func(ctx context.Context, inv *wamp.Invocation) error {
			<-ctx.Done()
			return inv.Return(wamp.Args("done all the same"))
		})
		ctx, cancel := context.WithCancel(t.Context())
		results := s.Call(ctx, "com.example.stubborn", wamp.Args(), wamp.CancelMode(wamp.Kill))
		synctest.Wait()
		cancel()
		res, err := results.Final()
		var text string
		if err != nil || res.Scan(&text) != nil || text != "done all the same" {
			t.Errorf("result %q, %v", text, err)
		}
	})
}

func TestBreaksStalledConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, p := join(t, r), join(t, r)
		whole := subscribe(t, s, "com.example.topic")
		bounded := subscribe(t, s, "com.example.topic", wamp.Buffer(100, 0))
		for i := range 1000 {
			if _, err := p.Publish(t.Context(), "com.example.topic", wamp.Args(i), wamp.Acknowledge()).Wait(); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		for i := range 1000 {
			var n int
			if ev := <-whole.Events(); ev.Scan(&n) != nil || n != i || ev.Lost != 0 {
				t.Fatalf("event %d is %d, %d lost before it", i, n, ev.Lost)
			}
		}
		got, lost := 0, uint64(0)
		last := -1
		for n := -1; n != 999; got++ {
			ev := <-bounded.Events()
			if err := ev.Scan(&n); err != nil || n <= last {
				t.Fatalf("event %d behind %d: %v", n, last, err)
			}
			if int(ev.Lost) != n-last-1 {
				t.Fatalf("event %d behind %d says that %d were lost", n, last, ev.Lost)
			}
			last, lost = n, lost+ev.Lost
		}
		if lost == 0 || lost != bounded.Dropped() || got+int(lost) != 1000 {
			t.Errorf("%d came, %d lost, Dropped %d", got, lost, bounded.Dropped())
		}
	})
}

func TestBreaksTwoSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, p := join(t, r), join(t, r)
		a, b := subscribe(t, s, "com.example.topic"), subscribe(t, s, "com.example.topic")
		if a.ID() != b.ID() {
			t.Errorf("ids %d and %d", a.ID(), b.ID())
		}
		p.Publish(t.Context(), "com.example.topic", wamp.Args(1))
		<-a.Events()
		<-b.Events()
		if err := a.Unsubscribe(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.Publish(t.Context(), "com.example.topic", wamp.Args(2))
		<-b.Events()
		if err := b.Unsubscribe(t.Context()); err != nil {
			t.Fatal(err)
		}
		if st := r.Stats(); st.Subscribers != 0 {
			t.Errorf("the router still has %d subscribers", st.Subscribers)
		}
	})
}

func TestBreaksUnknownIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := 0
		r := wamptest.NewRouter(t, wamptest.WithReceive(func(_ proto.ID, m *proto.Message) wamptest.Action {
			if m.Type == proto.Error && m.Request == 5_000_000 && m.URI == proto.ErrURIUnavailable {
				refused++
				return wamptest.Drop() // the router knows of no such invocation
			}
			return wamptest.Pass()
		}))
		s := join(t, r)
		for _, m := range []*proto.Message{
			{Type: proto.Event, ID: 987654, Publication: 1},
			{Type: proto.Invocation, Request: 5_000_000, ID: 987654},
			{Type: proto.Interrupt, Request: 6_000_000},
			{Type: proto.Unsubscribed, Options: proto.Dict{{Key: "subscription", Value: 987654}}},
			{Type: proto.Unregistered, Options: proto.Dict{{Key: "registration", Value: 987654}}},
		} {
			if ok, err := r.Send(s.ID(), m); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		synctest.Wait()
		if s.Err() != nil {
			t.Fatalf("the session ended: %v", s.Err())
		}
		if refused != 1 {
			t.Errorf("the invocation was refused %d times", refused)
		}
	})
}

func TestBreaksRegisterUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, c := join(t, r), join(t, r)
		stop, stopped := make(chan struct{}), make(chan int)
		for range 8 {
			go func() {
				n := 0
				for ; ; n++ {
					select {
					case <-stop:
						stopped <- n
						return
					default:
					}
					_, err := c.Call(t.Context(), "com.example.echo", wamp.Args(n)).Final()
					if err != nil && !errors.Is(err, wamp.ErrNoSuchProcedure) && !errors.Is(err, wamp.ErrUnavailable) &&
						!errors.Is(err, wamp.ErrNoAvailableCallee) {
						t.Error(err)
					}
				}
			}()
		}
		for range 500 {
			reg, err := s.Handle(t.Context(), "com.example.echo", echo)
			if err != nil {
				t.Fatal(err)
			}
			if err := reg.Unregister(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		close(stop)
		for range 8 {
			if <-stopped == 0 {
				t.Error("a caller never had a turn")
			}
		}
	})
}

func TestBreaksConnectionLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		sub := subscribe(t, s, "com.example.topic")
		interrupted := make(chan error, 5)
		handle(t, s, "com.example.hang", func(ctx context.Context, _ *wamp.Invocation) error {
			<-ctx.Done()
			interrupted <- context.Cause(ctx)
			return ctx.Err()
		})
		var calls []wamp.Results
		for range 5 {
			calls = append(calls, s.Call(t.Context(), "com.example.hang", wamp.Args(), wamp.Progressive()))
		}
		waiters := make(chan error, 5)
		for range 5 {
			go func() { <-s.Done(); waiters <- s.Err() }()
		}
		synctest.Wait()
		if !r.Cut(s.ID()) {
			t.Fatal("nothing to cut")
		}
		var lost *wamp.LinkError
		for range 5 {
			if err := <-waiters; !errors.Is(err, wamp.ErrSessionClosed) || !errors.As(err, &lost) {
				t.Errorf("Done: %v", err)
			}
		}
		for _, c := range calls {
			if _, err := c.Final(); !errors.Is(err, wamp.ErrSessionClosed) || !errors.As(err, &lost) {
				t.Errorf("call: %v", err)
			}
		}
		if _, open := <-sub.Events(); open || !errors.As(sub.Err(), &lost) {
			t.Errorf("subscription: %v", sub.Err())
		}
		if err := <-interrupted; !errors.Is(err, wamp.ErrSessionClosed) {
			t.Errorf("invocation: %v", err)
		}
		if !errors.As(context.Cause(s.Context()), &lost) {
			t.Errorf("Context: %v", context.Cause(s.Context()))
		}
	})
}

func TestBreaksGoroutinePerEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, p := join(t, r), join(t, r)
		sub := subscribe(t, s, "com.example.topic")
		synctest.Wait()
		before := runtime.NumGoroutine()
		for range 5000 {
			p.Publish(t.Context(), "com.example.topic", wamp.Args("nobody reads"))
		}
		synctest.Wait()
		if n := runtime.NumGoroutine() - before; n > 2 {
			t.Errorf("%d goroutines more", n)
		}
		if err := sub.Unsubscribe(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestBreaksCallInsideHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		handle(t, s, "com.example.echo", echo)
		handle(t, s, "com.example.outer", func(ctx context.Context, inv *wamp.Invocation) error {
			res, err := s.Call(ctx, "com.example.echo", inv.Payload).Final()
			if err != nil {
				return err
			}
			if err := inv.Progress(wamp.Args("between")); err != nil {
				return err
			}
			if _, err := s.Publish(ctx, "com.example.topic", wamp.Args(), wamp.Acknowledge()).Wait(); err != nil {
				return err
			}
			return inv.Return(res.Payload)
		})
		handle(t, s, "com.example.count", countTo)
		var n int
		res, err := s.Call(t.Context(), "com.example.outer", wamp.Args(7), wamp.Progressive()).Final()
		if err != nil || res.Scan(&n) != nil || n != 7 {
			t.Errorf("%d, %v", n, err)
		}
		between := 0
		for r := range s.Call(t.Context(), "com.example.count", wamp.Args(100), wamp.Progressive()) {
			if _, err := s.Call(t.Context(), "com.example.echo", wamp.Args(1)).Final(); err != nil || r.Err != nil {
				t.Fatal(err, r.Err)
			}
			between++
		}
		if between != 101 {
			t.Errorf("%d results", between)
		}
	})
}

func TestBreaksSilentPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithReceive(func(proto.ID, *proto.Message) wamptest.Action { return wamptest.Drop() }))
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(r.Dial))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 300*time.Millisecond {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestBreaksUnexpectedPayload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		handle(t, s, "com.example.odd", func(_ context.Context, inv *wamp.Invocation) error {
			return inv.Return(wamp.Args("text", nil, []any{1}).With("k", map[string]any{"deep": true}))
		})
		res, err := s.Call(t.Context(), "com.example.odd", wamp.Args()).Final()
		if err != nil {
			t.Fatal(err)
		}
		var n int
		var scan *codec.ScanError
		if err := res.Scan(&n); !errors.As(err, &scan) || scan.Index != 0 {
			t.Errorf("Scan: %v", err)
		}
		var kw struct {
			K int `json:"k"`
		}
		if err := res.ScanKw(&kw); err == nil {
			t.Error("ScanKw: no error")
		}
		if s.Err() != nil {
			t.Errorf("the session ended: %v", s.Err())
		}
	})
}

func TestBreaksUserDataUnchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		handle(t, s, "com.example.echo", echo)
		list := []any{1, []any{2}, map[string]any{"a": 1}}
		kw := map[string]any{"k": []any{1, 2}}
		option := map[string]any{"inner": true}
		before := fmt.Sprint(list, kw, option)
		for range 3 {
			p := wamp.Args(list...).WithKwargs(kw).With("extra", 1)
			if _, err := s.Call(t.Context(), "com.example.echo", p, wamp.Set("x_option", option), wamp.Progressive()).Final(); err != nil {
				t.Fatal(err)
			}
			s.Publish(t.Context(), "com.example.topic", p, wamp.Set("x_option", option))
		}
		if after := fmt.Sprint(list, kw, option); after != before {
			t.Errorf("before %s, after %s", before, after)
		}
		if len(kw) != 1 || len(maps.Clone(option)) != 1 {
			t.Error("a map has grown")
		}
	})
}

func TestBreaksInterruptAtCallee(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, c := join(t, r), join(t, r)
		causes := make(chan error, 1)
		handle(t, s, "com.example.hang", func(ctx context.Context, _ *wamp.Invocation) error {
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return ctx.Err()
		})
		ctx, cancel := context.WithCancelCause(t.Context())
		results := c.Call(ctx, "com.example.hang", wamp.Args())
		synctest.Wait()
		why := errors.New("why")
		cancel(why)
		if _, err := results.Final(); !errors.Is(err, context.Canceled) || !errors.Is(err, why) || !errors.Is(err, wamp.ErrCanceled) {
			t.Errorf("caller: %v", err)
		}
		var in *wamp.Interrupt
		if err := <-causes; !errors.As(err, &in) || in.Mode != "killnowait" {
			t.Errorf("callee: %v", err)
		}
		synctest.Wait()
		if s.Err() != nil || c.Err() != nil {
			t.Errorf("sessions: %v, %v", s.Err(), c.Err())
		}
	})
}

func TestBreaksContextEndsDuringSubscribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
			if x.Sent && (x.Message.Type == proto.Subscribed || x.Message.Type == proto.Registered) {
				return wamptest.Hold(time.Second)
			}
			return wamptest.Pass()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := s.Subscribe(ctx, "com.example.topic"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Subscribe: %v", err)
		}
		ctx2, cancel2 := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel2()
		if _, err := s.Register(ctx2, "com.example.proc"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Register: %v", err)
		}
		<-time.After(2 * time.Second)
		synctest.Wait()
		if st := r.Stats(); st.Subscribers != 0 || st.Callees != 0 {
			t.Errorf("the router has %d subscribers and %d callees that nobody owns", st.Subscribers, st.Callees)
		}
	})
}

// listeners open a router to sockets.
var listeners = map[string]func(*testing.T, *wamptest.Router) (string, error){
	"websocket": func(_ *testing.T, r *wamptest.Router) (string, error) { return r.ListenWebSocket("127.0.0.1:0") },
	"tcp":       func(_ *testing.T, r *wamptest.Router) (string, error) { return r.ListenRawSocket("tcp", "127.0.0.1:0") },
	"unix": func(t *testing.T, r *wamptest.Router) (string, error) {
		return r.ListenRawSocket("unix", t.TempDir()+"/router.sock")
	},
}

var _ transport.Dialer = (*wamptest.Router)(nil).Dial
