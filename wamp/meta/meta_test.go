package meta_test

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/meta"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// ids returns the ids of sessions, sorted.
func ids(sessions ...*wamp.Session) []wamp.ID {
	out := []wamp.ID{}
	for _, s := range sessions {
		out = append(out, s.ID())
	}
	slices.Sort(out)
	return out
}

// value is a value that came without an error.
func value[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestMetaSessions(t *testing.T) {
	for _, cd := range serializers {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t, named())
			s := joinAs(t, r, "admin1", wamp.WithSerializers(cd))
			a, b, c := joinAs(t, r, "user1"), joinAs(t, r, "user2"), joinAs(t, r, "guest1")
			ctx, m := t.Context(), meta.Of(s)
			if n := value(m.CountSessions(ctx)); n != 4 {
				t.Errorf("%d sessions", n)
			}
			if n := value(m.CountSessions(ctx, "user", "guest")); n != 3 {
				t.Errorf("%d users and guests", n)
			}
			if got := value(m.ListSessions(ctx)); !slices.Equal(got, ids(s, a, b, c)) {
				t.Errorf("%v", got)
			}
			if got := value(m.ListSessions(ctx, "user")); !slices.Equal(got, ids(a, b)) {
				t.Errorf("%v", got)
			}
			info := value(m.GetSession(ctx, a.ID()))
			if info.Session != a.ID() || info.AuthID != "user1" || info.AuthRole != "user" || info.AuthMethod != "ticket" || info.AuthProvider != "static" {
				t.Errorf("%+v", info)
			}
			if _, err := m.GetSession(ctx, 4711); !errors.Is(err, wamp.ErrNoSuchSession) {
				t.Error(err)
			}
		})
	}
}

func TestMetaKill(t *testing.T) {
	for name, crossbar := range map[string]bool{"by the text": false, "Crossbar": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				options := []wamptest.Option{named()}
				reason := proto.CloseURIKilled
				if crossbar {
					options = append(options, wamptest.CrossbarQuirks())
					reason = proto.CloseURINormal
				}
				r := wamptest.NewRouter(t, options...)
				s := joinAs(t, r, "admin1")
				ctx, m := t.Context(), meta.Of(s)
				ended := func(killed *wamp.Session, reason, message string) {
					t.Helper()
					synctest.Wait()
					var bye *wamp.GoodbyeError
					if !errors.As(killed.Err(), &bye) || bye.Reason != reason || bye.Message != message {
						t.Errorf("%v", killed.Err())
					}
				}
				a := joinAs(t, r, "user1")
				if err := m.KillSession(ctx, a.ID()); err != nil {
					t.Fatal(err)
				}
				ended(a, reason, "")
				if err := m.KillSession(ctx, a.ID()); !errors.Is(err, wamp.ErrNoSuchSession) {
					t.Error(err)
				}
				a, b := joinAs(t, r, "user1"), joinAs(t, r, "user1")
				if k := value(m.KillByAuthID(ctx, "user1", meta.KillReason("com.example.out"), meta.KillMessage("so long"))); k.Count != 2 || !slices.Equal(k.IDs, ids(a, b)) {
					t.Errorf("%+v", k)
				}
				ended(a, "com.example.out", "so long")
				ended(b, "com.example.out", "so long")
				a, b = joinAs(t, r, "user1"), joinAs(t, r, "user2")
				if k := value(m.KillByAuthRole(ctx, "user")); k.Count != 2 || crossbar != (k.IDs != nil) {
					t.Errorf("%+v", k)
				}
				ended(a, reason, "")
				ended(b, reason, "")
				if k := value(m.KillByAuthRole(ctx, "nobody")); k.Count != 0 {
					t.Errorf("%+v", k)
				}
				if _, err := m.KillByAuthID(ctx, "user1", meta.KillReason("no uri")); !errors.Is(err, wamp.ErrInvalidURI) {
					t.Error(err)
				}
				a = joinAs(t, r, "user1")
				k, err := m.KillAll(ctx)
				if crossbar {
					if !errors.Is(err, wamp.ErrNoSuchProcedure) {
						t.Error(err)
					}
					if err := m.KillSession(ctx, s.ID()); err != nil { // itself
						t.Error(err)
					}
					ended(s, reason, "")
					return
				}
				if err != nil || k.Count != 1 {
					t.Errorf("%+v, %v", k, err)
				}
				ended(a, reason, "")
				if err := m.KillSession(ctx, s.ID()); !errors.Is(err, wamp.ErrNoSuchSession) || s.Err() != nil {
					t.Errorf("itself: %v, %v", err, s.Err())
				}
			})
		})
	}
}

func TestMetaRegistrationsAndSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, a, b := join(t, r), join(t, r), join(t, r)
		ctx, m := t.Context(), meta.Of(s)
		start := time.Now()
		<-time.After(time.Second)
		exact := handle(t, a, "com.example.proc", echo, wamp.Invoke(wamp.RoundRobin))
		handle(t, b, "com.example.proc", echo, wamp.Invoke(wamp.RoundRobin))
		prefix := handle(t, a, "com.example", echo, wamp.Match(wamp.Prefix))
		wildcard := handle(t, a, "com..b", echo, wamp.Match(wamp.Wildcard))
		want := meta.IDs{Exact: []wamp.ID{exact.ID()}, Prefix: []wamp.ID{prefix.ID()}, Wildcard: []wamp.ID{wildcard.ID()}}
		if got := value(m.ListRegistrations(ctx)); !reflect.DeepEqual(got, want) || len(got.All()) != 3 {
			t.Errorf("%+v, want %+v", got, want)
		}
		for uri, want := range map[string]wamp.ID{"com.example.proc": exact.ID(), "com.example": 0} {
			if got := value(m.LookupRegistration(ctx, uri, wamp.Exact)); got != want {
				t.Errorf("%s: %d", uri, got)
			}
		}
		if got := value(m.LookupRegistration(ctx, "com.example", wamp.Prefix)); got != prefix.ID() {
			t.Errorf("%d", got)
		}
		for uri, want := range map[string]wamp.ID{"com.example.proc": exact.ID(), "com.example.b": prefix.ID(), "com.x.b": wildcard.ID(), "org.x": 0} {
			if got := value(m.MatchRegistration(ctx, uri)); got != want {
				t.Errorf("%s: %d, want %d", uri, got, want)
			}
		}
		reg := value(m.GetRegistration(ctx, exact.ID()))
		if reg.ID != exact.ID() || reg.URI != "com.example.proc" || reg.Match != wamp.Exact || reg.Invoke != wamp.RoundRobin || !reg.Created.Equal(start.Add(time.Second)) {
			t.Errorf("%+v", reg)
		}
		if got := value(m.ListCallees(ctx, exact.ID())); !slices.Equal(got, []wamp.ID{a.ID(), b.ID()}) || value(m.CountCallees(ctx, exact.ID())) != 2 {
			t.Errorf("%v", got)
		}
		if _, err := m.GetRegistration(ctx, 1); !errors.Is(err, wamp.ErrNoSuchRegistration) {
			t.Error(err)
		}

		topic, pattern := subscribe(t, a, "com.example.topic"), subscribe(t, a, "com", wamp.Match(wamp.Prefix))
		subscribe(t, b, "com.example.topic")
		onJoin := subscribe(t, b, "wamp.session.on_join") // not listed
		wantSubs := meta.IDs{Exact: []wamp.ID{topic.ID()}, Prefix: []wamp.ID{pattern.ID()}, Wildcard: []wamp.ID{}}
		if got := value(m.ListSubscriptions(ctx)); !reflect.DeepEqual(got, wantSubs) {
			t.Errorf("%+v, want %+v", got, wantSubs)
		}
		if got := value(m.LookupSubscription(ctx, "com", wamp.Prefix)); got != pattern.ID() {
			t.Errorf("%d", got)
		}
		both := []wamp.ID{topic.ID(), pattern.ID()}
		slices.Sort(both)
		if got := value(m.MatchSubscriptions(ctx, "com.example.topic")); !slices.Equal(got, both) {
			t.Errorf("%v", got)
		}
		if got := value(m.MatchSubscriptions(ctx, "org")); got != nil {
			t.Errorf("%v", got)
		}
		if got := value(m.GetSubscription(ctx, pattern.ID())); got.URI != "com" || got.Match != wamp.Prefix || got.Created.IsZero() {
			t.Errorf("%+v", got)
		}
		if got := value(m.ListSubscribers(ctx, topic.ID())); !slices.Equal(got, []wamp.ID{a.ID(), b.ID()}) || value(m.CountSubscribers(ctx, topic.ID())) != 2 {
			t.Errorf("%v", got)
		}
		if _, err := m.CountSubscribers(ctx, onJoin.ID()); !errors.Is(err, wamp.ErrNoSuchSubscription) {
			t.Error(err)
		}
	})
}

