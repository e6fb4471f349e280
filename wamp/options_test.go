package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// o is an options dict as the router sees it.
type o = map[string]any

// The options of an operation, and what exactly goes out for them.
var (
	callOptions = []struct {
		options []wamp.CallOption
		want    o
	}{
		{nil, o{}},
		{[]wamp.CallOption{wamp.Progressive()}, o{"receive_progress": true}},
		{[]wamp.CallOption{wamp.DiscloseMe()}, o{"disclose_me": true}},
		{[]wamp.CallOption{wamp.DiscloseMe(), wamp.Progressive()}, o{"receive_progress": true, "disclose_me": true}},
		{[]wamp.CallOption{wamp.Timeout(1500 * time.Millisecond)}, o{"timeout": int64(1500)}},
		{[]wamp.CallOption{wamp.Timeout(time.Microsecond)}, o{"timeout": int64(1)}}, // 0 would mean none
		{[]wamp.CallOption{wamp.Set("x_vendor", []string{"a"}), wamp.Set("rkey", "k")}, o{"x_vendor": []any{"a"}, "rkey": "k"}},
		{[]wamp.CallOption{wamp.Progressive(), wamp.Set("receive_progress", false)}, o{"receive_progress": false}},
		{[]wamp.CallOption{wamp.CancelMode(wamp.Kill), wamp.KillGrace(0), wamp.Idempotent(), wamp.Buffer(5, 0), wamp.OverflowBlock(),
			wamp.OverflowFail()}, o{}}, // kept on this side
	}
	publishOptions = []struct {
		options []wamp.PublishOption
		want    o
	}{
		{nil, o{}},
		{[]wamp.PublishOption{wamp.Acknowledge()}, o{"acknowledge": true}},
		{[]wamp.PublishOption{wamp.ExcludeMe(false)}, o{"exclude_me": false}},
		{[]wamp.PublishOption{wamp.ExcludeMe(true)}, o{"exclude_me": true}},
		{[]wamp.PublishOption{wamp.Exclude(7, 8), wamp.ExcludeAuthID("joe"), wamp.ExcludeAuthRole("a", "b")},
			o{"exclude": []any{int64(7), int64(8)}, "exclude_authid": []any{"joe"}, "exclude_authrole": []any{"a", "b"}}},
		{[]wamp.PublishOption{wamp.Eligible(7), wamp.EligibleAuthID("joe", "jane"), wamp.EligibleAuthRole("a")},
			o{"eligible": []any{int64(7)}, "eligible_authid": []any{"joe", "jane"}, "eligible_authrole": []any{"a"}}},
		{[]wamp.PublishOption{wamp.Eligible(), wamp.EligibleAuthID(), wamp.EligibleAuthRole(), wamp.Exclude()},
			o{"eligible": []any{}, "eligible_authid": []any{}, "eligible_authrole": []any{}, "exclude": []any{}}}, // nobody, not anybody
		{[]wamp.PublishOption{wamp.DiscloseMe(), wamp.Set("x_vendor", 1.5)}, o{"disclose_me": true, "x_vendor": 1.5}},
		{[]wamp.PublishOption{wamp.Idempotent()}, o{}},
	}
	subscribeOptions = []struct {
		options []wamp.SubscribeOption
		want    o
	}{
		{nil, o{}},
		{[]wamp.SubscribeOption{wamp.Match(wamp.Exact)}, o{}},
		{[]wamp.SubscribeOption{wamp.Match(wamp.Prefix)}, o{"match": "prefix"}},
		{[]wamp.SubscribeOption{wamp.Match(wamp.Wildcard)}, o{"match": "wildcard"}},
		{[]wamp.SubscribeOption{wamp.GetRetained()}, o{"get_retained": true}},
		{[]wamp.SubscribeOption{wamp.Match(wamp.Prefix), wamp.GetRetained(), wamp.Set("nkey", "n")},
			o{"match": "prefix", "get_retained": true, "nkey": "n"}},
		{[]wamp.SubscribeOption{wamp.Buffer(5, 100), wamp.OverflowDropNewest()}, o{}},
	}
	registerOptions = []struct {
		options []wamp.RegisterOption
		want    o
	}{
		{nil, o{}},
		{[]wamp.RegisterOption{wamp.Match(wamp.Exact), wamp.Invoke(wamp.Single)}, o{}},
		{[]wamp.RegisterOption{wamp.Match(wamp.Prefix)}, o{"match": "prefix"}},
		{[]wamp.RegisterOption{wamp.Match(wamp.Wildcard)}, o{"match": "wildcard"}},
		{[]wamp.RegisterOption{wamp.Invoke(wamp.RoundRobin)}, o{"invoke": "roundrobin"}},
		{[]wamp.RegisterOption{wamp.Invoke(wamp.Random)}, o{"invoke": "random"}},
		{[]wamp.RegisterOption{wamp.Invoke(wamp.First)}, o{"invoke": "first"}},
		{[]wamp.RegisterOption{wamp.Invoke(wamp.Last)}, o{"invoke": "last"}},
		{[]wamp.RegisterOption{wamp.DiscloseCaller()}, o{"disclose_caller": true}},
		{[]wamp.RegisterOption{wamp.Match(wamp.Prefix), wamp.Invoke(wamp.First), wamp.Set("force_reregister", true)},
			o{"match": "prefix", "invoke": "first", "force_reregister": true}},
		{[]wamp.RegisterOption{wamp.Concurrency(3), wamp.Buffer(5, 100), wamp.OverflowBlock()}, o{}},
	}
)

