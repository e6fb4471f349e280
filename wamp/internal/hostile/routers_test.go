package hostile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/meta"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Routers as they are: each test is one behaviour that was seen.

// A router that keeps 64 messages for a client and drops the rest, answers too.
func TestRouterWithShortQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 250
		r := wamptest.NewRouter(t, wamptest.WithQueueLimit(64))
		s := join(t, r, wamp.WithReconnect(quick()))
		var all sync.WaitGroup
		subs, regs := make([]*wamp.Subscription, n), make([]*wamp.Service, n)
		for i := range n {
			all.Go(func() { subs[i] = subscribe(t, s, fmt.Sprint("com.example.topic.n", i)) })
			all.Go(func() { regs[i] = handle(t, s, fmt.Sprint("com.example.proc.n", i), echo) })
		}
		all.Wait()
		for range 3 {
			was := s.ID()
			r.Cut(was)
			<-time.After(time.Minute)
			st := s.Stats()
			if s.ID() == was || st.Tables.Subscriptions != n || st.Tables.Registrations != n {
				t.Fatalf("%d subscriptions and %d registrations are back", st.Tables.Subscriptions, st.Tables.Registrations)
			}
			if rt := r.Stats(); rt.Subscriptions != n || rt.Registrations != n || rt.Dropped != 0 {
				t.Fatalf("the router has %d and %d, and has dropped %d", rt.Subscriptions, rt.Registrations, rt.Dropped)
			}
		}
		for i := range n {
			if subs[i].Err() != nil || regs[i].Err() != nil {
				t.Errorf("%v, %v", subs[i].Err(), regs[i].Err())
			}
		}
		acks := make([]wamp.Acks, 1000)
		for i := range acks {
			acks[i] = s.Publish(t.Context(), "com.example.other", wamp.Args(i), wamp.Acknowledge())
		}
		for i, a := range acks {
			if _, err := a.Wait(); err != nil {
				t.Fatalf("publish %d: %v", i, err)
			}
		}
		if got := allAcks(s.PublishStream(t.Context(), "com.example.other", feeding(t.Context(), 1000))); len(got) != 1000 || got[999].Err != nil {
			t.Errorf("%d acknowledgements, %v", len(got), got[len(got)-1].Err)
		}
		// A window that is too large for it loses answers, and does not wait for ever.
		got := allAcks(s.PublishStream(t.Context(), "com.example.other", feeding(t.Context(), 1000), wamp.Window(1000), wamp.GoOn()))
		unknown := 0
		for _, a := range got {
			var u *wamp.OutcomeUnknown
			if errors.As(a.Err, &u) && errors.Is(a.Err, wamp.ErrAckTimeout) {
				unknown++
			}
		}
		if len(got) != 1000 || unknown == 0 {
			t.Errorf("%d acknowledgements, %d unknown", len(got), unknown)
		}
	})
}

// Such a router drops the answers of calls too: no more of our own making are under
// way at once than it has room for beside the rest.
func TestFollowBehindShortQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 200
		r := wamptest.NewRouter(t, wamptest.WithQueueLimit(64))
		for range n {
			join(t, r)
		}
		s, p := join(t, r), join(t, r)
		subscribe(t, s, "com.example.topic")
		ctx, cancel := context.WithCancel(t.Context())
		var busy sync.WaitGroup
		busy.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				p.Publish(ctx, "com.example.topic", wamp.Args(i))
				<-time.After(50 * time.Microsecond)
			}
		})
		there, _, err := meta.Of(s).FollowSessions(within(t, time.Minute))
		cancel()
		busy.Wait()
		if err != nil || len(there) != n+2 || r.Stats().Dropped != 0 {
			t.Errorf("%d sessions, %v, the router has dropped %d", len(there), err, r.Stats().Dropped)
		}
	})
}