// What nexus and others answer otherwise than the text.
func TestMetaDeviations(t *testing.T) {
	answers := map[string]wamp.Payload{}
	hook := func(x *wamptest.Exchange) wamptest.Action {
		m := x.Message
		if x.Sent || m.Type != proto.Call {
			return wamptest.Pass()
		}
		if m.URI == "wamp.subscription.count_subscribers" {
			m.URI = "wamp.subscription.unknown"
		}
		if m.URI == "wamp.subscription.count_suscribers" { // sic
			m.URI = "wamp.subscription.count_subscribers"
		}
		return wamptest.Pass()
	}
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHook(hook))
		s := join(t, r)
		sub := subscribe(t, s, "com.example.topic")
		if n := value(meta.Of(s).CountSubscribers(t.Context(), sub.ID())); n != 1 {
			t.Errorf("%d subscribers", n)
		}
	})
	shapes := func(x *wamptest.Exchange) wamptest.Action {
		if p, ok := answers["next"]; ok && x.Sent && x.Message.Type == proto.Result {
			if err := x.SetPayload(p); err != nil {
				panic(err)
			}
		}
		return wamptest.Pass()
	}
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHook(shapes))
		s := join(t, r)
		m, ctx := meta.Of(s), t.Context()
		reg := handle(t, s, "com.example.proc", echo)
		answers["next"] = wamp.Args([]any{5, 6})
		if n := value(m.CountSessions(ctx)); n != 2 {
			t.Errorf("a list as a count: %d", n)
		}
		if id := value(m.MatchRegistration(ctx, "a.b")); id != 5 {
			t.Errorf("a list as an id: %d", id)
		}
		if l := value(m.ListRegistrations(ctx)); !slices.Equal(l.Exact, []wamp.ID{5, 6}) {
			t.Errorf("%+v", l)
		}
		answers["next"] = wamp.Args(7)
		if l := value(m.MatchSubscriptions(ctx, "a.b")); !slices.Equal(l, []wamp.ID{7}) {
			t.Errorf("%v", l)
		}
		if k := value(m.KillByAuthID(ctx, "x")); k.Count != 7 || k.IDs != nil {
			t.Errorf("%+v", k)
		}
		answers["next"] = wamp.Args(nil)
		if _, err := m.GetSession(ctx, s.ID()); !errors.Is(err, wamp.ErrNoSuchSession) {
			t.Error(err)
		}
		answers["next"] = wamp.Args(map[string]any{"authid": "joe", "authrole": 5})
		if i := value(m.GetSession(ctx, s.ID())); i.Session != s.ID() || i.AuthID != "joe" || i.AuthRole != "" {
			t.Errorf("%+v", i)
		}
		answers["next"] = wamp.Args(map[string]any{"id": 5, "uri": "a.b", "created": "2026-01-02T03:04:05"})
		if i := value(m.GetRegistration(ctx, reg.ID())); i.Match != wamp.Exact || i.Invoke != wamp.Single || i.Created.Hour() != 3 {
			t.Errorf("%+v", i)
		}
		answers["next"] = wamp.Args()
		if n := value(m.CountSessions(ctx)); n != 0 {
			t.Errorf("%d", n)
		}
		answers["next"] = wamp.Args(0) // nexus, for none
		if id, l := value(m.LookupRegistration(ctx, "a.b", wamp.Exact)), value(m.MatchSubscriptions(ctx, "a.b")); id != 0 || len(l) != 0 {
			t.Errorf("%d, %v", id, l)
		}
	})
}