// announcing is all that the router can, and the retention of events, which it
// only says.
func announcing() proto.Roles {
	roles := wamptest.Features()
	roles.Set(proto.Broker, roles.Features(proto.Broker).Add(proto.EventRetention))
	return roles
}

// featureless is a broker and a dealer without any feature.
func featureless() (roles proto.Roles) {
	roles.Set(proto.Broker, 0)
	roles.Set(proto.Dealer, 0)
	return roles
}

func (p *tap) options(t *testing.T, typ proto.MessageType, want o) {
	t.Helper()
	synctest.Wait()
	if got := p.one(t, typ).Options.Map(); !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %v, want %v", typ, got, want)
	}
}

func TestOptionsOnTheWire(t *testing.T) {
	for _, c := range serializers {
		t.Run(c.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var p tap
				r := wamptest.NewRouter(t, wamptest.Announce(announcing()), wamptest.WithHook(p.hook))
				s := join(t, r, wamp.WithSerializers(c), wamp.WithAgent("tester"))
				roles := proto.ClientRoles()
				hello := p.one(t, proto.Hello)
				if got, want := hello.Options.Map(), (o{"roles": roles.Dict(), "agent": "tester", "authmethods": []any{"anonymous"}}); !reflect.DeepEqual(got, want) || hello.URI != "realm1" {
					t.Errorf("HELLO %v, want %v", got, want)
				}
				for _, tt := range registerOptions {
					reg := handle(t, s, "com.example.echo", echo, tt.options...)
					p.options(t, proto.Register, tt.want)
					if err := reg.Unregister(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				for _, tt := range subscribeOptions {
					sub := subscribe(t, s, "com.example.topic", tt.options...)
					p.options(t, proto.Subscribe, tt.want)
					if err := sub.Unsubscribe(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				handle(t, s, "com.example.echo", echo)
				for _, tt := range callOptions {
					p.take()
					if _, err := s.Call(t.Context(), "com.example.echo", wamp.Args(), tt.options...).Final(); err != nil {
						t.Errorf("%v: %v", tt.want, err)
					}
					p.options(t, proto.Call, tt.want)
				}
				for _, tt := range publishOptions {
					if _, err := s.Publish(t.Context(), "com.example.topic", wamp.Args(), tt.options...).Wait(); err != nil {
						t.Errorf("%v: %v", tt.want, err)
					}
					p.options(t, proto.Publish, tt.want)
				}
			})
		})
	}
}

// lacking are operations whose option needs a feature, and which.
var lacking = []struct {
	role    proto.Role
	feature proto.Feature
	do      func(ctx context.Context, s *wamp.Session) error
}{
	{proto.Broker, proto.PatternBasedSubscription, func(ctx context.Context, s *wamp.Session) error {
		_, err := s.Subscribe(ctx, "com.example", wamp.Match(wamp.Prefix))
		return err
	}},
	{proto.Broker, proto.PatternBasedSubscription, func(ctx context.Context, s *wamp.Session) error {
		_, err := s.Subscribe(ctx, "com..topic", wamp.Match(wamp.Wildcard))
		return err
	}},
	{proto.Dealer, proto.PatternBasedRegistration, func(ctx context.Context, s *wamp.Session) error {
		_, err := s.Register(ctx, "com.example", wamp.Match(wamp.Prefix))
		return err
	}},
	{proto.Dealer, proto.SharedRegistration, func(ctx context.Context, s *wamp.Session) error {
		_, err := s.Handle(ctx, "com.example.echo", echo, wamp.Invoke(wamp.RoundRobin))
		return err
	}},
	{proto.Broker, proto.PublisherExclusion, publishing(wamp.ExcludeMe(false))},
	{proto.Broker, proto.PublisherExclusion, publishing(wamp.ExcludeMe(false), wamp.Acknowledge())},
	{proto.Broker, proto.SubscriberBlackwhiteListing, publishing(wamp.Exclude(1))},
	{proto.Broker, proto.SubscriberBlackwhiteListing, publishing(wamp.ExcludeAuthID("joe"))},
	{proto.Broker, proto.SubscriberBlackwhiteListing, publishing(wamp.ExcludeAuthRole("joe"))},
	{proto.Broker, proto.SubscriberBlackwhiteListing, publishing(wamp.Eligible(1))},
	{proto.Broker, proto.SubscriberBlackwhiteListing, publishing(wamp.EligibleAuthID("joe"))},
	{proto.Broker, proto.SubscriberBlackwhiteListing, publishing(wamp.EligibleAuthRole("joe"), wamp.Acknowledge())},
}

func publishing(options ...wamp.PublishOption) func(ctx context.Context, s *wamp.Session) error {
	return func(ctx context.Context, s *wamp.Session) error {
		_, err := s.Publish(ctx, "com.example.topic", wamp.Args(), options...).Wait()
		return err
	}
}

// requests are the messages that open something at the router.
var requests = []proto.MessageType{proto.Call, proto.Publish, proto.Subscribe, proto.Register}

// Where the router lacks what an option needs, the operation is refused with
// the feature's name and nothing is sent; Assume knows better.
func TestOptionsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p tap
		r := wamptest.NewRouter(t, wamptest.Announce(featureless()), wamptest.WithHook(p.hook))
		s := join(t, r)
		for _, tt := range lacking {
			var missing *wamp.FeatureError
			err := tt.do(t.Context(), s)
			if !errors.As(err, &missing) || missing.Role != tt.role || missing.Feature != tt.feature || missing.NoRole {
				t.Errorf("%s of the %s: %v", tt.feature, tt.role, err)
			} else if text := err.Error(); !strings.Contains(text, tt.feature.String()) || !strings.Contains(text, tt.role.String()) {
				t.Errorf("%s of the %s: %q", tt.feature, tt.role, text)
			}
		}
		synctest.Wait()
		if sent := p.take(requests...); len(sent) > 0 {
			t.Errorf("%d messages were sent", len(sent))
		}
		empty(t, s)
		for _, tt := range lacking {
			sure := join(t, r, wamp.Assume(tt.feature.String()))
			if err := tt.do(t.Context(), sure); err != nil {
				t.Errorf("%s is assumed: %v", tt.feature, err)
			}
		}
	})
}

