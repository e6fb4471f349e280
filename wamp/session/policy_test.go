package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// Full jitter between the floor and a ceiling that doubles up to the highest.
func TestReconnectDelay(t *testing.T) {
	p := Reconnect{Min: 100 * time.Millisecond, Max: 3 * time.Second}
	for _, tt := range []struct {
		attempt       int
		random        float64
		least, ceiled time.Duration
	}{
		{1, 0, 100 * time.Millisecond, 100 * time.Millisecond},
		{1, 0.5, 150 * time.Millisecond, 150 * time.Millisecond},
		{1, 0.999999, 199 * time.Millisecond, 200 * time.Millisecond},
		{2, 0.999999, 399 * time.Millisecond, 400 * time.Millisecond},
		{5, 0.999999, 2999 * time.Millisecond, 3 * time.Second},
		{30, 0.999999, 2999 * time.Millisecond, 3 * time.Second},
		{1000, 0.999999, 2999 * time.Millisecond, 3 * time.Second},
	} {
		if d := p.delay(tt.attempt, tt.random); d < tt.least || d > tt.ceiled {
			t.Errorf("attempt %d, random %v: %v", tt.attempt, tt.random, d)
		}
	}
	d := Reconnect{}
	d.setDefaults()
	if d.Min != 100*time.Millisecond || d.Max != 30*time.Second || d.Hold != 10*time.Second {
		t.Errorf("defaults %+v", d)
	}
	low := Reconnect{Min: time.Minute, Max: time.Second}
	if low.setDefaults(); low.Max != time.Minute {
		t.Errorf("a ceiling below the floor: %v", low.Max)
	}
}

// What ends a session, and what only its link.
func TestReconnectFinal(t *testing.T) {
	abort := func(reason string) error { return &AbortError{Reason: reason} }
	goodbye := func(reason string) error { return &GoodbyeError{Reason: reason} }
	status := func(n int) error { return &transport.HandshakeError{Status: n} }
	for _, tt := range []struct {
		err           error
		first, joined bool // final at the first join, final after one success
	}{
		{&LinkError{Err: net.ErrClosed}, false, false},
		{&LinkError{Err: ErrPongTimeout}, false, false},
		{context.DeadlineExceeded, false, false},
		{status(404), false, false},
		{status(503), false, false},
		{status(502), false, false},
		{status(401), true, false}, // the refusals are counted once it has been joined
		{status(403), true, false},
		{goodbye(proto.CloseURISystemShutdown), false, false},
		{goodbye(proto.CloseURICloseRealm), false, false},
		{goodbye("com.example.reason"), false, false},
		{goodbye(proto.CloseURIKilled), true, true},
		{goodbye(proto.CloseURINormal), false, false}, // a worker behind a proxy has died
		{goodbye(proto.CloseURIGoodbyeAndOut), false, false},
		{abort(proto.ErrURINoSuchRealm), true, false},
		{abort(proto.ErrURIUnavailable), false, false},
		{abort("com.example.booting"), false, false},
		{abort(proto.ErrURINotAuthorized), true, false},
		{abort(proto.ErrURIAuthenticationFailed), true, false},
		{abort(proto.ErrURINoMatchingAuthMethod), true, false},
		{abort(proto.ErrURINoSuchPrincipal), true, false},
		{abort(proto.ErrURIProtocolViolation), false, false}, // these are counted
		{&ProtocolError{Reason: "x"}, false, false},
		{&LoginError{Err: errors.New("the router could not prove itself")}, true, false},
		{&LoginError{Err: &authn.CredentialError{Err: errors.New("the vault is sealed")}}, false, false},
	} {
		p := Reconnect{}
		for joined, want := range map[bool]bool{false: tt.first, true: tt.joined} {
			if got := p.final(fmt.Errorf("wrapped: %w", tt.err), joined); got != want {
				t.Errorf("%v, joined %v: final %v", tt.err, joined, got)
			}
		}
	}
	if p := (Reconnect{Killed: true}); p.final(goodbye(proto.CloseURIKilled), true) {
		t.Error("killed is final though it was asked to be none")
	}
}