func TestMetaEvents(t *testing.T) {
	for name, crossbar := range map[string]bool{"by the text": false, "Crossbar": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				options := []wamptest.Option{named()}
				if crossbar {
					options = append(options, wamptest.CrossbarQuirks())
				}
				r := wamptest.NewRouter(t, options...)
				s := joinAs(t, r, "admin1")
				m, ctx := meta.Of(s), t.Context()
				joins, leaves := value(m.OnJoin(ctx)), value(m.OnLeave(ctx))
				created, on, off, deleted := value(m.OnRegistrationCreate(ctx)), value(m.OnRegister(ctx)), value(m.OnUnregister(ctx)), value(m.OnRegistrationDelete(ctx))
				subCreated, subOn, subOff, subDeleted := value(m.OnSubscriptionCreate(ctx)), value(m.OnSubscribe(ctx)), value(m.OnUnsubscribe(ctx)), value(m.OnSubscriptionDelete(ctx))
				a := joinAs(t, r, "user1")
				if i := <-joins; i.Session != a.ID() || i.AuthID != "user1" || i.AuthRole != "user" || i.Details["transport"] == nil {
					t.Errorf("%+v", i)
				}
				reg := handle(t, a, "com.example.proc", echo)
				if i := <-created; i.By != a.ID() || i.ID != reg.ID() || i.URI != "com.example.proc" || i.Invoke != wamp.Single {
					t.Errorf("%+v", i)
				}
				want := meta.Membership{Session: a.ID(), ID: reg.ID()}
				if i := <-on; i != want {
					t.Errorf("%+v", i)
				}
				sub := subscribe(t, a, "com.example", wamp.Match(wamp.Prefix))
				if i := <-subCreated; i.By != a.ID() || i.ID != sub.ID() || i.URI != "com.example" || i.Match != wamp.Prefix {
					t.Errorf("%+v", i)
				}
				wantSub := meta.Membership{Session: a.ID(), ID: sub.ID()}
				if i := <-subOn; i != wantSub {
					t.Errorf("%+v", i)
				}
				r.Cut(a.ID())
				for _, ch := range []<-chan meta.Membership{off, deleted} {
					if i := <-ch; i != want {
						t.Errorf("%+v", i)
					}
				}
				for _, ch := range []<-chan meta.Membership{subOff, subDeleted} {
					if i := <-ch; i != wantSub {
						t.Errorf("%+v", i)
					}
				}
				i := <-leaves
				if i.Session != want.Session || crossbar != (i.AuthID == "") || crossbar != (i.AuthRole == "") {
					t.Errorf("%+v", i)
				}
				synctest.Wait()
				if n := len(joins) + len(leaves) + len(created) + len(on) + len(off) + len(deleted) + len(subCreated) + len(subOn) + len(subOff) + len(subDeleted); n != 0 {
					t.Errorf("%d events too many", n)
				}
			})
		})
	}
}

func TestMetaEventsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		ctx, cancel := context.WithCancel(t.Context())
		joins := value(meta.Of(s).OnJoin(ctx))
		unread := value(meta.Of(s).OnJoin(ctx))
		for range 30 { // more than a channel holds
			join(t, r)
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		if _, open := <-unread; !open {
			t.Error("nothing has come")
		}
		for range joins {
		}
		if n := s.Stats().Tables.Handles; n != 0 {
			t.Errorf("%d subscriptions are left", n)
		}
		without := join(t, wamptest.NewRouter(t, wamptest.WithFeatures(wamptest.FeaturesWithout(proto.SessionMetaAPI))))
		var missing *wamp.FeatureError
		if _, err := meta.Of(without).OnJoin(t.Context()); !errors.As(err, &missing) {
			t.Error(err)
		}
		if _, _, err := meta.Of(without).FollowSessions(t.Context()); !errors.As(err, &missing) {
			t.Error(err)
		}
		if _, err := meta.Of(without).CountSessions(t.Context()); !errors.Is(err, wamp.ErrNoSuchProcedure) {
			t.Error(err)
		}
	})
}

// crowd follows a realm and judges what it is told.
type crowd struct {
	there map[wamp.ID]bool
	ever  map[wamp.ID]bool
}

func (c *crowd) take(t *testing.T, change meta.Change[meta.SessionInfo]) {
	t.Helper()
	id := change.Value.Session
	switch {
	case change.Err != nil:
		t.Fatalf("the stream has ended: %v", change.Err)
	case change.Gone && !c.there[id]:
		t.Errorf("%d has gone and was not there", id)
	case !change.Gone && c.ever[id]:
		t.Errorf("%d has come twice", id)
	}
	if change.Gone {
		delete(c.there, id)
	} else {
		c.there[id], c.ever[id] = true, true
	}
}

