package meta_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/meta"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// story reads the changes that are there.
func story(t *testing.T, changes <-chan meta.Change[meta.SessionInfo]) (all []meta.Change[meta.SessionInfo]) {
	t.Helper()
	for {
		synctest.Wait()
		select {
		case c, open := <-changes:
			if open {
				all = append(all, c)
				continue
			}
		default:
		}
		return all
	}
}

// heldBack holds the calls of a procedure back, from the nth on.
func heldBack(procedure string, n int, d time.Duration) wamptest.Option {
	return wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
		if !x.Sent && x.Message.Type == proto.Call && x.Message.URI == procedure {
			if n--; n < 0 {
				return wamptest.Hold(d)
			}
		}
		return wamptest.Pass()
	})
}

// Who comes and goes while the follower asks after a reconnect is told of once.
func TestFollowTellsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, heldBack("wamp.session.list", 1, 100*time.Millisecond))
		s := join(t, r, wamp.WithReconnect(quick()))
		_, changes, err := meta.Of(s).FollowSessions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		states := s.States(t.Context())
		<-states
		r.Cut(s.ID())
		for st := range states {
			if st.Phase == wamp.Joined {
				break
			}
		}
		<-time.After(50 * time.Millisecond)
		short := join(t, r)
		id := short.ID()
		<-time.After(100 * time.Millisecond)
		closeIt(t, short)
		<-time.After(10 * time.Second)
		var told []bool
		for _, c := range story(t, changes) {
			if c.Err != nil {
				t.Fatal(c.Err)
			}
			if c.Value.Session == id {
				told = append(told, c.Gone)
			}
		}
		if !slices.Equal(told, []bool{false, true}) {
			t.Errorf("told of it (gone?) %v", told)
		}
	})
}

// Whatever a follower was about when its session ended: nothing of it is left,
// and Close does not wait for what nobody will read.
func TestFollowEndsWhileItAsks(t *testing.T) {
	for _, what := range []string{"the snapshot", "the difference"} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := what == "the snapshot"
				held := 1
				var options []wamp.Option
				if first {
					held = 0
				} else {
					options = append(options, wamp.WithReconnect(quick()))
				}
				r := wamptest.NewRouter(t, heldBack("wamp.session.list", held, 10*time.Second))
				s := join(t, r, options...)
				ended := make(chan error, 1)
				go func() {
					_, changes, err := meta.Of(s).FollowSessions(t.Context())
					if err == nil {
						for c := range changes {
							err = c.Err
						}
					}
					ended <- err
				}()
				synctest.Wait()
				if !first {
					r.Cut(s.ID())
					<-time.After(time.Second)
				}
				for range 60 { // more than a channel holds
					join(t, r)
				}
				if first {
					r.Cut(s.ID())
				}
				start := time.Now()
				closeIt(t, s)
				if d := time.Since(start); d > 0 {
					t.Errorf("Close took %v", d)
				}
				if err := <-ended; !errors.Is(err, wamp.ErrSessionClosed) {
					t.Error(err)
				}
			})
		})
	}
}

// A Close that is out of time ends the stream of a follower that nobody reads,
// with its reason.
func TestFollowUnreadEndsWithItsReason(t *testing.T) {
	for range 50 { // it is a race
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			s := join(t, r)
			_, changes, err := meta.Of(s).FollowSessions(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for range 60 {
				join(t, r)
			}
			synctest.Wait()
			r.Stall(s.ID())
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := s.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			all := story(t, changes)
			for i, c := range all {
				if last := i == len(all)-1; last != errors.Is(c.Err, wamp.ErrSessionClosed) || !last && c.Value.Session == 0 {
					t.Errorf("%d of %d: %+v", i, len(all), c)
				}
			}
		})
	}
}

// A router that lists sessions and does not let them be looked at: to follow
// nobody would be a lie.
func TestFollowForbidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
			switch m := x.Message; {
			case !x.Sent && m.Type == proto.Call && m.URI == "wamp.session.get":
				m.URI = "wamp.session.forbidden"
			case x.Sent && m.Type == proto.Error && m.URI == proto.ErrURINoSuchProcedure:
				m.URI = proto.ErrURINotAuthorized
			}
			return wamptest.Pass()
		}))
		s := join(t, r)
		if there, _, err := meta.Of(s).FollowSessions(t.Context()); !errors.Is(err, wamp.ErrNotAuthorized) {
			t.Errorf("%v, %v", there, err)
		}
		synctest.Wait()
		if n := s.Stats().Tables.Handles; n != 0 {
			t.Errorf("%d subscriptions are left", n)
		}
	})
}