// The count of attempts begins anew only when a link has held.
func TestStepReconnectHold(t *testing.T) {
	for _, held := range []bool{false, true} {
		r := newRig(t)
		policy := &Reconnect{Hold: 10 * time.Second, Min: 100 * time.Millisecond, Random: func() float64 { return 0 }}
		policy.setDefaults()
		r.core.life.policy = policy
		for range 3 {
			r.lose()
			r.pass(policy.Min)
			if held {
				r.core.joined(&Details{Session: 8, Roles: routerRoles()}, r.codec, 1<<20)
				r.pass(10 * time.Second)
			} else {
				r.core.joined(&Details{Session: 8, Roles: routerRoles()}, r.codec, 1<<20)
				r.pass(9 * time.Second)
			}
		}
		want := map[bool][]int{true: {1, 1, 1}, false: {1, 2, 3}}[held]
		if !slices.Equal(r.dials, want) {
			t.Errorf("held %v: attempts %v, want %v", held, r.dials, want)
		}
	}
}

// The limits of a policy, and the reason that is told then.
func TestStepReconnectGivesUp(t *testing.T) {
	for name, policy := range map[string]Reconnect{
		"attempts": {Attempts: 4, Min: time.Second, Max: time.Second},
		"time":     {Time: 4500 * time.Millisecond, Min: time.Second, Max: time.Second},
	} {
		r := newRig(t)
		policy.setDefaults()
		r.core.life.policy = &policy
		r.core.linkLost(errors.New("cut"))
		why := errors.New("booting")
		for i := 0; !r.core.ended && i < 100; i++ {
			r.pass(time.Second)
			r.core.dialFailed(why)
			r.settle()
		}
		var gaveUp *GaveUpError
		if !errors.As(r.core.reason, &gaveUp) || gaveUp.Attempts != 4 || !errors.Is(gaveUp, why) || len(r.dials) != 4 {
			t.Errorf("%s: %v after the attempts %v", name, r.core.reason, r.dials)
		}
		r.clean()
	}
}

// The limits of a policy, and the waits, for attempts behind a loss and for those
// of a first connection, the first of which waits for nothing.
func TestRetry(t *testing.T) {
	const ms = time.Millisecond
	now := time.Unix(1_000_000, 0)
	cause := errors.New("refused")
	for _, tt := range []struct {
		name   string
		policy Reconnect
		first  bool
		waits  []time.Duration
		made   int // attempts, of which GaveUpError tells
	}{
		{"a loss, three attempts", Reconnect{Attempts: 3}, false, []time.Duration{200 * ms, 400 * ms, 800 * ms}, 3},
		{"a first connection, three attempts", Reconnect{Attempts: 3}, true, []time.Duration{200 * ms, 400 * ms}, 3},
		{"a loss, a second", Reconnect{Time: time.Second}, false, []time.Duration{200 * ms, 400 * ms}, 2},
		{"a first connection, a second", Reconnect{Time: time.Second}, true, []time.Duration{200 * ms, 400 * ms}, 3},
		{"a ceiling", Reconnect{Attempts: 4, Max: 300 * time.Millisecond}, false, []time.Duration{200 * ms, 300 * ms, 300 * ms, 300 * ms}, 4},
	} {
		tt.policy.setDefaults()
		r := retry{policy: &tt.policy, since: now}
		if tt.first {
			r.attempt = 1
		}
		at := now
		for _, want := range tt.waits {
			wait, err := r.next(at, cause, 1)
			if err != nil || wait != want {
				t.Errorf("%s: attempt %d waits for %v, %v", tt.name, r.attempt, wait, err)
			}
			at = at.Add(wait)
		}
		var gaveUp *GaveUpError
		if _, err := r.next(at, cause, 1); !errors.As(err, &gaveUp) || gaveUp.Attempts != tt.made || gaveUp.Err != cause {
			t.Errorf("%s: it ends with %v", tt.name, err)
		}
		r.begin(at)
		if wait, err := r.next(at, cause, 1); err != nil || wait != 200*ms {
			t.Errorf("%s: begun anew, the first attempt waits for %v, %v", tt.name, wait, err)
		}
	}
}