// One id for what a session registers and subscribes.
func TestRouterWithSharedIDs(t *testing.T) {
	for name, option := range map[string]wamptest.Option{
		"same procedure": wamptest.WithSharedIDs(wamptest.SameProcedure),
		"same URI":       wamptest.WithSharedIDs(wamptest.SameProcedure, wamptest.SameURI),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t, option)
				s, c := join(t, r, wamp.WithReconnect(quick())), join(t, r)
				var ran [3]int
				regs := make([]*wamp.Service, len(ran))
				for i := range ran {
					regs[i] = handle(t, s, "com.example.shared", func(_ context.Context, inv *wamp.Invocation) error {
						ran[i]++
						return inv.Return(inv.Payload)
					}, wamp.Invoke(wamp.RoundRobin))
				}
				call := func() {
					t.Helper()
					if _, err := c.Call(within(t, time.Second), "com.example.shared", wamp.Args(1)).Final(); err != nil {
						t.Fatal(err)
					}
				}
				for range 9 {
					call()
				}
				if slices.Min(ran[:]) == 0 {
					t.Errorf("they ran %v times", ran)
				}
				exact, prefix := subscribe(t, s, "com.example.topic"), subscribe(t, s, "com.example.topic", wamp.Match(wamp.Prefix))
				publish(t, c, "com.example.topic", 0, 1)
				publish(t, c, "com.example.topic.sub", 1, 2)
				synctest.Wait()
				if e, p := waiting(exact), waiting(prefix); len(e) != 1 || len(p) != 2 {
					t.Errorf("the exact one got %d events, the prefix %d", len(e), len(p))
				}
				r.Cut(s.ID())
				<-time.After(time.Minute)
				for _, reg := range regs[:2] {
					if err := reg.Unregister(t.Context()); err != nil {
						t.Error(err)
					}
				}
				call()
				if err := exact.Unsubscribe(t.Context()); err != nil {
					t.Error(err)
				}
				publish(t, c, "com.example.topic", 0, 1)
				synctest.Wait()
				if p := waiting(prefix); len(p) != 1 {
					t.Errorf("the prefix got %d events", len(p))
				}
				if err := regs[2].Unregister(t.Context()); err != nil {
					t.Error(err)
				}
				if _, err := c.Call(t.Context(), "com.example.shared", wamp.Args(1)).Final(); !errors.Is(err, wamp.ErrNoSuchProcedure) {
					t.Error(err)
				}
			})
		})
	}
}

// The router does not tell a callee that its caller has vanished.
func TestChunkIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithoutInterrupt())
		s := join(t, r)
		causes := make(chan error, 100)
		handle(t, s, "com.example.sum", func(ctx context.Context, inv *wamp.Invocation) error {
			n := 0
			for range inv.Chunks() {
				n++
			}
			if ctx.Err() != nil {
				causes <- context.Cause(ctx)
				return ctx.Err()
			}
			return inv.Return(wamp.Args(n))
		}, wamp.Concurrency(2), wamp.ChunkIdle(5*time.Second))
		for range 4 {
			c := join(t, r)
			chunks := make(chan wamp.Payload, 1)
			chunks <- wamp.Args(1)
			c.CallStream(t.Context(), "com.example.sum", chunks)
			synctest.Wait()
			start := time.Now()
			r.Cut(c.ID())
			var idle *wamp.ChunkTimeoutError
			if err := <-causes; !errors.As(err, &idle) || !errors.Is(err, wamp.ErrTimeout) || time.Since(start) != 5*time.Second {
				t.Errorf("after %v: %v", time.Since(start), err)
			}
		}
		// A caller that is merely slow, but not that slow, is served.
		c := join(t, r)
		slow := func(_ context.Context, send func(wamp.Payload) error) error {
			for i := range 5 {
				<-time.After(4 * time.Second)
				if err := send(wamp.Args(i)); err != nil {
					return err
				}
			}
			return nil
		}
		if res, err := c.CallFunc(t.Context(), "com.example.sum", slow).Final(); err != nil || number(t, res.Payload) != 5 {
			t.Error(err)
		}
	})
}

// A callee that ends a progressive call early: the dealer may take the chunks that
// are on their way for new calls, which CANCEL ends.
func TestLateChunksAreCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithLateChunks())
		s, c := join(t, r), join(t, r)
		var running atomic.Int32
		handle(t, s, "com.example.early", func(ctx context.Context, inv *wamp.Invocation) error {
			running.Add(1)
			defer running.Add(-1)
			if number(t, inv.Payload) == 0 {
				return inv.Return(wamp.Args("enough"))
			}
			for range inv.Chunks() {
			}
			<-ctx.Done()
			return ctx.Err()
		})
		r.Delay(time.Second)
		for range 10 {
			_, err := c.CallFunc(t.Context(), "com.example.early", func(ctx context.Context, send func(wamp.Payload) error) error {
				for i := 0; send(wamp.Args(i)) == nil; i++ {
					<-time.After(100 * time.Millisecond)
				}
				return nil
			}).Final()
			if err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(time.Minute)
		if n := running.Load(); n != 0 || r.Stats().Calls != 0 {
			t.Errorf("%d invocations go on, the router has %d calls", n, r.Stats().Calls)
		}
	})
}