// Where operations fail at once while there is no link, a follower waits for the
// next one all the same.
func TestFollowFailFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		policy := quick()
		policy.FailFast = true
		s := join(t, r, wamp.WithReconnect(policy))
		there, changes, err := meta.Of(s).FollowSessions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		online := map[wamp.ID]bool{}
		for _, who := range there {
			online[who.Session] = true
		}
		take := func() {
			for _, c := range story(t, changes) {
				if c.Err != nil {
					t.Fatal(c.Err)
				}
				if online[c.Value.Session] = !c.Gone; c.Gone {
					delete(online, c.Value.Session)
				}
			}
		}
		r.Cut(s.ID())
		for range 30 {
			join(t, r)
		}
		<-time.After(10 * time.Second)
		r.Cut(s.ID()) // it is telling of the thirty
		synctest.Wait()
		take() // and goes on while there is no link
		late := join(t, r)
		<-time.After(10 * time.Second)
		take()
		if len(online) != 32 || !online[late.ID()] || !online[s.ID()] {
			t.Errorf("%d are there", len(online))
		}
	})
}

// Events that no router should send: a follower is neither ended nor misled by
// them, nor are the streams of events.
func TestMetaEventsOfAnotherShape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, asked := map[string]wamp.ID{}, map[wamp.ID]string{}
		r := wamptest.NewRouter(t, wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
			switch m := x.Message; {
			case !x.Sent && m.Type == proto.Subscribe:
				asked[m.Request] = m.URI
			case x.Sent && m.Type == proto.Subscribed:
				topics[asked[m.Request]] = m.ID
			}
			return wamptest.Pass()
		}))
		s := join(t, r)
		m, ctx := meta.Of(s), t.Context()
		_, changes, err := m.FollowSessions(ctx)
		if err != nil {
			t.Fatal(err)
		}
		joins, leaves := value(m.OnJoin(ctx)), value(m.OnLeave(ctx))
		registers, created := value(m.OnRegister(ctx)), value(m.OnRegistrationCreate(ctx))
		subscribes, subCreated := value(m.OnSubscribe(ctx)), value(m.OnSubscriptionCreate(ctx))
		publication := wamp.ID(0)
		send := func(topic string, payload wamp.Payload) {
			t.Helper()
			publication++
			if ok, err := r.Send(s.ID(), &proto.Message{Type: proto.Event, ID: topics[topic], Publication: publication}, payload); !ok || err != nil {
				t.Fatal(ok, err)
			}
			synctest.Wait()
		}
		for _, payload := range []wamp.Payload{
			wamp.Args(), wamp.Args(nil), wamp.Args(-1), wamp.Args(0), wamp.Args(1.5), wamp.Args("id"), wamp.Args([]any{}), wamp.Args(map[string]any{}),
			wamp.Args(map[string]any{"session": "7"}), wamp.Args(map[string]any{"session": -7}), wamp.Args(uint64(1)<<60, -5, 6),
			wamp.Args(nil, nil, nil), wamp.Args([]any{1}, []any{2}), wamp.Args(nil, map[string]any{"id": []any{}}), wamp.Args().With("session", 7),
			wamp.Args(7, map[string]any{"uri": 5}),
		} {
			for topic := range topics {
				if topic == "wamp.session.on_leave" {
					continue // an id is one: below
				}
				send(topic, payload)
			}
		}
		send("wamp.session.on_leave", wamp.Args("4711"))
		send("wamp.session.on_leave", wamp.Args())
		send("wamp.session.on_leave", wamp.Args(4711, 5, []any{})) // nobody knows it
		if i := <-leaves; i.Session != 4711 || i.AuthID != "" {
			t.Errorf("%+v", i)
		}
		send("wamp.session.on_join", wamp.Args(map[string]any{"session": 4711, "authid": 5, "authrole": "user"}))
		if i := <-joins; i.Session != 4711 || i.AuthID != "" || i.AuthRole != "user" {
			t.Errorf("%+v", i)
		}
		send("wamp.session.on_join", wamp.Args(map[string]any{"session": 4711})) // once more
		<-joins
		send("wamp.session.on_leave", wamp.Args(map[string]any{"session": 4711}))
		if i := <-leaves; i.Session != 4711 {
			t.Errorf("%+v", i)
		}
		all := story(t, changes)
		if len(all) != 2 || all[0].Gone || !all[1].Gone || all[0].Value.AuthRole != "user" || all[1].Value.AuthRole != "user" {
			t.Errorf("%+v", all)
		}
		synctest.Wait()
		if n := len(joins) + len(leaves) + len(registers) + len(created) + len(subscribes) + len(subCreated); n != 0 {
			t.Errorf("%d events too many", n)
		}
	})
}

