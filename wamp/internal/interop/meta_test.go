//go:build interop

package interop_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/meta"
)

// The meta API as Crossbar has it, with sessions of both sides.

// come waits for the element of a stream that is looked for; others are of
// other sessions.
func come[T any](t *testing.T, ch <-chan T, what string, is func(T) bool) T {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case v, more := <-ch:
			if !more {
				t.Fatalf("%s: the stream has ended", what)
			}
			if is(v) {
				return v
			}
		case <-late:
			t.Fatalf("%s: nothing came", what)
		}
	}
}

// quiet looks at what has come of a stream up to now; none of it may be that.
func quiet[T any](t *testing.T, ch <-chan T, what string, is func(T) bool) {
	t.Helper()
	for {
		select {
		case v := <-ch:
			if is(v) {
				t.Errorf("%s: %+v", what, v)
			}
		default:
			return
		}
	}
}

func ticket(name, secret string) wamp.Option { return wamp.WithAuth(authn.Ticket(name, secret)) }

var appTicket = request{"ticket": []string{"tick-app", "ticket-secret"}}

func TestMetaSessions(t *testing.T) {
	s := pubsubCell.join(t)
	m, ctx := meta.Of(s), t.Context()
	before, err := m.CountSessions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	joins, err := m.OnJoin(ctx)
	leaves, err2 := m.OnLeave(ctx)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	app := pubsubCell.join(t, ticket("tick-app", "ticket-secret"))
	p := newPartner(t, peerCell, "", appTicket)
	joined := come(t, joins, "on_join", func(i meta.SessionInfo) bool { return i.Session == p.id })
	for _, info := range []meta.SessionInfo{joined, value(m.GetSession(ctx, p.id)), value(m.GetSession(ctx, app.ID()))} {
		if info.AuthID != "tick-app" || info.AuthRole != "app" || info.AuthMethod != "ticket" || info.AuthProvider != "static" {
			t.Errorf("%+v", info)
		}
	}
	if n, err := m.CountSessions(ctx); err != nil || n < 3 || n > before+2 { // some of other tests may just have left
		t.Errorf("%d sessions, %v", n, err)
	}
	if n, err := m.CountSessions(ctx, "app"); n != 2 || err != nil {
		t.Errorf("%d sessions of the role, %v", n, err)
	}
	if n, err := m.CountSessions(ctx, "app", "anonymous"); err != nil || n < 3 {
		t.Errorf("%d sessions of the roles, %v", n, err)
	}
	if ids, err := m.ListSessions(ctx, "app"); err != nil || len(ids) != 2 || !slices.Contains(ids, p.id) || !slices.Contains(ids, app.ID()) {
		t.Errorf("%v, %v", ids, err)
	}
	if ids, err := m.ListSessions(ctx, "no such role"); err != nil || len(ids) != 0 {
		t.Errorf("%v, %v", ids, err)
	}
	all, err := m.ListSessions(ctx)
	for _, id := range []wamp.ID{s.ID(), app.ID(), p.id} {
		if err != nil || !slices.Contains(all, id) {
			t.Errorf("%d is not among %v, %v", id, all, err)
		}
	}
	p.leave(t)
	left := come(t, leaves, "on_leave", func(i meta.SessionInfo) bool { return i.Session == p.id })
	if left.AuthID != "" || left.AuthRole != "" {
		t.Errorf("Crossbar tells more than the id: %+v", left)
	}
	if _, err := m.GetSession(ctx, p.id); !errors.Is(err, wamp.ErrNoSuchSession) {
		t.Error(err)
	}
	limited := pubsubCell.join(t, ticket("tick-limited", "ticket-limited-secret"))
	if _, err := meta.Of(limited).CountSessions(ctx); !errors.Is(err, wamp.ErrNotAuthorized) {
		t.Error(err)
	}
	if _, err := meta.Of(limited).OnJoin(ctx); !errors.Is(err, wamp.ErrNotAuthorized) {
		t.Error(err)
	}
}

// killed waits for the end of a session of ours and returns what it was told.
func killed(t *testing.T, s *wamp.Session) wamp.GoodbyeError {
	t.Helper()
	select {
	case <-s.Done():
	case <-time.After(patience):
		t.Fatal("the session lives")
	}
	var goodbye *wamp.GoodbyeError
	if !errors.As(s.Err(), &goodbye) {
		t.Fatal(s.Err())
	}
	return *goodbye
}

