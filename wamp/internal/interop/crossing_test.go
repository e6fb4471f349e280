//go:build interop

package interop_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/meta"
)

// crosses is what may reach the other node of a cluster.
type crosses struct {
	t           *testing.T
	here, there *wamp.Session // at a and b
	uri         string        // a name of the row's own
}

// handle registers a procedure here, and waits until it is known there.
func (c *crosses) handle(procedure string, h wamp.Handler, options ...wamp.RegisterOption) {
	c.t.Helper()
	if _, err := c.here.Handle(c.here.Context(), procedure, h, options...); err != nil {
		c.t.Fatal(err)
	}
	known(c.t, c.there, procedure)
}

// mark is a name that no pattern of the row matches.
func (c *crosses) mark() string { return strings.Replace(c.uri, ".crossing.", ".mark.", 1) }

// heard collects the events that come to a subscription there, and has them published.
// Events of another topic, which cross, tell when the other node knows the subscriptions,
// and when there is no more to come.
func (c *crosses) heard(topic string, publish func(), options ...wamp.SubscribeOption) (numbers []int) {
	c.t.Helper()
	subscribe := func(topic string, options ...wamp.SubscribeOption) <-chan wamp.Event {
		sub, err := c.there.Subscribe(c.there.Context(), topic, options...)
		if err != nil {
			c.t.Fatal(err)
		}
		return sub.Events()
	}
	events := subscribe(topic, options...)
	mark := c.mark()
	marks := subscribe(mark)
	ctx := limit(c.t)
	tell := time.NewTicker(100 * time.Millisecond)
	defer tell.Stop()
	for known := false; !known; {
		select {
		case <-tell.C:
			c.publish(mark, 0)
		case <-marks:
			known = true
		case <-ctx.Done():
			c.t.Fatal("no event has crossed")
		}
	}
	time.Sleep(200 * time.Millisecond) // the other one was first, but nothing tells
	publish()
	c.publish(mark, 1)
	var quiet <-chan time.Time // behind the last mark
	for {
		select {
		case ev := <-events:
			var n int
			if err := ev.Scan(&n); err != nil {
				c.t.Error(err)
			}
			numbers = append(numbers, n)
		case ev := <-marks:
			if n := 0; ev.Scan(&n) == nil && n == 1 {
				quiet = time.After(200 * time.Millisecond)
			}
		case <-quiet:
			return numbers
		case <-ctx.Done():
			c.t.Fatal("the last mark has not crossed")
		}
	}
}

func (c *crosses) publish(topic string, n int, options ...wamp.PublishOption) {
	c.t.Helper()
	if _, err := c.here.Publish(limit(c.t), topic, wamp.Args(n), append(options, wamp.Acknowledge())...).Wait(); err != nil {
		c.t.Error(err)
	}
}

// sealed returns sessions at both nodes that seal for each other.
func (c *crosses) sealed() (here, there *wamp.Session) {
	c.t.Helper()
	one, two := newKeyPair(c.t), newKeyPair(c.t)
	return member(c.t, []string{clusterURL(c.t, "a", "raw")}, wamp.WithPayloadCodec(cryptobox(c.t, one, two))),
		member(c.t, []string{clusterURL(c.t, "b", "raw")}, wamp.WithPayloadCodec(cryptobox(c.t, two, one)))
}

