//go:build interop

package interop_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// TestMatrix does everything over every transport with every serializer. The
// peer uses the same as the library; TestSerializersMix mixes them.
func TestMatrix(t *testing.T) {
	for _, kind := range kinds {
		for _, c := range codecs {
			c := cell{kind, c}
			t.Run(c.String(), func(t *testing.T) {
				for _, check := range []struct {
					name string
					run  func(*testing.T, cell, *partner)
				}{
					{"join", testJoin},
					{"echo out", testEchoOut}, {"echo in", testEchoIn},
					{"progress out", testProgressOut}, {"progress in", testProgressIn},
					{"cancel out", testCancelOut}, {"cancel in", testCancelIn},
					{"error out", testErrorOut}, {"error in", testErrorIn},
					{"event out", testEventOut}, {"event in", testEventIn},
					{"1 MiB", testBig},
					{"bye out", testGoodbyeOut}, {"bye in", testGoodbyeIn},
				} {
					matrix.check(t, c.String(), check.name, func(t *testing.T) { check.run(t, c, joinPartner(t, c)) })
				}
			})
		}
	}
}

func testJoin(t *testing.T, c cell, _ *partner) {
	s := c.join(t)
	d := s.Details()
	if want := "wamp.2." + c.codec.Name(); d.Protocol != want || s.Codec().Name() != c.codec.Name() {
		t.Errorf("protocol %s, codec %s, want %s", d.Protocol, s.Codec().Name(), want)
	}
	if d.Session == 0 || d.Realm != realm || d.AuthMethod != "anonymous" || d.AuthRole != "anonymous" || d.AuthID == "" {
		t.Errorf("details: %+v", d)
	}
	dealer := d.Roles.Features(proto.Dealer)
	if !d.Roles.Has(proto.Broker) || !dealer.Has(proto.CallCanceling) || dealer.Has(proto.CallTimeout) {
		t.Errorf("roles: %v", d.Roles.Dict()) // Crossbar times calls out, in a unit of its own, and does not announce it
	}
	// the router knows the session by the same id
	r, err := s.Call(limit(t), "wamp.session.get", wamp.Args(d.Session)).Final()
	if err != nil {
		t.Fatal(err)
	}
	var info struct {
		Session wamp.ID `json:"session"`
		AuthID  string  `json:"authid"`
	}
	if err := r.Scan(&info); err != nil || info.Session != d.Session || info.AuthID != d.AuthID {
		t.Errorf("the router knows %+v (%v), want %d %s", info, err, d.Session, d.AuthID)
	}
}

// testEchoOut sends every kind of value to the peer, which says what arrived,
// and gives it back.
func testEchoOut(t *testing.T, c cell, p *partner) {
	s := c.join(t)
	for _, v := range samples(t) {
		checkEcho(t, s, p, v)
	}
}

func checkEcho(t *testing.T, s *wamp.Session, p *partner, v sample) {
	t.Helper()
	args := []any{v.value, int64(1), v.value}
	kwargs := map[string]any{"key": v.value, "other": "x"}
	payload := wamp.Args(args...).With("key", v.value).With("other", "x")
	r, err := s.Call(limit(t), p.prefix+"describe", payload).Final()
	if err != nil {
		t.Errorf("%s: describe: %v", v.name, err)
		return
	}
	var text string
	if err := r.Scan(&text); err != nil {
		t.Errorf("%s: describe: %v", v.name, err)
		return
	}
	var got message
	if err := unmarshalText(text, &got); err != nil || !sameMessage(got, args, kwargs) {
		t.Errorf("%s: sent %.200s, the peer got %.300s (%v)", v.name, show(v.value), text, err)
	}
	r, err = s.Call(limit(t), p.prefix+"echo", payload).Final()
	if err == nil {
		err = samePayload(r.Payload, args, kwargs)
	}
	if err != nil {
		t.Errorf("%s: echo: %v", v.name, err)
	}
	for _, one := range []struct {
		payload wamp.Payload
		args    []any
		kwargs  map[string]any
	}{
		{wamp.Args(v.value), []any{v.value}, nil},
		{wamp.Kwargs(map[string]any{"key": v.value}), nil, map[string]any{"key": v.value}},
	} {
		r, err := s.Call(limit(t), p.prefix+"echo", one.payload).Final()
		if err == nil {
			err = samePayload(r.Payload, one.args, one.kwargs)
		}
		if err != nil {
			t.Errorf("%s: echo: %v", v.name, err)
		}
	}
}