func TestMetaKill(t *testing.T) {
	s := pubsubCell.join(t)
	m, ctx := meta.Of(s), t.Context()
	// one, of each side
	one, p := pubsubCell.join(t), newPartner(t, peerCell, "", nil)
	for _, id := range []wamp.ID{one.ID(), p.id} {
		if err := m.KillSession(ctx, id, meta.KillReason("com.example.maintenance"), meta.KillMessage("back at noon")); err != nil {
			t.Fatal(err)
		}
	}
	if why := killed(t, one); why != (wamp.GoodbyeError{Reason: "com.example.maintenance", Message: "back at noon"}) {
		t.Errorf("%+v", why)
	}
	if r := p.ask(t, "left", nil); r.Goodbye != "com.example.maintenance" {
		t.Errorf("the peer was told %q", r.Goodbye)
	}
	p.gone = true
	if err := m.KillSession(ctx, one.ID()); !errors.Is(err, wamp.ErrNoSuchSession) {
		t.Error(err)
	}
	// by what they have in common; Crossbar gives the ids in both cases
	for name, kill := range map[string]func(context.Context) (meta.Killed, error){
		"authid":   func(ctx context.Context) (meta.Killed, error) { return m.KillByAuthID(ctx, "tick-app") },
		"authrole": func(ctx context.Context) (meta.Killed, error) { return m.KillByAuthRole(ctx, "app") },
	} {
		ours := []*wamp.Session{pubsubCell.join(t, ticket("tick-app", "ticket-secret")), pubsubCell.join(t, ticket("tick-app", "ticket-secret"))}
		theirs := newPartner(t, peerCell, name, appTicket)
		limited := pubsubCell.join(t, ticket("tick-limited", "ticket-limited-secret"))
		got, err := kill(ctx)
		want := []wamp.ID{ours[0].ID(), ours[1].ID(), theirs.id}
		slices.Sort(want)
		slices.Sort(got.IDs)
		if err != nil || got.Count != 3 || !slices.Equal(got.IDs, want) {
			t.Errorf("%s: %+v, %v, want %v", name, got, err, want)
		}
		for _, s := range ours {
			if why := killed(t, s); why.Reason != "wamp.close.normal" { // by the text wamp.close.killed
				t.Errorf("%s: %+v", name, why)
			}
		}
		if r := theirs.ask(t, "left", nil); r.Goodbye != "wamp.close.normal" {
			t.Errorf("%s: the peer was told %q", name, r.Goodbye)
		}
		theirs.gone = true
		if limited.Err() != nil {
			t.Error(limited.Err())
		}
		if got, err := kill(ctx); err != nil || got.Count != 0 {
			t.Errorf("%s: once more: %+v, %v", name, got, err)
		}
	}
	if _, err := m.KillAll(ctx); !errors.Is(err, wamp.ErrNoSuchProcedure) {
		t.Error(err)
	}
	// oneself, which by the text is not possible
	self := pubsubCell.join(t)
	if err := meta.Of(self).KillSession(ctx, self.ID()); errors.Is(err, wamp.ErrNoSuchSession) {
		t.Error(err)
	}
	if why := killed(t, self); why.Reason != "wamp.close.normal" {
		t.Errorf("%+v", why)
	}
	among, also := pubsubCell.join(t, ticket("tick-app", "ticket-secret")), pubsubCell.join(t, ticket("tick-app", "ticket-secret"))
	if _, err := meta.Of(among).KillByAuthID(ctx, "tick-app"); err == nil {
		t.Error("it had an answer, being among those that were killed")
	}
	killed(t, among)
	killed(t, also)
	idle(t, s)
}

// Who is killed comes back or not by the reason: that of the text is final unless
// Backoff.Killed is set, Crossbar's own always, any other never.
func TestKilledAndBack(t *testing.T) {
	other := pubsubCell.join(t)
	for name, tt := range map[string]struct {
		killed bool
		reason []meta.KillOption
		back   bool
	}{
		"by the text":           {reason: []meta.KillOption{meta.KillReason("wamp.close.killed")}},
		"by the text, and back": {killed: true, reason: []meta.KillOption{meta.KillReason("wamp.close.killed")}, back: true},
		"Crossbar":              {back: true}, // by wamp.close.normal, which a worker that dies behind a proxy leaves behind too
		"maintenance":           {reason: []meta.KillOption{meta.KillReason("com.example.maintenance")}, back: true},
	} {
		s := pubsubCell.join(t, wamp.WithReconnect(wamp.Backoff{Min: 20 * time.Millisecond, Max: 200 * time.Millisecond, Killed: tt.killed}))
		topic := fresh("com.interop.killed.")
		sub := subscribe(t, s, topic)
		old := s.ID()
		if err := meta.Of(other).KillSession(t.Context(), old, tt.reason...); err != nil {
			t.Fatal(err)
		}
		if !tt.back {
			killed(t, s)
			continue
		}
		rejoined(t, s, old)
		publish(t, other, topic, wamp.Args("x"))
		if ev := next(t, sub); !ev.AfterGap || text(t, ev.Payload) != "x" {
			t.Errorf("%s: %+v", name, ev)
		}
	}
}