// A router that is no dealer, or no broker, is told apart from one that lacks a
// feature.
func TestOptionsWithoutRole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for role, do := range map[proto.Role][]func(ctx context.Context, s *wamp.Session) error{
			proto.Dealer: {
				func(ctx context.Context, s *wamp.Session) error {
					_, err := s.Call(ctx, "com.example.echo", wamp.Args()).Final()
					return err
				},
				func(ctx context.Context, s *wamp.Session) error {
					_, err := s.Register(ctx, "com.example.echo")
					return err
				},
			},
			proto.Broker: {
				publishing(), publishing(wamp.Acknowledge()), publishing(wamp.ExcludeMe(true)),
				func(ctx context.Context, s *wamp.Session) error {
					_, err := s.Subscribe(ctx, "com.example.topic")
					return err
				},
			},
		} {
			var roles proto.Roles
			for _, other := range []proto.Role{proto.Broker, proto.Dealer} {
				if other != role {
					roles.Set(other, 0)
				}
			}
			var p tap
			s := join(t, wamptest.NewRouter(t, wamptest.Announce(roles), wamptest.WithHook(p.hook)))
			for i, f := range do {
				var missing *wamp.FeatureError
				if err := f(t.Context(), s); !errors.As(err, &missing) || !missing.NoRole || missing.Role != role || !strings.Contains(err.Error(), role.String()) {
					t.Errorf("no %s, operation %d: %v", role, i, err)
				}
			}
			synctest.Wait()
			if sent := p.take(requests...); len(sent) > 0 {
				t.Errorf("no %s: %d messages were sent", role, len(sent))
			}
		}
	})
}