// crossings are the rows of the table in docs/routers.md: what is seen at the other node of a
// Crossbar cluster. A row that is not as it says has changed, maybe for the better.
var crossings = []struct {
	what string
	want string
	try  func(c *crosses) string
}{
	{"a call and its result", "as at one node", func(c *crosses) string {
		c.handle(c.uri, echo)
		got, err := wamp.Call[string](limit(c.t), c.there, c.uri, wamp.Args(strings.Repeat("x", 300_000)))
		if err != nil || len(got) != 300_000 {
			return fmt.Sprint(len(got), err)
		}
		return "as at one node"
	}},
	{"an error of the callee", "a result [null]", func(c *crosses) string {
		c.handle(c.uri, func(context.Context, *wamp.Invocation) error {
			return wamp.NewError("com.interop.crossing.wrong", wamp.Args("so"))
		})
		return became(c.there.Call(limit(c.t), c.uri, wamp.Args()).Final())
	}},
	{"an empty result", "a result [null]", func(c *crosses) string {
		c.handle(c.uri, func(_ context.Context, inv *wamp.Invocation) error { return inv.Return() })
		return became(c.there.Call(limit(c.t), c.uri, wamp.Args()).Final())
	}},
	{"keyword arguments details and options", "left out", func(c *crosses) string {
		var got map[string]any
		c.handle(c.uri, func(_ context.Context, inv *wamp.Invocation) (err error) {
			got, err = inv.Kwargs()
			return errors.Join(err, inv.Return(wamp.Args(1)))
		})
		if _, err := c.there.Call(limit(c.t), c.uri, wamp.Kwargs(map[string]any{"details": 1, "options": 2, "other": 3})).Final(); err != nil {
			return err.Error()
		}
		if len(got) == 1 && got["other"] != nil {
			return "left out"
		}
		return fmt.Sprint(got)
	}},
	{"progressive results", "the last one only", func(c *crosses) string {
		c.handle(c.uri, func(_ context.Context, inv *wamp.Invocation) error {
			_ = inv.Progress(wamp.Args(1)) // an error, since nobody is said to want it
			return inv.Return(wamp.Args(2))
		})
		n := 0
		for r := range c.there.Call(limit(c.t), c.uri, wamp.Args(), wamp.Progressive()) {
			if n++; r.Err != nil {
				return r.Err.Error()
			}
		}
		if n == 1 {
			return "the last one only"
		}
		return fmt.Sprint(n, " results")
	}},
	{"a cancel", "interrupts the callee", func(c *crosses) string {
		running, ended := make(chan struct{}), make(chan error, 1)
		c.handle(c.uri, func(ctx context.Context, _ *wamp.Invocation) error {
			close(running)
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return ctx.Err()
		})
		ctx, cancel := context.WithCancel(limit(c.t))
		results := c.there.Call(ctx, c.uri, wamp.Args())
		<-running
		cancel()
		_, err := results.Final()
		select {
		case cause := <-ended:
			var interrupt *wamp.Interrupt
			if errors.Is(err, context.Canceled) && errors.As(cause, &interrupt) {
				return "interrupts the callee"
			}
			return fmt.Sprint(err, cause)
		case <-time.After(prompt):
			return fmt.Sprint("nothing: ", err)
		}
	}},
	{"a callee that leaves in the call", "a result [null]", func(c *crosses) string {
		s := newMember(c.t, []string{clusterURL(c.t, "a", "raw")})
		calls, err := s.Register(s.Context(), c.uri)
		if err != nil {
			return err.Error()
		}
		known(c.t, c.there, c.uri)
		results := c.there.Call(limit(c.t), c.uri, wamp.Args())
		<-calls.Invocations()
		leave(c.t, s)
		return became(results.Final())
	}},
	{"a caller that leaves", "interrupts the callee", func(c *crosses) string {
		running, ended := make(chan struct{}), make(chan error, 1)
		c.handle(c.uri, func(ctx context.Context, _ *wamp.Invocation) error {
			close(running)
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return ctx.Err()
		})
		s := newMember(c.t, []string{clusterURL(c.t, "b", "raw")})
		results := s.Call(limit(c.t), c.uri, wamp.Args())
		<-running
		leave(c.t, s)
		_, _ = results.Final()
		select {
		case cause := <-ended:
			if interrupt := (*wamp.Interrupt)(nil); errors.As(cause, &interrupt) {
				return "interrupts the callee"
			}
			return fmt.Sprint(cause)
		case <-time.After(prompt):
			return "nothing"
		}
	}},
	{"a sealed call", "wamp.error.no_payload_codec", func(c *crosses) string {
		here, there := c.sealed()
		const uri = "com.interop.box.crossing.call"
		if _, err := here.Handle(here.Context(), uri, echo); err != nil {
			return err.Error()
		}
		known(c.t, there, uri)
		_, err := there.Call(limit(c.t), uri, wamp.Args(1)).Final()
		return wamp.ErrorURI(err)
	}},
	{"a sealed event", "does not cross", func(c *crosses) string {
		here, there := c.sealed()
		box := &crosses{t: c.t, here: here, there: there, uri: c.uri} // which is not sealed
		got := box.heard("com.interop.box.crossing.event", func() { box.publish("com.interop.box.crossing.event", 1) })
		return map[bool]string{true: "does not cross"}[len(got) == 0]
	}},
	{"events of a topic, in their order", "as at one node", func(c *crosses) string {
		got := c.heard(c.uri, func() {
			for n := range 100 {
				c.publish(c.uri, n)
			}
		})
		for n := range 100 {
			if len(got) != 100 || got[n] != n {
				return fmt.Sprint(got)
			}
		}
		return "as at one node"
	}},
	{"events for a pattern", "do not cross", func(c *crosses) string {
		got := c.heard(c.uri, func() { c.publish(c.uri+".one", 1) }, wamp.Match(wamp.Prefix))
		return map[bool]string{true: "do not cross"}[len(got) == 0]
	}},
	{"an event with Exclude", "comes all the same", func(c *crosses) string {
		got := c.heard(c.uri, func() { c.publish(c.uri, 1, wamp.Exclude(c.there.ID())) })
		return map[bool]string{true: "comes all the same"}[slices.Equal(got, []int{1})]
	}},
	{"an event with Eligible", "does not cross", func(c *crosses) string {
		got := c.heard(c.uri, func() { c.publish(c.uri, 1, wamp.Eligible(c.there.ID())) })
		return map[bool]string{true: "does not cross"}[len(got) == 0]
	}},
	{"a retained event, for who comes later", "does not cross", func(c *crosses) string {
		c.publish(c.uri, 1, wamp.Retain())
		got := c.heard(c.uri, func() {}, wamp.GetRetained())
		return map[bool]string{true: "does not cross"}[len(got) == 0]
	}},
	{"a procedure with a pattern", "is not there", func(c *crosses) string {
		if _, err := c.here.Handle(c.here.Context(), c.uri, echo, wamp.Match(wamp.Prefix)); err != nil {
			return err.Error()
		}
		c.handle(c.mark(), echo) // the next one is known
		_, err := c.there.Call(limit(c.t), c.uri+".one", wamp.Args()).Final()
		return map[bool]string{true: "is not there"}[errors.Is(err, wamp.ErrNoSuchProcedure)]
	}},
	{"a shared procedure, registered at a first", "a calls its own, b calls all", func(c *crosses) string {
		// Two callees at a, and then two at b.
		ran := map[string]int{}
		answer := func(name string) wamp.Handler {
			return func(_ context.Context, inv *wamp.Invocation) error { return inv.Return(wamp.Args(name)) }
		}
		for i, s := range []*wamp.Session{c.here, member(c.t, []string{clusterURL(c.t, "a", "raw")}), c.there, member(c.t, []string{clusterURL(c.t, "b", "raw")})} {
			if _, err := s.Handle(s.Context(), c.uri, answer([]string{"a", "a", "b", "b"}[i]), wamp.Invoke(wamp.RoundRobin)); err != nil {
				return err.Error()
			}
			time.Sleep(300 * time.Millisecond)
		}
		for _, s := range []*wamp.Session{c.here, c.there} {
			for range 60 {
				name, err := wamp.Call[string](limit(c.t), s, c.uri, wamp.Args())
				if err != nil {
					return err.Error()
				}
				ran[map[bool]string{true: "at a by ", false: "at b by "}[s == c.here]+name]++
			}
		}
		fmt.Printf("\na shared procedure, two callees at a and then two at b: %v of 60 calls each\n", ran)
		if ran["at a by a"] == 60 && ran["at b by a"] > 0 && ran["at b by b"] > 0 {
			return "a calls its own, b calls all"
		}
		return fmt.Sprint(ran)
	}},
	{"who is there (wamp/meta)", "sessions of one node only", func(c *crosses) string {
		list, err := meta.Of(c.there).ListSessions(limit(c.t))
		if err != nil {
			return err.Error()
		}
		if slices.Contains(list, c.there.ID()) && !slices.Contains(list, c.here.ID()) {
			return "sessions of one node only"
		}
		return fmt.Sprint(list)
	}},
}

