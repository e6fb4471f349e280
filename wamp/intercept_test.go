package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// witness is an interceptor that notes what it sees, and fails the test where an
// operation does not end exactly once.
type witness struct {
	t    *testing.T
	name string
	mu   sync.Mutex
	seen []string
	open map[*wamp.Op]int
	errs map[wamp.OpKind]error // of the last End
	ops  map[wamp.OpKind]*wamp.Op

	begin    func(ctx context.Context, op *wamp.Op) (context.Context, error)
	progress func(op *wamp.Op, p *wamp.Part) error
	end      func(op *wamp.Op, err error)
}

type witnessKey struct{}

func newWitness(t *testing.T, name string) *witness {
	w := &witness{t: t, name: name, open: map[*wamp.Op]int{}, errs: map[wamp.OpKind]error{}, ops: map[wamp.OpKind]*wamp.Op{}}
	t.Cleanup(func() {
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		for op, n := range w.open {
			if n != 0 {
				t.Errorf("%s %s %s has not ended", name, op.Kind, op.URI)
			}
		}
	})
	return w
}

func (w *witness) note(format string, args ...any) {
	w.seen = append(w.seen, strings.TrimSpace(w.name+" "+fmt.Sprintf(format, args...)))
}

func (w *witness) Begin(ctx context.Context, op *wamp.Op) (context.Context, error) {
	w.mu.Lock()
	w.note("begin %s %s", op.Kind, op.URI)
	w.mu.Unlock()
	next := context.WithValue(ctx, witnessKey{}, w.name)
	if w.begin != nil {
		var err error
		if next, err = w.begin(next, op); err != nil {
			return next, err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[op]++
	return next, nil
}

func (w *witness) Progress(ctx context.Context, op *wamp.Op, p *wamp.Part) error {
	if ctx.Value(witnessKey{}) != w.name {
		w.t.Errorf("%s: not its context in Progress", w.name)
	}
	w.mu.Lock()
	if w.open[op] != 1 {
		w.t.Errorf("%s: progress of %s, which is not open", w.name, op.Kind)
	}
	way := "got"
	if p.Sent {
		way = "sent"
	}
	last := ""
	if p.Last {
		last = " last"
	}
	w.note("%s %s %d%s", way, op.Kind, p.N, last)
	w.mu.Unlock()
	if w.progress != nil {
		return w.progress(op, p)
	}
	return nil
}

func (w *witness) End(ctx context.Context, op *wamp.Op, err error) {
	if ctx.Value(witnessKey{}) != w.name {
		w.t.Errorf("%s: not its context in End", w.name)
	}
	w.mu.Lock()
	w.open[op]--
	if w.open[op] != 0 {
		w.t.Errorf("%s: %s %s has ended %d times", w.name, op.Kind, op.URI, 1-w.open[op])
	}
	how := ""
	if err != nil {
		how = " failed"
	}
	w.note("end %s%s", op.Kind, how)
	w.errs[op.Kind], w.ops[op.Kind] = err, op
	w.mu.Unlock()
	if w.end != nil {
		w.end(op, err)
	}
}

// last is the outcome of the last operation of a kind.
func (w *witness) last(kind wamp.OpKind) (*wamp.Op, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ops[kind], w.errs[kind]
}

// take returns what was seen since it was last asked.
func (w *witness) take() []string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = nil
	return seen
}

func (w *witness) expect(what string, want ...string) {
	w.t.Helper()
	if got := w.take(); !slices.Equal(got, want) {
		w.t.Errorf("%s:\ngot  %q\nwant %q", what, got, want)
	}
}

// TestInterceptEachKind has one operation of each kind, in each of its forms.
func TestInterceptEachKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		w := newWitness(t, "")
		s := join(t, r, wamp.WithInterceptors(w))
		w.expect("connect", "begin connect", "end connect")
		if op, err := w.last(wamp.OpConnect); err != nil || op.Session != s || op.Realm != s.Details().Realm {
			t.Errorf("%+v, %v", op, err)
		}
		handle(t, s, "com.count", countTo)
		w.expect("register", "begin register com.count", "end register")
		sub := subscribe(t, s, "com.topic")
		w.expect("subscribe", "begin subscribe com.topic", "end subscribe")

		want := []string{"begin call com.count", "begin invocation com.count", "sent invocation 1", "sent invocation 2", "sent invocation 3", "end invocation", "got call 1", "got call 2", "got call 3 last", "end call"}
		sorted := func(all []string) []string { all = slices.Clone(all); slices.Sort(all); return all }
		for name, f := range map[string]func() error{
			"Session.Call": func() error {
				for range s.Call(t.Context(), "com.count", wamp.Args(2), wamp.Progressive()) {
				}
				return nil
			},
			"Stream": func() error {
				for _, err := range wamp.Stream[int](t.Context(), s, "com.count", wamp.Args(2)) {
					if err != nil {
						return err
					}
				}
				return nil
			},
		} {
			if err := f(); err != nil {
				t.Error(name, err)
			}
			if got := w.take(); !slices.Equal(sorted(got)[:3], sorted(want)[:3]) || !slices.Contains(got, "got call 2") || !slices.Contains(got, "got call 3 last") || !slices.Contains(got, "sent invocation 3 last") || len(got) != len(want) {
				t.Errorf("%s: %q", name, got)
			}
		}
		if _, err := wamp.Call[int](t.Context(), s, "com.count", wamp.Args(2)); err != nil {
			t.Error(err)
		}
		if got := w.take(); !slices.Contains(got, "got call 1 last") || !slices.Contains(got, "end call") {
			t.Errorf("Call: %q", got)
		}

		other := join(t, r)
		publish(t, other, "com.topic", 1, 3)
		for range 2 {
			if ev := <-sub.Events(); ev.Context().Value(witnessKey{}) != "" {
				t.Error("not the context of an interceptor")
			}
		}
		w.expect("events", "begin event com.topic", "end event", "begin event com.topic", "end event")
		if op, _ := w.last(wamp.OpEvent); op.Publication == 0 || op.Received != 1 || op.ReceivedBytes == 0 {
			t.Errorf("%+v", op)
		}
		if _, err := s.Publish(t.Context(), "com.other", wamp.Args(1)).Wait(); err != nil {
			t.Error(err)
		}
		w.expect("publish", "begin publish com.other", "end publish")
		if id, err := s.Publish(t.Context(), "com.other", wamp.Args(1), wamp.Acknowledge()).Wait(); err != nil || id == 0 {
			t.Error(err)
		}
		w.expect("publish with acknowledgement", "begin publish com.other", "end publish")
		if op, _ := w.last(wamp.OpPublish); op.Publication == 0 || op.SentBytes != 2 {
			t.Errorf("%+v", op)
		}
		if acks := allAcks(s.PublishStream(t.Context(), "com.other", upTo(2))); len(acks) != 2 {
			t.Error(acks)
		}
		if got := w.take(); len(got) != 4 {
			t.Errorf("publish stream: %q", got)
		}
	})
}