// What is harmless without its feature is left out or sent all the same, and a
// timeout is kept on this side.
func TestOptionsIgnoredAndEmulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p tap
		r := wamptest.NewRouter(t, wamptest.WithFeatures(featureless()), wamptest.WithHook(p.hook))
		s := join(t, r)
		handle(t, s, "com.example.count", countTo)
		hung(t, s, "com.example.hang")
		p.take()
		n, last := ascend(t, s.Call(t.Context(), "com.example.count", wamp.Args(3), wamp.Progressive(), wamp.DiscloseMe()))
		if n != 0 || last.Err != nil || number(t, last.Payload) != 3 {
			t.Errorf("a plain call follows: %d progressive results, %v", n, last.Err)
		}
		p.options(t, proto.Call, o{"disclose_me": true})

		start := time.Now()
		_, err := s.Call(t.Context(), "com.example.hang", wamp.Args(), wamp.Timeout(2*time.Second)).Final()
		var timeout *wamp.TimeoutError
		if !errors.As(err, &timeout) || time.Since(start) != 2*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		synctest.Wait()
		if m := p.take(proto.Call, proto.Cancel); len(m) != 1 || len(m[0].Options) > 0 {
			t.Errorf("%v", m)
		}
		subscribe(t, s, "com.example.topic", wamp.GetRetained())
		p.options(t, proto.Subscribe, o{})
		for _, mode := range []wamp.Mode{wamp.Skip, wamp.Kill, wamp.KillNoWait} {
			ctx, cancel := context.WithCancel(t.Context())
			results := s.Call(ctx, "com.example.hang", wamp.Args(), wamp.CancelMode(mode))
			synctest.Wait()
			cancel()
			if _, err := results.Final(); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", mode, err)
			}
		}
		synctest.Wait()
		if sent := p.take(proto.Cancel); len(sent) > 0 {
			t.Errorf("%d CANCELs were sent", len(sent))
		}
		// Assume sends it after all.
		sure := join(t, r, wamp.Assume("call_timeout"), wamp.Assume("event_retention"), wamp.Assume("progressive_call_results"))
		p.take()
		if _, err := sure.Call(t.Context(), "com.example.count", wamp.Args(0), wamp.Timeout(time.Second), wamp.Progressive(), wamp.PassDeadline(true)).Final(); err != nil {
			t.Error(err)
		}
		p.options(t, proto.Call, o{"timeout": int64(1000), "receive_progress": true})
		subscribe(t, sure, "com.example.topic", wamp.GetRetained())
		p.options(t, proto.Subscribe, o{"get_retained": true})
	})
}