// A router that leaves the id out of what it says of a registration.
func TestMetaWithoutID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
			if x.Sent && x.Message.Type == proto.Result {
				if args, _ := x.Payload().Args(); len(args) == 1 {
					if m, ok := args[0].(map[string]any); ok && m["uri"] != nil {
						_ = x.SetPayload(wamp.Args(map[string]any{"uri": m["uri"]}))
					}
				}
			}
			return wamptest.Pass()
		}))
		s := join(t, r)
		reg, sub := handle(t, s, "com.example.proc", echo), subscribe(t, s, "com.example.topic")
		if i := value(meta.Of(s).GetRegistration(t.Context(), reg.ID())); i.ID != reg.ID() || i.URI != "com.example.proc" {
			t.Errorf("%+v", i)
		}
		if i := value(meta.Of(s).GetSubscription(t.Context(), sub.ID())); i.ID != sub.ID() || i.URI != "com.example.topic" {
			t.Errorf("%+v", i)
		}
	})
}

// Answers that make no sense are errors: nobody there, or no such thing, would
// be a lie.
func TestMetaAnswersWithoutSense(t *testing.T) {
	var answer wamp.Payload
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
			if x.Sent && x.Message.Type == proto.Result {
				_ = x.SetPayload(answer)
			}
			return wamptest.Pass()
		}))
		s := join(t, r)
		sub, reg := subscribe(t, s, "com.example.topic"), handle(t, s, "com.example.proc", echo)
		m, ctx := meta.Of(s), t.Context()
		just := func(_ any, err error) error { return err }
		asks := map[string]func() error{
			"CountSessions":       func() error { return just(m.CountSessions(ctx)) },
			"ListSessions":        func() error { return just(m.ListSessions(ctx)) },
			"GetSession":          func() error { return just(m.GetSession(ctx, s.ID())) },
			"KillByAuthID":        func() error { return just(m.KillByAuthID(ctx, "nobody")) },
			"KillByAuthRole":      func() error { return just(m.KillByAuthRole(ctx, "nobody")) },
			"KillAll":             func() error { return just(m.KillAll(ctx)) },
			"ListRegistrations":   func() error { return just(m.ListRegistrations(ctx)) },
			"LookupRegistration":  func() error { return just(m.LookupRegistration(ctx, "com.example.proc", wamp.Exact)) },
			"MatchRegistration":   func() error { return just(m.MatchRegistration(ctx, "com.example.proc")) },
			"GetRegistration":     func() error { return just(m.GetRegistration(ctx, reg.ID())) },
			"ListCallees":         func() error { return just(m.ListCallees(ctx, reg.ID())) },
			"CountCallees":        func() error { return just(m.CountCallees(ctx, reg.ID())) },
			"ListSubscriptions":   func() error { return just(m.ListSubscriptions(ctx)) },
			"LookupSubscription":  func() error { return just(m.LookupSubscription(ctx, "com.example.topic", wamp.Exact)) },
			"MatchSubscriptions":  func() error { return just(m.MatchSubscriptions(ctx, "com.example.topic")) },
			"GetSubscription":     func() error { return just(m.GetSubscription(ctx, sub.ID())) },
			"ListSubscribers":     func() error { return just(m.ListSubscribers(ctx, sub.ID())) },
			"CountSubscribers":    func() error { return just(m.CountSubscribers(ctx, sub.ID())) },
			"FollowSessions":      func() error { _, _, err := m.FollowSessions(ctx); return err },
			"FollowRegistrations": func() error { _, _, err := m.FollowRegistrations(ctx); return err },
			"FollowSubscriptions": func() error { _, _, err := m.FollowSubscriptions(ctx); return err },
		}
		for _, rubbish := range []any{"rubbish", true, -1, 1.5, []byte("rubbish"), uint64(1) << 63} {
			answer = wamp.Args(rubbish)
			for name, ask := range asks {
				err := ask()
				if err == nil || wamp.ErrorURI(err) != "" {
					t.Errorf("%s: %T: %v", name, rubbish, err)
				}
			}
		}
		answer = wamp.Args([]any{"rubbish"})
		for _, name := range []string{"ListSessions", "ListRegistrations", "ListCallees", "MatchSubscriptions", "FollowSessions"} {
			if asks[name]() == nil {
				t.Errorf("%s: a list of rubbish", name)
			}
		}
		answer = wamp.Args(map[string]any{"exact": "rubbish"})
		if asks["ListSubscriptions"]() == nil {
			t.Error("lists of rubbish")
		}
	})
}

// Where one of its two subscriptions ends before the other stands, that is the
// reason that is told, not the ctx by which the other one is taken along.
func TestFollowSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first proto.ID
		r := wamptest.NewRouter(t)
		r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
			switch m := x.Message; {
			case m.Type == proto.Subscribed && first == 0:
				first = m.ID
			case m.Type == proto.Subscribed:
				return wamptest.Hold(time.Second)
			}
			return wamptest.Pass()
		})
		s := join(t, r)
		ended := make(chan error, 1)
		go func() {
			_, _, err := meta.Of(s).FollowSessions(t.Context())
			ended <- err
		}()
		synctest.Wait()
		r.RevokeSubscription(first, "com.example.reason")
		var revoked *wamp.RevokedError
		if err := <-ended; !errors.As(err, &revoked) {
			t.Error(err)
		}
	})
}