// TestInterceptChunks has a progressive call, both ways.
func TestInterceptChunks(t *testing.T) {
	for _, cd := range serializers {
		t.Run(cd.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				caller, callee := newWitness(t, ""), newWitness(t, "")
				s, sl := join(t, r, wamp.WithInterceptors(caller), wamp.WithSerializers(cd)), join(t, r, wamp.WithInterceptors(callee), wamp.WithSerializers(cd))
				handle(t, sl, "com.totals", totals)
				caller.take()
				callee.take()
				progress, last := collect(t, s.CallStream(t.Context(), "com.totals", upTo(3), wamp.Progressive()))
				if !slices.Equal(progress, []int{1, 3, 6}) || last.Err != nil || number(t, last.Payload) != 6 {
					t.Errorf("%v, %v", progress, last.Err)
				}
				got := caller.take()
				for _, want := range []string{"begin call com.totals", "sent call 2", "sent call 3", "sent call 4 last", "got call 1", "got call 3", "got call 4 last", "end call"} {
					if !slices.Contains(got, want) {
						t.Errorf("caller: no %q in %q", want, got)
					}
				}
				got = callee.take()
				for _, want := range []string{"begin invocation com.totals", "got invocation 2", "got invocation 3", "sent invocation 1", "sent invocation 3", "sent invocation 4 last", "end invocation"} {
					if !slices.Contains(got, want) {
						t.Errorf("callee: no %q in %q", want, got)
					}
				}
			})
		})
	}
}