// testEchoIn lets the peer send every kind of value to procedures of ours: one
// decodes and encodes it, one passes it through as it came.
func testEchoIn(t *testing.T, c cell, p *partner) {
	s := c.join(t)
	for name, h := range map[string]wamp.Handler{
		"decoded": func(_ context.Context, inv *wamp.Invocation) error {
			args, err := inv.Args()
			if err != nil {
				return err
			}
			kwargs, err := inv.Kwargs()
			if err != nil {
				return err
			}
			return inv.Return(wamp.Args(args...).WithKwargs(kwargs))
		},
		"raw": func(_ context.Context, inv *wamp.Invocation) error { return inv.Return(inv.Payload) },
	} {
		uri := c.uri("go", "echo."+name)
		if _, err := s.Handle(limit(t), uri, h); err != nil {
			t.Fatal(err)
		}
		r := p.ask(t, "echo", request{"uri": uri})
		for _, bad := range r.Bad {
			t.Errorf("%s: %s", name, bad)
		}
		if want := len(samples(t)) * 3; r.N != want {
			t.Errorf("%s: the peer made %d calls, want %d", name, r.N, want)
		}
	}
}

const flood = 2000

func testProgressOut(t *testing.T, c cell, p *partner) {
	s := c.join(t)
	n := 0
	for r := range s.Call(limit(t), p.prefix+"count", wamp.Args(5), wamp.Progressive()) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		if r.Progress != (n < 5) {
			t.Errorf("result %d: progress %v", n, r.Progress)
		}
		kwargs := map[string]any{"of": int64(5)}
		if !r.Progress {
			kwargs = nil
		}
		if err := samePayload(r.Payload, []any{int64(n)}, kwargs); err != nil {
			t.Errorf("result %d: %v", n, err)
		}
		n++
	}
	if n != 6 {
		t.Errorf("%d results, want 6", n)
	}
	// many at once, as a typed iterator: none lost, none out of order
	next := 0
	for i, err := range wamp.Stream[int](limit(t), s, p.prefix+"flood", wamp.Args(flood)) {
		if err != nil {
			t.Fatal(err)
		}
		if i != next {
			t.Fatalf("result %d is %d", next, i)
		}
		next++
	}
	if next != flood+1 {
		t.Errorf("%d results, want %d", next, flood+1)
	}
	// a caller that does not ask for progress gets none
	results := s.Call(limit(t), p.prefix+"count", wamp.Args(3))
	if r := <-results; r.Err != nil || r.Progress {
		t.Errorf("without Progressive: %+v", r)
	}
	if r, more := <-results; more {
		t.Errorf("without Progressive: one more: %+v", r)
	}
}

func testProgressIn(t *testing.T, c cell, p *partner) {
	s := c.join(t)
	uri := c.uri("go", "count")
	_, err := s.Handle(limit(t), uri, func(_ context.Context, inv *wamp.Invocation) error {
		var n int
		if err := inv.Scan(&n); err != nil {
			return err
		}
		for i := range n {
			if err := inv.Progress(wamp.Args(i).With("of", n)); err != nil {
				return err
			}
		}
		return inv.Return(wamp.Args(n))
	})
	if err != nil {
		t.Fatal(err)
	}
	r := p.ask(t, "call", request{"uri": uri, "args": tagAll(flood), "progress": true})
	if len(r.Progress) != flood {
		t.Fatalf("%d progressive results, want %d", len(r.Progress), flood)
	}
	for i, m := range r.Progress {
		if !sameMessage(m, []any{i}, map[string]any{"of": flood}) {
			t.Fatalf("progressive result %d is %s", i, show(m))
		}
	}
	if r.Result == nil || !sameMessage(*r.Result, []any{flood}, nil) {
		t.Errorf("result %s", show(r))
	}
	r = p.ask(t, "call", request{"uri": uri, "args": tagAll(3)})
	if len(r.Progress) != 0 || r.Result == nil {
		t.Errorf("without asking for progress: %s", show(r))
	}
}