// What cannot be right is an error before anything is sent, and the session
// does not suffer.
func TestOptionsInvalid(t *testing.T) {
	calls := map[string]wamp.CallOption{
		"Timeout(0)": wamp.Timeout(0), "Timeout(-1s)": wamp.Timeout(-time.Second), "CancelMode(9)": wamp.CancelMode(9),
		"KillGrace(-1s)": wamp.KillGrace(-time.Second), "Buffer(-1, 0)": wamp.Buffer(-1, 0), "Buffer(0, -1)": wamp.Buffer(0, -1),
		"Set, no key": wamp.Set("", 1), "Set, no value": wamp.Set("x_c", make(chan int)),
		"Set, bad key": wamp.Set("\xff", 1), "Set, bad text": wamp.Set("x_t", "\xff"),
	}
	publishes := map[string]wamp.PublishOption{"Set, no key": wamp.Set("", 1), "Set, no value": wamp.Set("x_f", func() {})}
	subscribes := map[string]wamp.SubscribeOption{
		"Match": wamp.Match("fuzzy"), "Buffer(-1, 0)": wamp.Buffer(-1, 0), "Set, no key": wamp.Set("", 1),
		"Set, no value": wamp.Set("x_c", 1i),
	}
	registers := map[string]wamp.RegisterOption{
		"Match": wamp.Match("fuzzy"), "Invoke": wamp.Invoke("lottery"), "Concurrency(0)": wamp.Concurrency(0), "Concurrency(-1)": wamp.Concurrency(-1),
		"Buffer(0, -1)": wamp.Buffer(0, -1), "Set, no key": wamp.Set("", 1),
	}
	exact := []string{"", ".", "com.", ".com", "com..example", "com.exa mple", "com.example#", "com.\texample", "com.\xff", "com.ex\u2003ample"}
	synctest.Test(t, func(t *testing.T) {
		var p tap
		s := join(t, wamptest.NewRouter(t, wamptest.WithHook(p.hook)))
		p.take()
		ctx := t.Context()
		expect := func(what string, err error) {
			t.Helper()
			var peer *wamp.Error
			if err == nil || errors.As(err, &peer) {
				t.Errorf("%s: %v", what, err)
			}
		}
		call := func(what, uri string, options ...wamp.CallOption) error {
			t.Helper()
			results := slices.Collect(func(yield func(wamp.Result) bool) {
				for r := range s.Call(ctx, uri, wamp.Args(1), options...) {
					if !yield(r) {
						return
					}
				}
			})
			if len(results) != 1 || results[0].NArgs() > 0 {
				t.Errorf("%s: %d elements", what, len(results))
				return nil
			}
			expect(what, results[0].Err)
			return results[0].Err
		}
		for what, option := range calls {
			call("Call, "+what, "com.example.echo", option)
			call("Call, good options around "+what, "com.example.echo", wamp.Progressive(), option, wamp.DiscloseMe())
		}
		for what, option := range publishes {
			expect("Publish, "+what, publishing(option)(ctx, s))
			expect("acknowledged Publish, "+what, publishing(option, wamp.Acknowledge())(ctx, s))
		}
		for what, option := range subscribes {
			_, err := s.Subscribe(ctx, "com.example.topic", option)
			expect("Subscribe, "+what, err)
		}
		for what, option := range registers {
			_, err := s.Register(ctx, "com.example.proc", option)
			expect("Register, "+what, err)
			_, err = s.Handle(ctx, "com.example.proc", echo, option)
			expect("Handle, "+what, err)
		}
		for _, uri := range exact {
			err1 := call("Call", uri)
			_, err2 := s.Publish(ctx, uri, wamp.Args()).Wait()
			_, err3 := s.Publish(ctx, uri, wamp.Args(), wamp.Acknowledge()).Wait()
			_, err4 := s.Subscribe(ctx, uri)
			_, err5 := s.Register(ctx, uri)
			for i, err := range []error{err1, err2, err3, err4, err5} {
				var invalid *wamp.URIError
				if !errors.As(err, &invalid) || invalid.URI != uri || invalid.Reason == "" {
					t.Errorf("%q, operation %d: %v", uri, i, err)
				}
			}
		}
		for pattern, match := range map[string]wamp.MatchPolicy{"com..example": wamp.Prefix, "com. .a": wamp.Wildcard, "com#": wamp.Prefix} {
			_, err := s.Subscribe(ctx, pattern, wamp.Match(match))
			expect(fmt.Sprintf("Subscribe %q as %s", pattern, match), err)
			_, err = s.Register(ctx, pattern, wamp.Match(match))
			expect(fmt.Sprintf("Register %q as %s", pattern, match), err)
		}
		synctest.Wait()
		if sent := p.take(append(requests, proto.Abort)...); len(sent) > 0 {
			t.Errorf("%d messages were sent", len(sent))
		}
		empty(t, s)
		handle(t, s, "com.example.echo", echo)
		alive(t, s) // no request id was used up
		for pattern, match := range map[string]wamp.MatchPolicy{"com.": wamp.Prefix, "com": wamp.Prefix, "com..x": wamp.Wildcard, "..": wamp.Wildcard, "": wamp.Prefix} {
			subscribe(t, s, pattern, wamp.Match(match))
		}
	})
}