// TestInterceptOrder has three interceptors, of which one refuses.
func TestInterceptOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		var all []string
		log := func(s string) { all = append(all, s) }
		refused := errors.New("refused")
		var refuse bool
		layer := func(name string) wamp.Interceptor {
			return wamp.InterceptorFuncs{
				BeginFunc: func(ctx context.Context, op *wamp.Op) (context.Context, error) {
					if op.Kind != wamp.OpCall {
						return ctx, nil
					}
					log(name + " begin")
					if refuse && name == "2" {
						return nil, refused
					}
					return nil, nil // the context stays as it is
				},
				ProgressFunc: func(_ context.Context, op *wamp.Op, _ *wamp.Part) error {
					if op.Kind == wamp.OpCall {
						log(name + " progress")
					}
					return nil
				},
				EndFunc: func(_ context.Context, op *wamp.Op, err error) {
					if op.Kind == wamp.OpCall {
						log(fmt.Sprint(name, " end ", err != nil))
					}
				},
			}
		}
		s := join(t, r, wamp.WithInterceptors(layer("1"), layer("2")), wamp.WithInterceptors(layer("3")))
		ran := false
		handle(t, join(t, r), "com.x", func(context.Context, *wamp.Invocation) error { ran = true; return nil })
		if _, err := s.Call(t.Context(), "com.x", wamp.Payload{}).Final(); err != nil {
			t.Error(err)
		}
		if want := []string{"1 begin", "2 begin", "3 begin", "3 progress", "2 progress", "1 progress", "3 end false", "2 end false", "1 end false"}; !slices.Equal(all, want) {
			t.Errorf("%q", all)
		}
		all, refuse, ran = nil, true, false
		for range 2 {
			var op *wamp.OpError
			if _, err := s.Call(t.Context(), "com.x", wamp.Payload{}).Final(); !errors.Is(err, refused) || !errors.As(err, &op) || op.URI != "com.x" || ran {
				t.Error(err, ran)
			}
			if want := []string{"1 begin", "2 begin", "1 end true"}; !slices.Equal(all, want) {
				t.Errorf("%q", all)
			}
			all = nil
		}
	})
}

