package wamp_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// counted is how many records of a kind were written, and how many left out by those.
func (r *recorder) counted(kind session.Record) (written, leftOut int) {
	for _, rec := range r.of(kind) {
		n, _ := strconv.Atoi(attrsOf(rec)["left_out"])
		written, leftOut = written+1, leftOut+n
	}
	return written, leftOut
}

// A router that is down for a day fills no log: the longer it is, the less is told, and
// what is left out is counted.
func TestARouterThatIsDownForADay(t *testing.T) {
	for name, initial := range map[string]bool{"after a loss": false, "from the beginning": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &recorder{}
				r := wamptest.NewRouter(t)
				ctx := within(t, 24*time.Hour)
				if initial {
					r.RefuseDials(-1, errors.New("no route"))
					_, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(r.Dial), log.option(), wamp.WithReconnect(wamp.Backoff{Initial: true}))
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Fatal(err)
					}
				} else {
					s := join(t, r, log.option(), wamp.WithReconnect(wamp.Backoff{}))
					r.RefuseDials(-1, errors.New("no route"))
					r.Cut(s.ID())
					<-ctx.Done()
					synctest.Wait()
				}
				written, leftOut := log.counted(session.RecordAttemptFailed)
				if written < 25 || written > 32 {
					t.Errorf("%d records in a day", written)
				}
				if leftOut < 4000 {
					t.Errorf("%d are left out", leftOut)
				}
				last := log.of(session.RecordAttemptFailed)
				pause := last[written-1].Time.Sub(last[written-2].Time)
				if pause < time.Hour || pause > time.Hour+time.Minute {
					t.Errorf("the last two are %v apart", pause)
				}
			})
		})
	}
}

// Who can make us write a record cannot make us write many: of a kind there are twenty at
// once and ten a minute, and each tells how many were left out.
func TestRecordsHaveARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &recorder{}
		r := wamptest.NewRouter(t)
		s, c := join(t, r, log.option()), join(t, r)
		handle(t, s, "com.example.panic", func(context.Context, *wamp.Invocation) error { panic("a slip") })
		handle(t, s, "com.example.fail", func(context.Context, *wamp.Invocation) error { return errors.New("no") })
		flood := func(n int) {
			for range n {
				_ = lastErr(c.Call(t.Context(), "com.example.panic", wamp.Args()))
				_ = lastErr(c.Call(t.Context(), "com.example.fail", wamp.Args()))
			}
			synctest.Wait()
		}
		kinds := []session.Record{session.RecordPanic, session.RecordMasked}
		check := func(what string, written, leftOut int) {
			t.Helper()
			for _, kind := range kinds {
				if w, l := log.counted(kind); w != written || l != leftOut {
					t.Errorf("%s: %d of %q, which leave out %d, want %d and %d", what, w, kind, l, written, leftOut)
				}
			}
		}
		flood(500)
		check("at once", 20, 0)
		<-time.After(6 * time.Second)
		flood(100)
		check("six seconds later", 21, 480)
		<-time.After(time.Minute)
		flood(100)
		check("a minute later", 31, 480+99)
		<-time.After(time.Hour)
		flood(100)
		check("an hour later", 51, 480+99+90)
		closeIt(t, s)
		all := log.of(session.RecordLeftOut)
		if len(all) != len(kinds) || attrsOf(all[0])["left_out"] != "80" || attrsOf(all[1])["left_out"] != "80" {
			t.Errorf("at the end %v", all)
		}
		if st := s.Stats(); st.Faults != 800 {
			t.Errorf("%d faults are counted", st.Faults)
		}
	})
}

// Nor does a router fill the log: one that hangs up on each session right behind its
// login, with a policy that never waits, and one whose messages are malformed.
func TestARouterCannotFloodTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &recorder{}
		r := wamptest.NewRouter(t)
		s := join(t, r, log.option(), wamp.WithReconnect(wamp.Backoff{Min: time.Millisecond, Max: time.Millisecond}))
		sub := subscribe(t, s, "com.example.topic")
		for i := range 6000 { // a minute
			if i%10 == 0 {
				r.Cut(s.ID())
			} else {
				_, _ = r.Send(s.ID(), &proto.Message{Type: proto.Event, ID: sub.ID(), Request: 1, Options: proto.Dict{{Key: proto.KeyPublisher, Value: "x"}}})
			}
			<-time.After(10 * time.Millisecond)
		}
		synctest.Wait()
		if n := len(log.records); n > 4*31+3 {
			t.Errorf("%d records in a minute", n)
		}
		for _, kind := range []session.Record{session.RecordJoined, session.RecordLost, session.RecordRestored, session.RecordConnecting} {
			if w, l := log.counted(kind); w < 28 || w > 31 || w+l < 500 {
				t.Errorf("%s: %d, which leave out %d", kind, w, l)
			}
		}
		if w, _ := log.counted(session.RecordOdd); w < 1 || w > 2 {
			t.Errorf("%d records of malformed messages", w)
		}
	})
}