// The router holds our dead session, and with it our procedures, for longer than
// anybody would guess.
func TestHalfOpenSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHalfOpen(5*time.Minute))
		s := join(t, r, wamp.WithReconnect(quick()))
		reg := handle(t, s, "com.example.echo", echo)
		r.Cut(s.ID())
		<-time.After(4 * time.Minute)
		if reg.Err() != nil || s.Stats().Tables.Registrations != 0 {
			t.Fatal(reg.Err())
		}
		<-time.After(2 * time.Minute)
		alive(t, join(t, r))
	})
}

// A worker behind a proxy dies: GOODBYE wamp.close.normal, and logins are refused
// while it is away.
func TestWorkerBehindProxyDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		r := wamptest.NewRouter(t)
		s := join(t, r, wamp.WithReconnect(quick()), log.Option())
		handle(t, s, "com.example.echo", echo)
		for _, away := range []time.Duration{0, 5 * time.Second, 50 * time.Second} {
			r.LoseWorker(away)
			<-time.After(away + time.Minute)
			alive(t, s)
		}
		log.Has(t, "WARN", "connection lost", "wamp.close.normal")
		r.LoseWorker(10 * time.Minute)
		<-time.After(10 * time.Minute)
		if err := s.Err(); !errors.Is(err, wamp.ErrAuthenticationFailed) {
			t.Errorf("refused for ten minutes: %v", err)
		}
	})
}

// A kill by wamp.close.normal cannot be told from that. What the user says counts.
func TestKillByNormal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithKillReason(proto.CloseURINormal))
		var asked []error
		policy := quick()
		s, killer := join(t, r, wamp.WithReconnect(policy)), join(t, r)
		policy.Redial = func(err error) bool {
			asked = append(asked, err)
			var goodbye *wamp.GoodbyeError
			return !errors.As(err, &goodbye)
		}
		firm := join(t, r, wamp.WithReconnect(policy))
		for _, victim := range []*wamp.Session{s, firm} {
			if err := meta.Of(killer).KillSession(t.Context(), victim.ID()); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(time.Minute)
		if s.Err() != nil || firm.Err() == nil || len(asked) != 1 {
			t.Errorf("%v, %v, asked %v", s.Err(), firm.Err(), asked)
		}
	})
}

// The ABORT of a refused login is lost behind the closing socket.
func TestLostAbort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithLogins(ticketLogin("t")), wamptest.WithLostAborts())
		_, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(r.Dial), wamp.WithAuth(authn.Ticket("joe", "wrong")))
		var login *wamp.LoginError
		if !errors.As(err, &login) || !strings.Contains(err.Error(), "may have been refused") {
			t.Error(err)
		}
	})
}

// Timers of a dealer that do not begin anew with each result.
func TestDealerTimerThatDoesNotRearm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithoutRearm())
		s, c := join(t, r), join(t, r)
		handle(t, s, "com.example.steady", func(_ context.Context, inv *wamp.Invocation) error {
			for i := range 20 {
				<-time.After(150 * time.Millisecond)
				if err := inv.Progress(wamp.Args(i)); err != nil {
					return err
				}
			}
			return inv.Return()
		})
		if _, err := c.Call(t.Context(), "com.example.steady", wamp.Args(), wamp.Progressive(), wamp.Timeout(500*time.Millisecond)).Final(); err != nil {
			t.Error(err)
		}
		_, err := c.Call(t.Context(), "com.example.steady", wamp.Args(), wamp.Progressive(), wamp.Timeout(500*time.Millisecond), wamp.PassDeadline(true)).Final()
		if !errors.Is(err, wamp.ErrTimeout) {
			t.Errorf("passed on as it was asked for: %v", err)
		}
	})
}

// What routers say in WELCOME, and ids that are floats, mean what they mean.
func TestOddWelcomes(t *testing.T) {
	for _, c := range serializers {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t, wamptest.WithOddWelcome(), wamptest.WithFloatIDs())
			s := join(t, r, wamp.WithSerializers(c))
			handle(t, s, "com.example.echo", echo)
			alive(t, s)
			sub := subscribe(t, s, "com.example.topic")
			publish(t, s, "com.example.topic", 0, 1)
			p := join(t, r, wamp.WithSerializers(c))
			publish(t, p, "com.example.topic", 0, 1)
			<-sub.Events()
			if d := s.Details(); d.AuthID == "" || d.Agent == "" || d.Session == 0 {
				t.Errorf("%+v", d)
			}
			if st := s.Stats(); st.Odd != 0 {
				t.Errorf("%d were odd", st.Odd)
			}
		})
	}
}

