package wamptest_test

import (
	"math"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// What a rule makes the router leave out is said, once.
func TestNotes(t *testing.T) {
	without := func(f ...proto.Feature) wamptest.Option { return wamptest.WithFeatures(wamptest.FeaturesWithout(f...)) }
	call := func(o ...any) func(r *wamptest.Router, callee, caller *client) {
		return func(_ *wamptest.Router, callee, caller *client) {
			caller.call("com.example.proc", options(o...))
			callee.yield(callee.expect(proto.Invocation), false)
			caller.expect(proto.Result)
		}
	}
	publish := func(o ...any) func(r *wamptest.Router, callee, caller *client) {
		return func(_ *wamptest.Router, callee, caller *client) {
			caller.publish("com.example.topic", options(o...), 1)
		}
	}
	for name, tt := range map[string]struct {
		do      func(r *wamptest.Router, callee, caller *client)
		lacks   []proto.Feature // of the clients
		options []wamptest.Option
		want    []string
	}{
		"results without call_canceling": {call("receive_progress", true), []proto.Feature{proto.CallCanceling}, nil,
			[]string{"progressive results", "call_canceling"}},
		"results that the callee lacks": {call("receive_progress", true), []proto.Feature{proto.ProgressiveCallResults}, nil,
			[]string{"progressive results", "progressive_call_results"}},
		"results that the router lacks": {call("receive_progress", true), nil, []wamptest.Option{without(proto.ProgressiveCallResults)},
			[]string{"CALL.receive_progress", "progressive_call_results"}},
		"results nobody asked for": {func(_ *wamptest.Router, callee, caller *client) {
			caller.call("com.example.proc", nil)
			inv := callee.expect(proto.Invocation)
			callee.yield(inv, true)
			callee.yield(inv, false)
			caller.expect(proto.Result)
		}, nil, nil, []string{"progressive results are dropped"}},
		"timeout":               {call("timeout", 1000), nil, []wamptest.Option{without(proto.CallTimeout)}, []string{"CALL.timeout", "call_timeout"}},
		"timeout not forwarded": {call("timeout", 1000), []proto.Feature{proto.CallTimeout}, nil, []string{"timeout is not forwarded", "call_timeout"}},
		"caller not disclosed":  {call("disclose_me", true), []proto.Feature{proto.CallerIdentification}, nil, []string{"who the caller is", "caller_identification"}},
		"disclosure of callers": {call("disclose_me", true), nil, []wamptest.Option{without(proto.CallerIdentification)}, []string{"CALL.disclose_me", "caller_identification"}},
		"key not announced":     {call("rkey", "x"), []proto.Feature{proto.ShardedRegistration}, nil, []string{"CALL.rkey", "sharded_registration"}},
		"key":                   {call("rkey", "x"), nil, []wamptest.Option{without(proto.ShardedRegistration)}, []string{"CALL.rkey", "sharded_registration"}},
		"passthru":              {call("enc_algo", "cryptobox"), nil, nil, []string{"enc_algo"}},
		"publisher":             {publish("disclose_me", true), nil, []wamptest.Option{without(proto.PublisherIdentification)}, []string{"PUBLISH.disclose_me"}},
		"publisher not told":    {publish("disclose_me", true), []proto.Feature{proto.PublisherIdentification}, nil, []string{"who the publisher is"}},
		"exclude_me":            {publish("exclude_me", false), nil, []wamptest.Option{without(proto.PublisherExclusion)}, []string{"PUBLISH.exclude_me", "publisher_exclusion"}},
		"eligible":              {publish("eligible_authid", []string{"x"}), nil, []wamptest.Option{without(proto.SubscriberBlackwhiteListing)}, []string{"PUBLISH.eligible_authid"}},
		"retain":                {publish("retain", true), nil, []wamptest.Option{without(proto.EventRetention)}, []string{"PUBLISH.retain"}},
		"node":                  {publish("rkey", "x"), []proto.Feature{proto.ShardedSubscription}, nil, []string{"PUBLISH.rkey"}},
		"list of sessions":      {publish("exclude", []proto.ID{7}), nil, []wamptest.Option{wamptest.WithHistory(10)}, []string{"not kept in the history"}},
		"one's own event":       {func(_ *wamptest.Router, callee, _ *client) { callee.publish("com.example.topic", nil) }, nil, nil, []string{"exclude_me"}},
		"refused publish":       {func(_ *wamptest.Router, _, caller *client) { caller.publish("com..x", nil) }, nil, nil, []string{"PUBLISH", "com..x"}},
		"reserved publish":      {func(_ *wamptest.Router, _, caller *client) { caller.publish("wamp.x", nil) }, nil, nil, []string{"PUBLISH", "reserved"}},
		"no disclosure":         {publish("disclose_me", true), nil, []wamptest.Option{wamptest.WithoutDisclosure()}, []string{"PUBLISH", "disclose"}},
		"event that cannot be": {func(r *wamptest.Router, callee, caller *client) {
			j := dial(callee.t, r.Dial, "json")
			j.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
			j.subscribe("com.example.topic")
			caller.publish("com.example.topic", nil, math.NaN())
		}, nil, nil, []string{"not delivered"}},
		"node of a subscriber": {func(_ *wamptest.Router, callee, _ *client) { callee.subscribe("com.x", "nkey", "n") },
			[]proto.Feature{proto.ShardedSubscription}, nil, []string{"SUBSCRIBE.nkey"}},
		"get_retained": {func(_ *wamptest.Router, callee, _ *client) { callee.subscribe("com.x", "get_retained", true) }, nil,
			[]wamptest.Option{without(proto.EventRetention)}, []string{"SUBSCRIBE.get_retained"}},
		"disclose_caller": {func(_ *wamptest.Router, callee, _ *client) { callee.register("com.x", "disclose_caller", true) }, nil,
			[]wamptest.Option{without(proto.CallerIdentification)}, []string{"REGISTER.disclose_caller"}},
		"concurrency": {func(_ *wamptest.Router, callee, _ *client) { callee.register("com.x", "concurrency", 1) }, nil, nil,
			[]string{"REGISTER.concurrency", "CrossbarQuirks"}},
		"interrupt": {func(_ *wamptest.Router, callee, caller *client) {
			id := caller.call("com.example.proc", nil)
			callee.expect(proto.Invocation)
			caller.cancel(id, "kill")
			caller.expectError(proto.Call, id, proto.ErrURICanceled)
		}, []proto.Feature{proto.CallCanceling}, nil, []string{"not interrupted", "call_canceling"}},
		"skip": {func(_ *wamptest.Router, callee, caller *client) {
			caller.cancel(caller.call("com.example.proc", nil), "skip")
			callee.expect(proto.Invocation)
		}, nil, []wamptest.Option{wamptest.CrossbarQuirks()}, []string{"CANCEL"}},
		"revoked subscription": {func(r *wamptest.Router, callee, _ *client) { r.RevokeSubscription(callee.subscribe("com.x"), "") },
			[]proto.Feature{proto.SubscriptionRevocation}, nil, []string{"subscription_revocation"}},
		"revoked registration": {func(r *wamptest.Router, callee, _ *client) { r.RevokeRegistration(callee.register("com.x"), "") },
			[]proto.Feature{proto.RegistrationRevocation}, nil, []string{"registration_revocation"}},
		"does not read": {func(r *wamptest.Router, callee, caller *client) {
			r.Stall(callee.id)
			caller.publish("com.example.topic", nil) // this one the writer has in its hands
			synctest.Wait()
			big := &proto.Message{Type: proto.Event, ID: 1, Publication: 1, Args: append([]byte{0x81, 0x5a, 1, 0, 0, 0}, make([]byte, 1<<24)...)}
			for range 5 {
				if _, err := r.Send(callee.id, big); err != nil {
					callee.t.Error(err)
				}
			}
			r.Cut(callee.id)
		}, nil, nil, []string{"does not read", "WithQueueLimit"}},
		"violation": {func(_ *wamptest.Router, _, caller *client) { caller.send(&proto.Message{Type: proto.Welcome, ID: 1}) }, nil, nil,
			[]string{"broke the protocol", "WELCOME"}},
	} {
		t.Run(name, func(t *testing.T) {
			var lines []string
			options := append(tt.options, wamptest.WithLog(func(line string) { lines = append(lines, line) }))
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				for range 2 { // the second time nothing is new
					callee, caller := join(t, r, tt.lacks...), join(t, r, tt.lacks...)
					callee.register("com.example.proc", "forward_timeout", name == "timeout not forwarded")
					callee.subscribe("com.example.topic")
					tt.do(r, callee, caller)
					synctest.Wait()
					for _, c := range []*client{callee, caller} {
						c.send(&proto.Message{Type: proto.Goodbye, URI: proto.CloseURICloseRealm})
					}
					synctest.Wait()
				}
			}, options...)
			if len(lines) != 1 {
				t.Fatalf("%d lines: %q", len(lines), lines)
			}
			for _, want := range tt.want {
				if !strings.Contains(lines[0], want) {
					t.Errorf("%q does not say %s", lines[0], want)
				}
			}
		})
	}
}

// logger is a test whose log is looked at.
type logger struct {
	testing.TB
	lines []string
}

// Log implements testing.TB.
func (l *logger) Log(args ...any) { l.lines = append(l.lines, args[0].(string)) }

// NewRouter logs to the test, unless it is told otherwise.
func TestNotesInTheLog(t *testing.T) {
	for name, tt := range map[string]struct {
		options []wamptest.Option
		want    int
	}{"default": {nil, 1}, "silent": {[]wamptest.Option{wamptest.WithLog(nil)}, 0}} {
		synctest.Test(t, func(t *testing.T) {
			l := &logger{TB: t}
			r := wamptest.NewRouter(l, tt.options...)
			c := join(t, r)
			c.publish("com..x", nil)
			synctest.Wait()
			r.Close()
			if len(l.lines) != tt.want {
				t.Errorf("%s: %q", name, l.lines)
			}
		})
	}
	r := wamptest.Start() // has no log, and no test
	defer r.Close()
	join(t, r).publish("com..x", nil)
}