// What may be tried again after an attempt that failed, and how often.
func TestRetryFailed(t *testing.T) {
	bad, refused, lost := error(&ProtocolError{Reason: "x"}), error(&AbortError{Reason: proto.ErrURINotAuthorized}), error(&LinkError{Err: net.ErrClosed})
	for _, tt := range []struct {
		name   string
		err    error
		joined bool
		every  time.Duration
		most   int // attempts, 100: without end
	}{
		{"losses", lost, true, 0, 100},
		{"losses before the first join", lost, false, 0, 100},
		{"breaches", bad, true, 0, mostBad},
		{"breaches before the first join", bad, false, 0, mostBad},
		{"refusals", refused, true, time.Minute, mostRefused},
		{"refusals in a short time", refused, true, time.Second, 61},
		{"refusals before the first join", refused, false, time.Minute, 1},
	} {
		r := retry{policy: &Reconnect{}}
		n := 1
		for at := time.Unix(1_000_000, 0); n < 100 && r.failed(at, tt.err, tt.joined); n++ {
			at = at.Add(tt.every)
		}
		if n != tt.most {
			t.Errorf("%s: %d attempts, not %d", tt.name, n, tt.most)
		}
	}
}

// Within a round of several addresses the waits are short, and do not grow; each attempt
// counts, and the error at the end tells of each address.
func TestRetryAtSeveralAddresses(t *testing.T) {
	const ms = time.Millisecond
	now := time.Unix(1_000_000, 0)
	for _, tt := range []struct {
		name  string
		min   time.Duration
		waits []time.Duration // with random 1
	}{
		{"the defaults", 0, []time.Duration{200 * ms, 100 * ms, 400 * ms, 100 * ms, 800 * ms, 100 * ms}},
		{"a small floor", 10 * ms, []time.Duration{20 * ms, 10 * ms, 40 * ms, 10 * ms, 80 * ms, 10 * ms}},
		{"a large one", time.Second, []time.Duration{2000 * ms, 100 * ms, 4000 * ms, 100 * ms, 8000 * ms, 100 * ms}},
	} {
		route, err := transport.NewRotation(false, transport.DialOptions{}, "tcp://a:1", "tcp://b:1")
		if err != nil {
			t.Fatal(err)
		}
		policy := Reconnect{Min: tt.min, Attempts: len(tt.waits)}
		policy.setDefaults()
		r := retry{policy: &policy, route: route}
		route.Turn()
		route.Worked()
		r.lost(now, true, &LinkError{Err: net.ErrClosed})
		var cause error
		for i, want := range tt.waits {
			wait, err := r.next(now, cause, 1)
			if err != nil || wait != want {
				t.Errorf("%s: attempt %d waits for %v, %v", tt.name, i+1, wait, err)
			}
			route.Turn()
			cause = fmt.Errorf("%w at %s", net.ErrClosed, route.Last())
			route.Failed(cause)
		}
		var gaveUp *GaveUpError
		if _, err := r.next(now, cause, 1); !errors.As(err, &gaveUp) || gaveUp.Attempts != len(tt.waits) || !errors.Is(err, cause) ||
			gaveUp.Err.Error() != "tcp://b:1: use of closed network connection at tcp://b:1; tcp://a:1: use of closed network connection at tcp://a:1" {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// The first refusals by a proxy of a login that was let in before are tried again soon: it
// refuses every second one, while a router is down. A wrong password, and all else that
// ends a login, takes its time: a router may lock an account behind a few of those.
func TestRetrySoonAfterAProxysRefusal(t *testing.T) {
	const ms = time.Millisecond
	now := time.Unix(1_000_000, 0)
	proxied, lost := error(&AbortError{Reason: proto.ErrURIAuthenticationFailed, Message: "Frontend connection accept failed (gone)"}), error(&LinkError{Err: net.ErrClosed})
	slowly := []time.Duration{200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000, 30000, 30000}
	policy := Reconnect{}
	policy.setDefaults()
	for _, tt := range []struct {
		name   string
		err    error
		joined bool
		want   []time.Duration
	}{
		{"a proxy's", proxied, true, []time.Duration{200, 25, 400, 25, 25, 25, 25, 25, 25, 25, 800, 1600, 3200}},
		{"a proxy's of a first login", proxied, false, slowly},
		{"a router's", &AbortError{Reason: proto.ErrURIAuthenticationFailed, Message: "wrong password"}, true, slowly},
		{"one that says nothing", &AbortError{Reason: proto.ErrURIAuthenticationFailed}, true, slowly},
		{"one with another URI", &AbortError{Reason: proto.ErrURINotAuthorized, Message: "Frontend connection accept failed (gone)"}, true, slowly},
		{"HTTP's", &transport.HandshakeError{Status: 401}, true, slowly},
		{"our own", &LoginError{Err: io.EOF}, true, slowly},
	} {
		r := retry{policy: &policy}
		r.lost(now, true, lost)
		var waits []time.Duration
		cause := lost
		for i := range 13 {
			wait, err := r.next(now, cause, 1)
			if err != nil {
				t.Fatal(err)
			}
			waits = append(waits, wait/ms)
			cause = tt.err
			if i == 1 {
				cause = lost
			}
			r.failed(now, cause, tt.joined)
		}
		if !slices.Equal(waits, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, waits, tt.want)
		}
	}
}

// What is tried soon is counted neither as one of the attempts that the policy allows,
// nor as one of the refusals that are the end: eight of them are made in no time.
func TestRetrySoonIsNotCounted(t *testing.T) {
	proxied, lost := &AbortError{Reason: proto.ErrURIAuthenticationFailed, Message: "Frontend connection accept failed"}, &LinkError{Err: net.ErrClosed}
	const attempts = 6
	policy := Reconnect{Attempts: attempts}
	policy.setDefaults()
	r := retry{policy: &policy}
	now := time.Unix(1_000_000, 0)
	r.lost(now, true, lost)
	for i := range attempts + mostSoon {
		if _, err := r.next(now, proxied, 1); err != nil {
			t.Fatalf("attempt %d: %v", i+1, err)
		}
		if i == mostSoon {
			now = now.Add(time.Hour) // the node was away
		}
		if !r.failed(now, proxied, true) {
			t.Fatalf("the refusal of attempt %d is the end", i+1)
		}
		if i >= mostSoon && r.refused != i-mostSoon+1 {
			t.Errorf("%d refusals are counted behind %d attempts", r.refused, i+1)
		}
	}
	var gaveUp *GaveUpError
	if _, err := r.next(now, proxied, 1); !errors.As(err, &gaveUp) || gaveUp.Attempts != attempts+mostSoon {
		t.Errorf("%v", err)
	}
	if r.failed(now.Add(2*refusedTime), proxied, true) {
		t.Error("refusals without end")
	}
}

// After which ends of a link its address is not tried first.
func TestLeaves(t *testing.T) {
	timedOut := &net.OpError{Op: "read", Err: context.DeadlineExceeded}
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{&LinkError{Err: io.EOF}, false},
		{&LinkError{Err: &net.OpError{Op: "read", Err: errors.New("reset")}}, false},
		{&LinkError{Err: timedOut}, true},
		{&LinkError{Err: ErrPongTimeout}, true},
		{&LinkError{Err: ErrAckTimeout}, false},
		{&GoodbyeError{Reason: proto.CloseURISystemShutdown}, true},
		{&GoodbyeError{Reason: proto.CloseURICloseRealm}, true},
		{&GoodbyeError{Reason: proto.CloseURINormal}, false},
		{&GoodbyeError{Reason: proto.CloseURIKilled}, false},
		{&ProtocolError{}, false},
	} {
		if got := leaves(tt.err); got != tt.want {
			t.Errorf("%v: %v", tt.err, got)
		}
	}
}

// An error tells of some addresses, and wraps what is known of all.
func TestAddressesError(t *testing.T) {
	e := &AddressesError{}
	for i := range 10 {
		err := error(&transport.DialError{Address: fmt.Sprintf("tcp://h:%d", i), Phase: transport.PhaseDial, Err: net.ErrClosed})
		if i == 1 {
			err = &AbortError{Reason: proto.ErrURINoSuchRealm}
		}
		e.Failures = append(e.Failures, transport.Failure{Address: fmt.Sprintf("tcp://h:%d", i), Err: err})
	}
	var abort *AbortError
	if !errors.As(e, &abort) || !errors.Is(e, net.ErrClosed) || !Is(e, net.ErrClosed) {
		t.Error(e.Unwrap())
	}
	const first = "tcp://h:0: dial: use of closed network connection; tcp://h:1: "
	if text := e.Error(); !strings.HasPrefix(text, first) || strings.Contains(text, "wamp: ") || !strings.HasSuffix(text, "; and 2 more") || strings.Contains(text, "h:8") {
		t.Error(text)
	}
}