// A message that the peer would not take is refused with ErrPayloadTooBig, also
// where nobody waits for an answer; one that is just small enough goes through.
func TestPayloadTooBig(t *testing.T) {
	const limit = 1 << 16
	for _, c := range serializers {
		t.Run(c.Name(), func(t *testing.T) {
			r := wamptest.NewRouter(t)
			address, err := r.ListenRawSocket("tcp", "", wamptest.WithMaxReceive(limit))
			if err != nil {
				t.Fatal(err)
			}
			s := connect(t, address, wamp.WithSerializers(c))
			handle(t, s, "com.example.echo", echo)
			handle(t, s, "com.example.grow", func(_ context.Context, inv *wamp.Invocation) error {
				return inv.Return(wamp.Args(strings.Repeat("x", limit)))
			})
			for _, n := range []int{limit - 20, limit, 2 * limit} {
				big := wamp.Args(strings.Repeat("x", n))
				_, err1 := s.Call(within(t, 10*time.Second), "com.example.echo", big).Final()
				_, err2 := s.Publish(t.Context(), "com.example.topic", big, wamp.Acknowledge()).Wait()
				_, err3 := s.Publish(t.Context(), "com.example.topic", big).Wait()
				for i, err := range []error{err1, err2, err3} {
					if !errors.Is(err, wamp.ErrPayloadTooBig) {
						t.Errorf("%d bytes, operation %d: %v", n, i, err)
					}
				}
			}
			if _, err := s.Call(within(t, 10*time.Second), "com.example.grow", wamp.Args()).Final(); !errors.Is(err, wamp.ErrPayloadSizeExceeded) {
				t.Errorf("a result that is too big: %v", err)
			}
			if _, err := s.Call(within(t, 10*time.Second), "com.example.echo", wamp.Args(strings.Repeat("x", limit-100))).Final(); err != nil {
				t.Errorf("just small enough: %v", err)
			}
			if _, err := s.Publish(t.Context(), "com.example.topic", wamp.Args(strings.Repeat("x", limit-100))).Wait(); err != nil {
				t.Errorf("just small enough: %v", err)
			}
			alive(t, s)
		})
	}
}