// echo gives the arguments back.
func echo(_ context.Context, inv *wamp.Invocation) error { return inv.Return(inv.Payload) }

// became says what a call has come to.
func became(r wamp.Result, err error) string {
	if err != nil {
		return err.Error()
	}
	args, err := r.Args()
	if err == nil && len(args) == 1 && args[0] == nil {
		return "a result [null]"
	}
	return fmt.Sprint("a result ", args, err)
}

// TestCrossings measures what crosses the link between two nodes.
func TestCrossings(t *testing.T) {
	a, b := clusterURL(t, "a", "raw"), clusterURL(t, "b", "raw")
	here, there := member(t, []string{a}), member(t, []string{b})
	for i, row := range crossings {
		t.Run(row.what, func(t *testing.T) {
			c := &crosses{t: t, here: here, there: there, uri: fmt.Sprint("com.interop.crossing.n", i)}
			if got := row.try(c); got != row.want {
				t.Errorf("%q, and it was %q", got, row.want)
			}
		})
	}
	// What an error becomes is an error where the result is one that may be null, and nil is none.
	type sum struct {
		Sum int `json:"sum"`
	}
	uri := "com.interop.crossing.n1"
	if v, err := wamp.Call[sum](limit(t), there, uri, wamp.Args()); err != nil || v != (sum{}) {
		t.Errorf("as a struct: %v, %v", v, err)
	}
	if v, err := wamp.Call[*sum](limit(t), there, uri, wamp.Args()); err != nil || v != nil {
		t.Errorf("as a pointer: %v, %v", v, err)
	}
}