// testCancelOut cancels calls of ours, which run at the peer.
func testCancelOut(t *testing.T, c cell, p *partner) {
	s := c.join(t)
	reason := errors.New("changed my mind")
	for _, mode := range []struct {
		name    string
		options []wamp.CallOption
		mode    string // of INTERRUPT
	}{
		{"default", nil, "killnowait"},
		{"killnowait", []wamp.CallOption{wamp.CancelMode(wamp.KillNoWait)}, "killnowait"},
		{"kill", []wamp.CallOption{wamp.CancelMode(wamp.Kill)}, "kill"},
		{"skip", []wamp.CallOption{wamp.CancelMode(wamp.Skip)}, ""},
	} {
		t.Run(mode.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(limit(t))
			work := 10_000 // ms; it is interrupted
			if mode.mode == "" {
				work = 800
			}
			results := s.Call(ctx, p.prefix+"slow", wamp.Args(work), mode.options...)
			p.running(t, 1)
			cancel(reason)
			start := time.Now()
			_, err := results.Final()
			if took := time.Since(start); took > prompt {
				t.Errorf("the call ended after %v", took)
			}
			if !errors.Is(err, context.Canceled) || !errors.Is(err, reason) || !errors.Is(err, wamp.ErrCanceled) {
				t.Errorf("error %v", err)
			}
			interrupted(t, p, mode.mode, "slow")
			p.running(t, 0)
			idle(t, s)
		})
	}
	t.Run("kill, callee goes on", func(t *testing.T) {
		ctx, cancel := context.WithCancel(limit(t))
		results := s.Call(ctx, p.prefix+"stubborn", wamp.Args(500), wamp.CancelMode(wamp.Kill))
		p.running(t, 1)
		cancel()
		_, err := results.Final()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		// kill waits for the callee's answer, so nothing runs there any more
		if r := p.ask(t, "stats", nil); r.Running != 0 {
			t.Errorf("the call ended before the callee had")
		}
		interrupted(t, p, "kill", "stubborn")
		idle(t, s)
	})
	t.Run("deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(limit(t), time.Second)
		defer cancel()
		_, err := s.Call(ctx, p.prefix+"slow", wamp.Args(10_000)).Final()
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, wamp.ErrTimeout) {
			t.Errorf("error %v", err)
		}
		interrupted(t, p, "killnowait", "slow")
		idle(t, s)
	})
	t.Run("in the middle of a stream", func(t *testing.T) {
		n := 0
		for i, err := range wamp.Stream[int](limit(t), s, p.prefix+"slowcount", wamp.Args(10_000, 5)) {
			if err != nil || i != n {
				t.Fatalf("result %d: %d, %v", n, i, err)
			}
			if n++; n == 3 {
				break
			}
		}
		interrupted(t, p, "killnowait", "slowcount")
		p.running(t, 0)
		idle(t, s)
	})
}

// interrupted checks what the peer saw of an INTERRUPT, none if mode is "".
func interrupted(t *testing.T, p *partner, mode, procedure string) {
	t.Helper()
	req := request{"count": 1}
	if mode == "" {
		req["wait"] = 0.2
	}
	r := p.ask(t, "interrupts", req)
	got := []string{}
	for _, i := range r.Interrupt {
		if i.Mode == nil {
			got = append(got, "none")
		} else {
			got = append(got, *i.Mode)
		}
	}
	if mode == "" {
		if len(got)+len(r.Stopped) > 0 {
			t.Errorf("the callee was interrupted: %q %q", got, r.Stopped)
		}
		return
	}
	if !reflect.DeepEqual(got, []string{mode}) {
		t.Errorf("INTERRUPT modes %q, want %q", got, mode)
	}
	if len(r.Stopped) == 0 { // the procedure notices a moment later than the connection
		r = p.ask(t, "stopped", request{"count": 1})
	}
	if !reflect.DeepEqual(r.Stopped, []string{procedure}) {
		t.Errorf("stopped: %q, want %q", r.Stopped, procedure)
	}
}