// What the key table says of an option is what happens at a router that can nothing:
// a key that needs a feature is refused, or it is not, and then the operation goes on.
func TestOptionsDoWhatTheKeyTableSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := join(t, wamptest.NewRouter(t, wamptest.WithFeatures(featureless())))
		handle(t, s, "com.example.count", countTo)
		type do = func(ctx context.Context, s *wamp.Session) error
		calling := func(o wamp.CallOption) do {
			return func(ctx context.Context, s *wamp.Session) error {
				_, err := s.Call(ctx, "com.example.count", wamp.Args(1), o).Final()
				return err
			}
		}
		subscribing := func(o wamp.SubscribeOption) do {
			return func(ctx context.Context, s *wamp.Session) error {
				_, err := s.Subscribe(ctx, "com.example.topic", o)
				return err
			}
		}
		registering := func(o wamp.RegisterOption) do {
			return func(ctx context.Context, s *wamp.Session) error {
				_, err := s.Register(ctx, "com.example.p", o)
				return err
			}
		}
		for _, tt := range []struct {
			in      proto.MessageType
			key     string
			feature proto.Feature
			lack    proto.Lack // 0: it needs nothing
			do      do
		}{
			{proto.Call, proto.KeyReceiveProgress, proto.ProgressiveCallResults, proto.Ignore, calling(wamp.Progressive())},
			{proto.Call, proto.KeyDiscloseMe, proto.CallerIdentification, proto.Ignore, calling(wamp.DiscloseMe())},
			{proto.Call, proto.KeyTimeout, proto.CallTimeout, proto.Emulate, calling(wamp.Timeout(time.Minute))},
			{proto.Call, proto.KeyRKey, proto.ShardedRegistration, proto.Refuse, calling(wamp.RoutingKey("k"))},
			{proto.Call, proto.KeyRunMode, proto.ShardedRegistration, proto.Refuse, calling(wamp.RunMode(wamp.All))},
			{proto.Call, proto.KeyProgress, proto.ProgressiveCallInvocations, proto.Refuse, func(ctx context.Context, s *wamp.Session) error {
				chunks := make(chan wamp.Payload, 2)
				chunks <- wamp.Args(1)
				chunks <- wamp.Args(2)
				close(chunks)
				_, err := s.CallStream(ctx, "com.example.count", chunks).Final()
				return err
			}},
			{proto.Publish, proto.KeyAcknowledge, 0, 0, publishing(wamp.Acknowledge())},
			{proto.Publish, proto.KeyDiscloseMe, proto.PublisherIdentification, proto.Ignore, publishing(wamp.DiscloseMe())},
			{proto.Publish, proto.KeyExcludeMe, proto.PublisherExclusion, proto.Refuse, publishing(wamp.ExcludeMe(false))},
			{proto.Publish, proto.KeyExclude, proto.SubscriberBlackwhiteListing, proto.Refuse, publishing(wamp.Exclude(1))},
			{proto.Publish, proto.KeyExcludeAuthID, proto.SubscriberBlackwhiteListing, proto.Refuse, publishing(wamp.ExcludeAuthID("joe"))},
			{proto.Publish, proto.KeyExcludeAuthRole, proto.SubscriberBlackwhiteListing, proto.Refuse, publishing(wamp.ExcludeAuthRole("user"))},
			{proto.Publish, proto.KeyEligible, proto.SubscriberBlackwhiteListing, proto.Refuse, publishing(wamp.Eligible())},
			{proto.Publish, proto.KeyEligibleAuthID, proto.SubscriberBlackwhiteListing, proto.Refuse, publishing(wamp.EligibleAuthID("joe"))},
			{proto.Publish, proto.KeyEligibleAuthRole, proto.SubscriberBlackwhiteListing, proto.Refuse, publishing(wamp.EligibleAuthRole("user"))},
			{proto.Publish, proto.KeyRetain, proto.EventRetention, proto.Refuse, publishing(wamp.Retain())},
			{proto.Publish, proto.KeyRKey, proto.ShardedSubscription, proto.Refuse, publishing(wamp.RoutingKey("k"))},
			{proto.Subscribe, proto.KeyMatch, proto.PatternBasedSubscription, proto.Refuse, subscribing(wamp.Match(wamp.Prefix))},
			{proto.Subscribe, proto.KeyGetRetained, proto.EventRetention, proto.Ignore, subscribing(wamp.GetRetained())},
			{proto.Subscribe, proto.KeyNKey, proto.ShardedSubscription, proto.Refuse, subscribing(wamp.NodeKey("n"))},
			{proto.Register, proto.KeyMatch, proto.PatternBasedRegistration, proto.Refuse, registering(wamp.Match(wamp.Prefix))},
			{proto.Register, proto.KeyInvoke, proto.SharedRegistration, proto.Refuse, registering(wamp.Invoke(wamp.First))},
			{proto.Register, proto.KeyForwardTimeout, proto.CallTimeout, proto.Refuse, registering(wamp.ForwardTimeout())},
			{proto.Register, proto.KeyDiscloseCaller, proto.CallerIdentification, proto.Ignore, registering(wamp.DiscloseCaller())},
		} {
			need, needs := proto.NeedOf(tt.in, tt.key)
			if need.Lack != tt.lack || need.Feature != tt.feature || needs != (tt.lack != 0) {
				t.Errorf("%v.%s: %+v", tt.in, tt.key, need)
			}
			var missing *wamp.FeatureError
			switch err := tt.do(t.Context(), s); {
			case need.Lack != proto.Refuse && err != nil:
				t.Errorf("%v.%s: %v", tt.in, tt.key, err)
			case need.Lack == proto.Refuse && (!errors.As(err, &missing) || missing.Role != need.Role || missing.Feature != need.Feature):
				t.Errorf("%v.%s needs %v of the %v: %v", tt.in, tt.key, need.Feature, need.Role, err)
			}
		}
		if err := publishing(wamp.ExcludeMe(true))(t.Context(), s); err != nil {
			t.Errorf("the default needs nothing: %v", err)
		}
	})
}

// A policy that there is not is the option's fault, and not the URI's.
func TestMatchPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := join(t, wamptest.NewRouter(t))
		_, sub := s.Subscribe(t.Context(), "com.example.topic", wamp.Match("bogus"))
		_, reg := s.Register(t.Context(), "com.example.proc", wamp.Match("bogus"))
		for _, err := range []error{sub, reg} {
			if err == nil || !strings.Contains(err.Error(), `Match: unknown policy "bogus"`) {
				t.Errorf("%v", err)
			}
		}
	})
}