// TestInterceptReplaces has interceptors that replace payloads, options and contexts, on
// both sides.
func TestInterceptReplaces(t *testing.T) {
	for _, cd := range serializers {
		t.Run(cd.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				add := func(p wamp.Payload, more int) wamp.Payload {
					var n int
					if p.Scan(&n) != nil {
						return p
					}
					return wamp.Args(n + more)
				}
				caller := wamp.InterceptorFuncs{
					BeginFunc: func(ctx context.Context, op *wamp.Op) (context.Context, error) {
						if op.Kind == wamp.OpCall || op.Kind == wamp.OpPublish {
							op.Payload = add(op.Payload, 1)
							op.Options = op.Options.With("disclose_me", true)
						}
						return ctx, nil
					},
					ProgressFunc: func(_ context.Context, _ *wamp.Op, p *wamp.Part) error { p.Payload = add(p.Payload, 10); return nil },
				}
				callee := wamp.InterceptorFuncs{
					BeginFunc: func(ctx context.Context, op *wamp.Op) (context.Context, error) {
						if op.Kind == wamp.OpInvocation || op.Kind == wamp.OpEvent {
							op.Payload = add(op.Payload, 100)
							ctx = context.WithValue(ctx, witnessKey{}, op.Peer.Session)
						}
						return ctx, nil
					},
					ProgressFunc: func(_ context.Context, _ *wamp.Op, p *wamp.Part) error { p.Payload = add(p.Payload, 1000); return nil },
				}
				s, sl := join(t, r, wamp.WithInterceptors(caller), wamp.WithSerializers(cd)), join(t, r, wamp.WithInterceptors(callee), wamp.WithSerializers(cd))
				check := func(ctx context.Context, p wamp.Payload) {
					if n := number(t, p); n != 106 || ctx.Value(witnessKey{}) != s.ID() {
						t.Errorf("%d, %v", n, ctx.Value(witnessKey{}))
					}
				}
				handle(t, sl, "com.x", func(ctx context.Context, inv *wamp.Invocation) error {
					check(ctx, inv.Payload)
					check(inv.Context(), <-inv.Chunks())
					if err := inv.Progress(inv.Payload); err != nil {
						return err
					}
					return inv.Return(inv.Payload)
				})
				var got []int
				for res := range s.Call(t.Context(), "com.x", wamp.Args(5), wamp.Progressive()) {
					got = append(got, number(t, res.Payload))
				}
				if !slices.Equal(got, []int{1116, 1116}) {
					t.Error(got)
				}
				sub := subscribe(t, sl, "com.topic")
				if _, err := s.Publish(t.Context(), "com.topic", wamp.Args(5), wamp.Acknowledge()).Wait(); err != nil {
					t.Error(err)
				}
				ev := <-sub.Events()
				check(ev.Context(), ev.Payload)
				for range s.PublishStream(t.Context(), "com.topic", func() <-chan wamp.Payload { ch := make(chan wamp.Payload, 1); ch <- wamp.Args(5); close(ch); return ch }()) {
				}
				ev = <-sub.Events()
				check(ev.Context(), ev.Payload)
			})
		})
	}
}