// A refusal, a pong and an answer are bounded where the router does not read.
func TestRefusalsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 200_000
		r := wamptest.NewRouter(t, wamptest.WithReceive(func(_ proto.ID, m *proto.Message) wamptest.Action {
			if m.Type == proto.Error {
				return wamptest.Drop() // it has asked for none of these
			}
			return wamptest.Pass()
		}))
		s := join(t, r, wamp.WithOutbound(64<<10))
		id := s.ID()
		r.StopReading(id)
		for i := range n {
			m := proto.Message{Type: proto.Invocation, ID: 4711, Request: proto.ID(i + 1)}
			if _, err := r.Send(id, &m); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if st := s.Stats(); st.Refused == 0 || st.Refused > n/4 { // the pipe has room for a mebibyte: 35,000 of them
			t.Errorf("%d refusals were made and nobody reads them", st.Refused)
		}
		r.ResumeReading(id)
		synctest.Wait()
		if st := s.Stats(); st.Refused != n {
			t.Errorf("then %d", st.Refused)
		}
	})
}

// A message that is larger than the router takes costs its operation, and no
// more links than it takes to find it.
func TestMessageTooBigForTheRouter(t *testing.T) {
	for _, code := range []bool{true, false} { // with close code 1009, or a link that just ends
		synctest.Test(t, func(t *testing.T) {
			const limit = 64 << 10
			options := []wamptest.Option{wamptest.WithMaxMessage(limit)}
			if !code {
				options = []wamptest.Option{wamptest.WithReceive(func(_ proto.ID, m *proto.Message) wamptest.Action {
					if len(m.Args) > limit {
						return wamptest.CutLink()
					}
					return wamptest.Pass()
				})}
			}
			r := wamptest.NewRouter(t, options...)
			s, other := join(t, r, wamp.WithReconnect(quick())), join(t, r)
			handle(t, other, "com.example.echo", echo)
			handle(t, s, "com.example.big", func(_ context.Context, inv *wamp.Invocation) error {
				return inv.Return(wamp.Args(make([]byte, 2*limit)))
			})
			sub := subscribe(t, s, "com.example.topic")
			big := wamp.Args(make([]byte, 2*limit))
			links := func() int { return int(s.Stats().Reconnects) }
			for name, do := range map[string]func(ctx context.Context) error{
				"Call": func(ctx context.Context) error { return lastErr(s.Call(ctx, "com.example.echo", big)) },
				"Idempotent": func(ctx context.Context) error {
					return lastErr(s.Call(ctx, "com.example.echo", big, wamp.Idempotent()))
				},
				"Publish": func(ctx context.Context) error { return lastAck(s.Publish(ctx, "com.example.topic", big)) },
				"Acknowledge": func(ctx context.Context) error {
					return lastAck(s.Publish(ctx, "com.example.topic", big, wamp.Acknowledge()))
				},
				"acked, idempotent": func(ctx context.Context) error {
					return lastAck(s.Publish(ctx, "com.example.topic", big, wamp.Acknowledge(), wamp.Idempotent()))
				},
				"PublishStream": func(ctx context.Context) error {
					return lastAck(s.PublishStream(ctx, "com.example.topic", filled(big)))
				},
				"answer": func(ctx context.Context) error { return lastErr(other.Call(ctx, "com.example.big", wamp.Args())) },
			} {
				before := links()
				begun := make(chan error, 8)
				for range 8 { // others that are under way pay for nothing
					go func() {
						begun <- lastErr(s.Call(within(t, 5*time.Minute), "com.example.echo", wamp.Args(7), wamp.Idempotent()))
					}()
				}
				err := do(within(t, 5*time.Minute))
				if err == nil && name != "Publish" {
					t.Errorf("%s: no error", name)
				}
				for range 8 {
					if err := <-begun; err != nil {
						t.Errorf("%s: another one: %v", name, err)
					}
				}
				<-time.After(5 * time.Minute)
				if n := links() - before; n > 3 {
					t.Errorf("%s: %d links (%v)", name, n, err)
				}
				alive(t, s)
			}
			if sub.Err() != nil {
				t.Error(sub.Err())
			}
		})
	}
}