// Sessions come and go all the time, before, during and after the snapshot, and
// the follower's own link breaks. In the end it knows exactly who is there, and
// without a break it was told of everybody.
func TestFollowSessions(t *testing.T) {
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, seed))
			r := wamptest.NewRouter(t, wamptest.WithSeed(seed))
			if seed%2 == 1 {
				r.Delay(time.Millisecond)
			}
			breaks := seed%3 == 2
			everybody := map[wamp.ID]bool{}
			var crowded []*wamp.Session
			churn := func() {
				if len(crowded) > 0 && random.IntN(2) == 0 {
					i := random.IntN(len(crowded))
					if random.IntN(2) == 0 {
						r.Cut(crowded[i].ID())
					}
					closeIt(t, crowded[i])
					crowded = slices.Delete(crowded, i, i+1)
					return
				}
				s := value(wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(r.Dial)))
				everybody[s.ID()] = true
				crowded = append(crowded, s)
			}
			for range 20 {
				churn()
			}
			before := maps.Clone(everybody)
			s := join(t, r, wamp.WithReconnect(quick()))
			own := s.ID()
			type followed struct {
				there   []meta.SessionInfo
				changes <-chan meta.Change[meta.SessionInfo]
				err     error
			}
			begun := make(chan followed, 1)
			go func() {
				there, changes, err := meta.Of(s).FollowSessions(t.Context())
				begun <- followed{there, changes, err}
			}()
			for range 30 {
				churn()
			}
			f := <-begun
			if f.err != nil {
				t.Fatal(f.err)
			}
			c := crowd{there: map[wamp.ID]bool{}, ever: map[wamp.ID]bool{}}
			for _, i := range f.there {
				c.there[i.Session], c.ever[i.Session] = true, true
			}
			done := make(chan struct{})
			stop := make(chan struct{})
			go func() {
				defer close(done)
				for {
					select {
					case change := <-f.changes:
						c.take(t, change)
					case <-stop:
						return
					}
				}
			}()
			during := maps.Clone(everybody)
			for i := range 60 {
				churn()
				if breaks && i%20 == 10 {
					r.Cut(s.ID())
				}
				if random.IntN(5) == 0 {
					<-time.After(time.Duration(random.IntN(300)) * time.Millisecond)
				}
			}
			<-time.After(time.Minute)
			synctest.Wait()
			close(stop)
			<-done
			want := map[wamp.ID]bool{s.ID(): true}
			for _, s := range crowded {
				want[s.ID()] = true
			}
			if !maps.Equal(c.there, want) {
				t.Errorf("seed %d: %d are there by the stream, %d in truth", seed, len(c.there), len(want))
			}
			if !breaks {
				for id := range everybody { // those who came after the snapshot
					if !before[id] && !during[id] && !c.ever[id] {
						t.Errorf("seed %d: %d was missed", seed, id)
					}
				}
			}
			if !c.ever[own] {
				t.Error("the session itself was missed")
			}
			for _, s := range crowded {
				closeIt(t, s)
			}
		})
	}
}

// A slow follower loses events, and makes up for it.
func TestFollowSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		there, changes, err := meta.Of(s).FollowRegistrations(t.Context())
		if err != nil || len(there) != 0 {
			t.Fatal(there, err)
		}
		callee := join(t, r)
		regs := map[wamp.ID]bool{}
		for i := range 20000 { // more than a subscription keeps
			ctx, cancel := context.WithCancel(t.Context())
			reg, err := callee.Register(ctx, "com.example.proc"+string(rune('a'+i%26)))
			if err != nil {
				t.Fatal(err)
			}
			if i < 19980 {
				cancel()
				synctest.Wait()
			} else {
				regs[reg.ID()] = true
				defer cancel()
			}
		}
		synctest.Wait()
		known := map[wamp.ID]bool{}
		for {
			synctest.Wait()
			select {
			case c := <-changes:
				if c.Err != nil || known[c.Value.ID] == !c.Gone {
					t.Fatalf("%+v", c)
				}
				if c.Gone {
					delete(known, c.Value.ID)
				} else {
					known[c.Value.ID] = true
				}
				continue
			default:
			}
			break
		}
		if !maps.Equal(known, regs) {
			t.Errorf("%d registrations by the stream, %d in truth", len(known), len(regs))
		}
	})
}

func TestFollowSubscriptionsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r, wamp.WithSerializers(codec.JSON))
		sub := subscribe(t, s, "com.example.topic")
		ctx, cancel := context.WithCancel(t.Context())
		there, changes, err := meta.Of(s).FollowSubscriptions(ctx)
		if err != nil || len(there) != 1 || there[0].ID != sub.ID() {
			t.Fatal(there, err)
		}
		if err := sub.Unsubscribe(ctx); err != nil {
			t.Fatal(err)
		}
		if c := <-changes; !c.Gone || c.Value.URI != "com.example.topic" {
			t.Errorf("%+v", c)
		}
		cancel()
		if c := <-changes; !errors.Is(c.Err, context.Canceled) {
			t.Errorf("%+v", c)
		}
		if _, open := <-changes; open {
			t.Error("not closed")
		}
		_, changes, err = meta.Of(s).FollowSubscriptions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r.Cut(s.ID())
		if c := <-changes; !errors.Is(c.Err, wamp.ErrSessionClosed) {
			t.Errorf("%+v", c)
		}
	})
}