// TestInterceptOutcomes has calls and their invocations that end in many ways, and what
// the interceptors of both sides are told.
func TestInterceptOutcomes(t *testing.T) {
	type world struct {
		r      *wamptest.Router
		s, sl  *wamp.Session
		cancel context.CancelFunc
		begun  chan struct{}
	}
	is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
	unknown := func(err error) bool { var u *wamp.OutcomeUnknown; return errors.As(err, &u) }
	interrupted := func(err error) bool { var i *wamp.Interrupt; return errors.As(err, &i) }
	own := func(err error) bool { var c *wamp.CanceledError; return errors.As(err, &c) }
	fine := func(err error) bool { return err == nil }
	wait := func(ctx context.Context, _ *wamp.Invocation) error { <-ctx.Done(); return ctx.Err() }
	for name, c := range map[string]struct {
		handler        wamp.Handler
		harm           func(x *world)
		options        []wamp.CallOption
		caller, callee func(error) bool
	}{
		"done":          {echo, nil, nil, fine, fine},
		"no answer":     {func(context.Context, *wamp.Invocation) error { return nil }, nil, nil, fine, fine},
		"error":         {func(context.Context, *wamp.Invocation) error { return wamp.ErrInvalidArgument }, nil, nil, is(wamp.ErrInvalidArgument), is(wamp.ErrInvalidArgument)},
		"masked error":  {func(context.Context, *wamp.Invocation) error { return errors.New("x") }, nil, nil, is(wamp.ErrRuntimeError), func(err error) bool { return err.Error() == "x" }},
		"decline":       {func(_ context.Context, inv *wamp.Invocation) error { return inv.Decline() }, nil, nil, is(wamp.ErrNoAvailableCallee), is(wamp.ErrUnavailable)},
		"panic":         {func(context.Context, *wamp.Invocation) error { panic("no") }, nil, nil, is(wamp.ErrRuntimeError), func(err error) bool { var p *wamp.PanicError; return errors.As(err, &p) && p.Value == "no" }},
		"Goexit":        {func(context.Context, *wamp.Invocation) error { runtime.Goexit(); return nil }, nil, nil, is(wamp.ErrRuntimeError), func(err error) bool { return err != nil }},
		"cancelled":     {wait, func(x *world) { x.cancel() }, nil, own, interrupted},
		"kill":          {wait, func(x *world) { x.cancel() }, []wamp.CallOption{wamp.CancelMode(wamp.Kill)}, own, interrupted},
		"peer cancels":  {func(context.Context, *wamp.Invocation) error { return wamp.ErrCanceled }, nil, nil, func(err error) bool { return errors.Is(err, wamp.ErrCanceled) && !own(err) }, is(wamp.ErrCanceled)},
		"timeout":       {wait, nil, []wamp.CallOption{wamp.Timeout(time.Second)}, is(wamp.ErrTimeout), interrupted},
		"caller lost":   {wait, func(x *world) { x.r.Cut(x.s.ID()) }, nil, unknown, interrupted},
		"callee lost":   {wait, func(x *world) { x.r.Cut(x.sl.ID()) }, nil, func(err error) bool { return err != nil }, unknown},
		"caller closes": {wait, func(x *world) { _ = x.s.Close(context.Background()) }, nil, is(wamp.ErrSessionClosed), interrupted},
		"callee closes": {wait, func(x *world) { _ = x.sl.Close(context.Background()) }, nil, func(err error) bool { return err != nil }, is(wamp.ErrSessionClosed)},
		"slow consumer": {func(_ context.Context, inv *wamp.Invocation) error {
			for range 1000 {
				if err := inv.Progress(wamp.Args(1)); err != nil {
					return err
				}
			}
			return nil
		}, nil, []wamp.CallOption{wamp.Progressive(), wamp.Buffer(10, 0)}, is(wamp.ErrSlowConsumer), func(error) bool { return true }},
	} {
		for form, call := range callForms {
			if name == "slow consumer" && form != "Session.Call" {
				continue
			}
			for _, reader := range []string{"Handle", "Invocations", "All"} {
				if reader != "Handle" && (name == "panic" || name == "Goexit") {
					continue
				}
				t.Run(name+"/"+form+"/"+reader, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						r := wamptest.NewRouter(t)
						caller, callee := newWitness(t, ""), newWitness(t, "")
						x := &world{r: r, s: join(t, r, wamp.WithInterceptors(caller), wamp.WithReconnect(quick())), sl: join(t, r, wamp.WithInterceptors(callee), wamp.WithReconnect(quick())), begun: make(chan struct{}, 1)}
						h := func(ctx context.Context, inv *wamp.Invocation) error {
							if ctx.Value(witnessKey{}) != "" {
								t.Error("not the context of the interceptor")
							}
							x.begun <- struct{}{}
							return c.handler(ctx, inv)
						}
						answer := func(inv *wamp.Invocation) {
							if err := h(inv.Context(), inv); err != nil {
								_ = inv.Fail(err)
							} else {
								_ = inv.Return()
							}
						}
						switch reader {
						case "Handle":
							handle(t, x.sl, "com.x", h)
						default:
							reg, err := x.sl.Register(t.Context(), "com.x")
							if err != nil {
								t.Fatal(err)
							}
							if reader == "All" {
								go func() {
									for inv, err := range reg.All() {
										if err == nil {
											answer(inv)
										}
									}
								}()
							} else {
								go func() {
									for inv := range reg.Invocations() {
										answer(inv)
									}
								}()
							}
						}
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						x.cancel = cancel
						if c.harm != nil {
							go func() { <-x.begun; c.harm(x) }()
						}
						if name == "slow consumer" {
							results := x.s.Call(ctx, "com.x", wamp.Args(7), c.options...)
							<-time.After(time.Minute)
							for range results {
							}
						} else {
							_, _ = call(ctx, x.s, c.options...)
						}
						<-time.After(time.Minute)
						if op, err := caller.last(wamp.OpCall); op == nil || !c.caller(err) {
							t.Errorf("caller: %v", err)
						}
						if op, err := callee.last(wamp.OpInvocation); op == nil || !c.callee(err) {
							t.Errorf("callee: %v", err)
						}
					})
				})
			}
		}
	}
}