func TestMetaRegistrations(t *testing.T) {
	s, callee := pubsubCell.join(t), pubsubCell.join(t)
	m, ctx := meta.Of(s), t.Context()
	created, err := m.OnRegistrationCreate(ctx)
	registered, err2 := m.OnRegister(ctx)
	unregistered, err3 := m.OnUnregister(ctx)
	deleted, err4 := m.OnRegistrationDelete(ctx)
	if err := errors.Join(err, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	base := pubsubCell.uri("go", "meta")
	start := time.Now()
	for match, uri := range map[wamp.MatchPolicy]string{wamp.Exact: base + ".exact", wamp.Prefix: base + ".pre", wamp.Wildcard: "com..metaproc"} {
		reg := named(t, callee, uri, "x", wamp.Match(match), wamp.Invoke(wamp.RoundRobin))
		is := func(m meta.Membership) bool { return m.ID == reg.ID() && m.Session == callee.ID() }
		info := come(t, created, "on_create", func(r meta.RegistrationInfo) bool { return r.ID == reg.ID() })
		come(t, registered, "on_register", is)
		for _, info := range []meta.RegistrationInfo{info, value(m.GetRegistration(ctx, reg.ID()))} {
			if info.ID != reg.ID() || info.URI != uri || info.Match != match || info.Invoke != wamp.RoundRobin ||
				info.Created.Before(start.Add(-2*time.Second)) || info.Created.After(time.Now().Add(2*time.Second)) {
				t.Errorf("%s: %+v", match, info)
			}
		}
		if info.By != callee.ID() {
			t.Errorf("%s: made by %d", match, info.By)
		}
		if id, err := m.LookupRegistration(ctx, uri, match); id != reg.ID() || err != nil {
			t.Errorf("%s: lookup %d, %v", match, id, err)
		}
		called := map[wamp.MatchPolicy]string{wamp.Exact: uri, wamp.Prefix: base + ".prefixed", wamp.Wildcard: "com.any.metaproc"}[match]
		if id, err := m.MatchRegistration(ctx, called); id != reg.ID() || err != nil {
			t.Errorf("%s: match %d, %v", match, id, err)
		}
		list, err := m.ListRegistrations(ctx)
		if in := map[wamp.MatchPolicy][]wamp.ID{wamp.Exact: list.Exact, wamp.Prefix: list.Prefix, wamp.Wildcard: list.Wildcard}[match]; err != nil || !slices.Contains(in, reg.ID()) {
			t.Errorf("%s: %v, %v", match, list, err)
		}
		second := named(t, s, uri, "y", wamp.Match(match), wamp.Invoke(wamp.RoundRobin))
		come(t, registered, "on_register", func(m meta.Membership) bool { return m.ID == reg.ID() && m.Session == s.ID() })
		callees, err := m.ListCallees(ctx, reg.ID())
		if n, err2 := m.CountCallees(ctx, reg.ID()); errors.Join(err, err2) != nil || n != 2 || len(callees) != 2 ||
			!slices.Contains(callees, s.ID()) || !slices.Contains(callees, callee.ID()) {
			t.Errorf("%s: %d callees, %v, %v, %v", match, n, callees, err, err2)
		}
		if err := second.Unregister(limit(t)); err != nil {
			t.Error(err)
		}
		come(t, unregistered, "on_unregister", func(m meta.Membership) bool { return m.ID == reg.ID() && m.Session == s.ID() })
		quiet(t, deleted, "deleted too early", is)
		if err := reg.Unregister(limit(t)); err != nil {
			t.Error(err)
		}
		come(t, unregistered, "on_unregister", is)
		come(t, deleted, "on_delete", is)
		if _, err := m.GetRegistration(ctx, reg.ID()); !errors.Is(err, wamp.ErrNoSuchRegistration) {
			t.Errorf("%s: %v", match, err)
		}
		if _, err := m.CountCallees(ctx, reg.ID()); !errors.Is(err, wamp.ErrNoSuchRegistration) {
			t.Errorf("%s: %v", match, err)
		}
		for _, id := range []wamp.ID{value(m.LookupRegistration(ctx, uri, match)), value(m.MatchRegistration(ctx, called))} {
			if id != 0 {
				t.Errorf("%s: %d is still there", match, id)
			}
		}
	}
	// autobahn-python's, all of them at once
	p := joinPartner(t, peerCell)
	for _, name := range []string{"echo", "sum", "count"} {
		id, err := m.LookupRegistration(ctx, p.prefix+name, wamp.Exact)
		if err != nil || id == 0 {
			t.Errorf("%s: %d, %v", name, id, err)
		}
		if callees, err := m.ListCallees(ctx, id); err != nil || !slices.Equal(callees, []wamp.ID{p.id}) {
			t.Errorf("%s: %v, %v", name, callees, err)
		}
	}
}

func TestMetaSubscriptions(t *testing.T) {
	s, p := pubsubCell.join(t), newPartner(t, peerCell, "", nil)
	m, ctx := meta.Of(s), t.Context()
	created, err := m.OnSubscriptionCreate(ctx)
	subscribed, err2 := m.OnSubscribe(ctx)
	unsubscribed, err3 := m.OnUnsubscribe(ctx)
	deleted, err4 := m.OnSubscriptionDelete(ctx)
	if err := errors.Join(err, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	base := fresh("com.interop.metatopic.")
	start := time.Now()
	for match, topic := range map[wamp.MatchPolicy]string{wamp.Exact: base + ".exact", wamp.Prefix: base + ".pre", wamp.Wildcard: base + "..leaf"} {
		id := wamp.ID(p.ask(t, "subscribe", request{"topic": topic, "match": match}).Subscribed)
		is := func(m meta.Membership) bool { return m.ID == id && m.Session == p.id }
		info := come(t, created, "on_create", func(i meta.SubscriptionInfo) bool { return i.ID == id })
		come(t, subscribed, "on_subscribe", is)
		for _, info := range []meta.SubscriptionInfo{info, value(m.GetSubscription(ctx, id))} {
			if info.ID != id || info.URI != topic || info.Match != match ||
				info.Created.Before(start.Add(-2*time.Second)) || info.Created.After(time.Now().Add(2*time.Second)) {
				t.Errorf("%s: %+v", match, info)
			}
		}
		if info.By != p.id {
			t.Errorf("%s: made by %d", match, info.By)
		}
		if got, err := m.LookupSubscription(ctx, topic, match); got != id || err != nil {
			t.Errorf("%s: lookup %d, %v", match, got, err)
		}
		published := map[wamp.MatchPolicy]string{wamp.Exact: topic, wamp.Prefix: base + ".prefixed", wamp.Wildcard: base + ".any.leaf"}[match]
		if ids, err := m.MatchSubscriptions(ctx, published); !slices.Equal(ids, []wamp.ID{id}) || err != nil {
			t.Errorf("%s: match %v, %v", match, ids, err)
		}
		list, err := m.ListSubscriptions(ctx)
		in := map[wamp.MatchPolicy][]wamp.ID{wamp.Exact: list.Exact, wamp.Prefix: list.Prefix, wamp.Wildcard: list.Wildcard}[match]
		if err != nil || slices.Contains(in, id) != (match != wamp.Wildcard) { // Crossbar leaves those out
			t.Errorf("%s: %v, %v", match, list, err)
		}
		mine := subscribe(t, s, topic, wamp.Match(match))
		come(t, subscribed, "on_subscribe", func(m meta.Membership) bool { return m.ID == id && m.Session == s.ID() })
		ids, err := m.ListSubscribers(ctx, id)
		if n, err2 := m.CountSubscribers(ctx, id); errors.Join(err, err2) != nil || n != 2 || len(ids) != 2 ||
			!slices.Contains(ids, s.ID()) || !slices.Contains(ids, p.id) {
			t.Errorf("%s: %d subscribers, %v, %v, %v", match, n, ids, err, err2)
		}
		if err := mine.Unsubscribe(limit(t)); err != nil {
			t.Error(err)
		}
		come(t, unsubscribed, "on_unsubscribe", func(m meta.Membership) bool { return m.ID == id && m.Session == s.ID() })
		quiet(t, deleted, "deleted too early", is)
		p.ask(t, "unsubscribe", request{"topic": topic})
		come(t, unsubscribed, "on_unsubscribe", is)
		come(t, deleted, "on_delete", is)
		if _, err := m.GetSubscription(ctx, id); !errors.Is(err, wamp.ErrNoSuchSubscription) {
			t.Errorf("%s: %v", match, err)
		}
		if ids, err := m.MatchSubscriptions(ctx, published); len(ids) != 0 || err != nil {
			t.Errorf("%s: %v, %v", match, ids, err)
		}
	}
	// those of the protocol's own topics are nobody's business
	own := subscribe(t, s, "wamp.session.on_join")
	if _, err := m.GetSubscription(ctx, own.ID()); !errors.Is(err, wamp.ErrNotAuthorized) {
		t.Error(err)
	}
	if _, err := m.ListSubscribers(ctx, own.ID()); !errors.Is(err, wamp.ErrNotAuthorized) {
		t.Error(err)
	}
	if id, err := m.LookupSubscription(ctx, "wamp.session.on_join", wamp.Exact); id != 0 || err != nil {
		t.Errorf("%d, %v", id, err)
	}
}

// value leaves the error to what is expected of the value.
func value[T any](v T, _ error) T { return v }