// idle checks that no call or invocation of the session is pending, and that it
// still works.
func idle(t *testing.T, s *wamp.Session) {
	t.Helper()
	for end := time.Now().Add(prompt); ; time.Sleep(5 * time.Millisecond) {
		tables := s.Stats().Tables
		if tables.Requests == 0 && tables.Invocations == 0 && tables.Watches == tables.Subscriptions+tables.Registrations {
			break
		}
		if time.Now().After(end) {
			t.Errorf("left behind: %+v", tables)
			break
		}
	}
	if _, err := s.Call(limit(t), "wamp.session.count", wamp.Args()).Final(); err != nil {
		t.Errorf("the session does not work any more: %v", err)
	}
}

// testCancelIn lets the peer cancel calls that run here.
func testCancelIn(t *testing.T, c cell, p *partner) {
	s := c.join(t)
	uri := c.uri("go", "slow")
	causes := make(chan error, 100)
	_, err := s.Handle(limit(t), uri, func(ctx context.Context, inv *wamp.Invocation) error {
		var ms int
		if err := inv.Scan(&ms); err != nil {
			return err
		}
		for i := 0; inv.Progressive() && i < 3; i++ {
			if err := inv.Progress(wamp.Args(i)); err != nil {
				return err
			}
		}
		timer := time.NewTimer(time.Duration(ms) * time.Millisecond)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			causes <- context.Cause(ctx)
			return context.Cause(ctx)
		case <-timer.C:
			causes <- nil
			return inv.Return(wamp.Args("done"))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	cause := func(t *testing.T) error {
		t.Helper()
		select {
		case err := <-causes:
			return err
		case <-time.After(patience):
			t.Fatal("the handler was not interrupted")
			return nil
		}
	}
	for _, mode := range []struct {
		name   string
		option any
		want   string // mode of INTERRUPT
	}{
		{"none", nil, ""}, {"killnowait", "killnowait", "killnowait"}, {"kill", "kill", "kill"},
	} {
		t.Run(mode.name, func(t *testing.T) {
			r := p.ask(t, "call", request{"uri": uri, "args": tagAll(10_000), "cancel_after_ms": 50, "mode": mode.option})
			if r.Failed == nil || r.Failed.URI != "wamp.error.canceled" {
				t.Errorf("the peer got %s", show(r))
			}
			var interrupt *wamp.Interrupt
			if err := cause(t); !errors.As(err, &interrupt) || interrupt.Mode != mode.want {
				t.Errorf("cause %v, want an interrupt of mode %q", err, mode.want)
			}
		})
	}
	t.Run("skip", func(t *testing.T) {
		r := p.ask(t, "call", request{"uri": uri, "args": tagAll(300), "cancel_after_ms": 50, "mode": "skip", "wait": 0.5})
		if !r.Silent { // Crossbar never answers a skip
			t.Errorf("the peer got %s", show(r))
		}
		if err := cause(t); err != nil {
			t.Errorf("the handler was interrupted: %v", err)
		}
	})
	t.Run("in the middle of a stream", func(t *testing.T) {
		r := p.ask(t, "call", request{"uri": uri, "args": tagAll(10_000), "progress": true, "cancel_after_progress": 3, "mode": "killnowait"})
		if r.Failed == nil || r.Failed.URI != "wamp.error.canceled" || len(r.Progress) != 3 {
			t.Errorf("the peer got %s", show(r))
		}
		var interrupt *wamp.Interrupt
		if err := cause(t); !errors.As(err, &interrupt) {
			t.Errorf("cause %v, want an interrupt", err)
		}
	})
	t.Run("caller gone", func(t *testing.T) {
		name := t.Name() + " caller"
		python.ask(t, "join", name, request{"kind": c.kind, "codec": c.codec.Name()})
		answer := python.begin(t, "call", name, request{"uri": uri, "args": tagAll(10_000), "progress": true, "cancel_after_progress": 1 << 30, "wait": 1})
		for end := time.Now().Add(patience); s.Stats().Tables.Invocations == 0 && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
		python.ask(t, "drop", name, nil)
		var interrupt *wamp.Interrupt
		if err := cause(t); !errors.As(err, &interrupt) || interrupt.Mode != "killnowait" {
			t.Errorf("cause %v, want an interrupt of mode killnowait", err)
		}
		_ = answer
	})
	idle(t, s)
}

func testErrorOut(t *testing.T, c cell, p *partner) {
	s := c.join(t)
	_, err := s.Call(limit(t), p.prefix+"fail", wamp.Args("com.example.bad", 1, "two", []byte{3}).With("why", "asked for").With("n", 4)).Final()
	var failed *wamp.Error
	if !errors.As(err, &failed) {
		t.Fatalf("error %v", err)
	}
	if failed.URI != "com.example.bad" {
		t.Errorf("URI %s", failed.URI)
	}
	if err := samePayload(failed.Payload, []any{int64(1), "two", []byte{3}}, map[string]any{"why": "asked for", "n": int64(4)}); err != nil {
		t.Error(err)
	}
	_, err = s.Call(limit(t), p.prefix+"fail", wamp.Args("wamp.error.invalid_argument")).Final()
	if !errors.Is(err, wamp.ErrInvalidArgument) {
		t.Errorf("error %v, want ErrInvalidArgument", err)
	}
	_, err = s.Call(limit(t), c.uri("go", "nobody"), wamp.Args()).Final()
	if !errors.Is(err, wamp.ErrNoSuchProcedure) {
		t.Errorf("error %v, want ErrNoSuchProcedure", err)
	}
	_, err = s.Register(limit(t), p.prefix+"echo")
	if !errors.Is(err, wamp.ErrProcedureAlreadyExists) {
		t.Errorf("error %v, want ErrProcedureAlreadyExists", err)
	}
}

func testErrorIn(t *testing.T, c cell, p *partner) {
	s := c.join(t)
	fails := map[string]error{
		"custom":   wamp.NewError("com.example.bad", wamp.Args(1, "two", []byte{3}).With("why", "asked for")),
		"standard": fmt.Errorf("no: %w", wamp.ErrInvalidArgument),
		"other":    errors.New("a secret of the callee"),
	}
	for name, fail := range fails {
		_, err := s.Handle(limit(t), c.uri("go", "fail."+name), func(context.Context, *wamp.Invocation) error { return fail })
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]struct {
		uri    string
		args   []any
		kwargs map[string]any
	}{
		"custom":   {"com.example.bad", []any{1, "two", []byte{3}}, map[string]any{"why": "asked for"}},
		"standard": {"wamp.error.invalid_argument", nil, nil},
		"other":    {"wamp.error.runtime_error", nil, nil},
	} {
		r := p.ask(t, "call", request{"uri": c.uri("go", "fail."+name)})
		if r.Failed == nil || r.Failed.URI != want.uri || !sameMessage(*r.Failed, want.args, want.kwargs) {
			t.Errorf("%s: the peer got %s", name, show(r))
		}
	}
}

func testEventOut(t *testing.T, c cell, p *partner) {
	s := c.join(t)
	topic := c.uri("go", "topic")
	p.ask(t, "subscribe", request{"topic": topic})
	const n = 200
	var ids []wamp.ID
	for i := range n {
		payload := wamp.Args(i, "x").With("i", i)
		if i%10 != 0 {
			if err := (<-s.Publish(limit(t), topic, payload)).Err; err != nil {
				t.Fatal(err)
			}
			continue
		}
		id, err := s.Publish(limit(t), topic, payload, wamp.Acknowledge()).Wait()
		if err != nil || id == 0 {
			t.Fatalf("acknowledged publish: %d, %v", id, err)
		}
		ids = append(ids, id)
	}
	events := p.ask(t, "events", request{"topic": topic, "count": n, "wait": 10}).Events
	if len(events) != n {
		t.Fatalf("%d events, want %d", len(events), n)
	}
	for i, e := range events {
		if !sameMessage(e, []any{i, "x"}, map[string]any{"i": i}) {
			t.Fatalf("event %d is %s", i, show(e))
		}
	}
	if len(ids) != n/10 {
		t.Errorf("%d publications acknowledged, want %d", len(ids), n/10)
	}
	// what the broker refuses is said, when it is asked
	_, err := s.Publish(limit(t), "wamp.not.ours", wamp.Args(1), wamp.Acknowledge()).Wait()
	var refused *wamp.Error
	if !errors.As(err, &refused) {
		t.Errorf("a publish to wamp.*: %v, want an error of the broker", err)
	}
}

func testEventIn(t *testing.T, c cell, p *partner) {
	s := c.join(t)
	topic := c.uri("py", "topic.one")
	sub, err := s.Subscribe(limit(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	prefix, err := s.Subscribe(limit(t), c.uri("py", "topic."), wamp.Match(wamp.Prefix))
	if err != nil {
		t.Fatal(err)
	}
	const n = 100
	p.ask(t, "publish", request{"topic": topic, "args": tagAll("unasked"), "count": n})
	acked := p.ask(t, "publish", request{"topic": topic, "args": tagAll("asked"), "count": n, "acknowledge": true}).IDs
	if len(acked) != n {
		t.Fatalf("%d publications acknowledged, want %d", len(acked), n)
	}
	for i := range 2 * n {
		var got [2]wamp.Event
		for k, s := range []*wamp.Subscription{sub, prefix} {
			select {
			case got[k] = <-s.Events():
			case <-time.After(patience):
				t.Fatalf("%s: event %d did not come", s.Topic(), i)
			}
			word := "unasked"
			if i >= n {
				word = "asked"
			}
			if err := samePayload(got[k].Payload, []any{word}, map[string]any{"i": int64(i % n)}); err != nil {
				t.Fatalf("%s: event %d: %v", s.Topic(), i, err)
			}
			if got[k].Topic != topic {
				t.Errorf("%s: event %d has topic %s", s.Topic(), i, got[k].Topic)
			}
		}
		if i >= n && got[0].Publication != wamp.ID(acked[i-n]) {
			t.Errorf("event %d is publication %d, want %d", i, got[0].Publication, acked[i-n])
		}
	}
	// no event of one's own, unless asked for
	for _, me := range []bool{true, false} {
		if _, err := s.Publish(limit(t), topic, wamp.Args(me), wamp.Acknowledge(), wamp.ExcludeMe(me)).Wait(); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case e := <-sub.Events():
		if err := samePayload(e.Payload, []any{false}, nil); err != nil {
			t.Errorf("own event: %v", err)
		}
	case <-time.After(patience):
		t.Error("own event did not come")
	}
	if err := sub.Unsubscribe(limit(t)); err != nil {
		t.Error(err)
	}
	if _, more := <-sub.Events(); more || !errors.Is(sub.Err(), wamp.ErrUnsubscribed) {
		t.Errorf("after Unsubscribe: more %v, %v", more, sub.Err())
	}
}

// testBig sends 1 MiB of bytes and of text both ways, in calls and in events.
func testBig(t *testing.T, c cell, p *partner) {
	const size = 1 << 20
	s := c.join(t)
	data, text := blob(size), prose(size)
	r, err := s.Call(limit(t), p.prefix+"echo", wamp.Args(data).With("text", text)).Final()
	if err == nil {
		err = samePayload(r.Payload, []any{data}, map[string]any{"text": text})
	}
	if err != nil {
		t.Errorf("call: %v", err)
	}
	uri := c.uri("go", "big")
	_, err = s.Handle(limit(t), uri, func(_ context.Context, inv *wamp.Invocation) error {
		args, err := inv.Args()
		if err != nil {
			return err
		}
		return inv.Return(wamp.Args(args...))
	})
	if err != nil {
		t.Fatal(err)
	}
	got := p.ask(t, "call", request{"uri": uri, "args": []tagged{{T: "blob", N: size}, {T: "text", N: size}}})
	if got.Result == nil || !sameMessage(*got.Result, []any{data, text}, nil) {
		t.Errorf("called: the peer got %.500s", show(got))
	}
	topic := c.uri("go", "bigtopic")
	p.ask(t, "subscribe", request{"topic": topic})
	if _, err := s.Publish(limit(t), topic, wamp.Args(data, text), wamp.Acknowledge()).Wait(); err != nil {
		t.Errorf("publish: %v", err)
	}
	events := p.ask(t, "events", request{"topic": topic}).Events
	if len(events) != 1 || !sameMessage(events[0], []any{data, text}, nil) {
		t.Errorf("the peer got %d events, %.500s", len(events), show(events))
	}
	sub, err := s.Subscribe(limit(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	p.ask(t, "publish", request{"topic": topic, "args": []tagged{{T: "blob", N: size}, {T: "text", N: size}}})
	select {
	case e := <-sub.Events():
		if err := samePayload(e.Payload, []any{data, text}, nil); err != nil {
			t.Errorf("event: %v", err)
		}
	case <-time.After(patience):
		t.Error("the event did not come")
	}
}

// testGoodbyeOut closes a session in order; the router tells the peer.
func testGoodbyeOut(t *testing.T, c cell, p *partner) {
	s := c.join(t)
	p.ask(t, "subscribe", request{"topic": "wamp.session.on_leave"})
	sub, err := s.Subscribe(limit(t), c.uri("go", "quiet"))
	if err != nil {
		t.Fatal(err)
	}
	leave(t, s)
	select {
	case <-s.Done():
	default:
		t.Error("not done after Close")
	}
	if !errors.Is(s.Err(), wamp.ErrSessionClosed) {
		t.Errorf("Err() %v", s.Err())
	}
	if _, more := <-sub.Events(); more || !errors.Is(sub.Err(), wamp.ErrSessionClosed) {
		t.Errorf("the subscription: more %v, %v", more, sub.Err())
	}
	if _, err := s.Call(limit(t), p.prefix+"sum", wamp.Args(1, 2)).Final(); !errors.Is(err, wamp.ErrSessionClosed) {
		t.Errorf("a call after Close: %v", err)
	}
	for end := time.Now().Add(patience); ; {
		for _, e := range p.ask(t, "events", request{"topic": "wamp.session.on_leave", "count": 1, "wait": 1}).Events {
			if len(e.Args) > 0 && sameTagged(e.Args[0], tag(uint64(s.ID()))) {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatal("the router did not say that the session has left")
		}
	}
}

// testGoodbyeIn lets the router close a session: the peer asks it to.
func testGoodbyeIn(t *testing.T, c cell, p *partner) {
	s := c.join(t)
	sub, err := s.Subscribe(limit(t), c.uri("go", "quiet"))
	if err != nil {
		t.Fatal(err)
	}
	pending := s.Call(limit(t), p.prefix+"slow", wamp.Args(500))
	p.running(t, 1)
	r := p.ask(t, "call", request{"uri": "wamp.session.kill", "args": tagAll(uint64(s.ID())),
		"kwargs": map[string]tagged{"reason": tag("com.example.enough"), "message": tag("time to go")}})
	if r.Failed != nil {
		t.Fatalf("wamp.session.kill: %s", show(r.Failed))
	}
	select {
	case <-s.Done():
	case <-time.After(prompt):
		t.Fatal("the session did not end")
	}
	var goodbye *wamp.GoodbyeError
	if !errors.As(s.Err(), &goodbye) || goodbye.Reason != "com.example.enough" || !errors.Is(s.Err(), wamp.ErrSessionClosed) {
		t.Errorf("Err() %v", s.Err())
	}
	if !errors.As(context.Cause(s.Context()), &goodbye) {
		t.Errorf("cause of Context() %v", context.Cause(s.Context()))
	}
	if _, err := pending.Final(); err == nil {
		t.Error("the pending call has a result")
	}
	if _, more := <-sub.Events(); more || !errors.As(sub.Err(), &goodbye) {
		t.Errorf("the subscription: more %v, %v", more, sub.Err())
	}
	p.running(t, 0)
}

// TestSerializersMix lets both sides use different serializers, so that the
// router translates between them.
func TestSerializersMix(t *testing.T) {
	for _, ours := range codecs {
		for _, theirs := range codecs {
			if ours == theirs {
				continue
			}
			t.Run(ours.Name()+" to "+theirs.Name(), func(t *testing.T) {
				p := joinPartner(t, cell{"raw", theirs})
				testEchoOut(t, cell{"raw", ours}, p)
				testEchoIn(t, cell{"raw", ours}, p)
			})
		}
	}
}
