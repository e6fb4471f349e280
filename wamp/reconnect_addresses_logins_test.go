package wamp_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// The rules of what is final hold at several addresses as they do at one: a session that
// was joined, and whose router is gone, ends where the other one refuses its login five times
// and for a minute.
func TestAddressesRefuseALogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, "a", "b")
		var log logged
		s := connect(t, "tcp://a:1", w.options(wamp.WithURLs(false, urlsOf("b")...), log.Option())...)
		rests()
		w.does("a refuses", "b no login")
		began := time.Now()
		<-s.Done()
		var abort *wamp.AbortError
		if err := s.Err(); !errors.As(err, &abort) || abort.Reason != proto.ErrURIAuthenticationFailed || time.Since(began) < time.Minute {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if st := s.Stats(); st.Router != "tcp://b:1" {
			t.Errorf("it has ended at %s", st.Router)
		}
		// The first failure at each address is told.
		log.Has(t, "attempt to connect failed", "address=tcp://a:1", "connection refused")
		log.Has(t, "attempt to connect failed", "address=tcp://b:1", "authentication_failed")
		log.Has(t, "session ended", "address=tcp://b:1")
	})
	synctest.Test(t, func(t *testing.T) { // one that is back meanwhile
		w := newTown(t, "a", "b")
		s := connect(t, "tcp://a:1", w.options(wamp.WithURLs(false, urlsOf("b")...))...)
		rests()
		w.does("a refuses", "b no login")
		<-time.After(50 * time.Second)
		w.does("a serves")
		w.at(s, "a")
	})
}

// Behind a proxy that has lost one of two routers, which all of its clients learn at once,
// they are back within a second, although every second login is refused.
func TestAddressesBehindAProxy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 40
		w := newTown(t, "a", "dead")
		w.places["dead"].router.LoseWorker(time.Hour)
		rnd := rand.New(rand.NewPCG(1, 2))
		var all []*wamp.Session
		for range n {
			own := rand.New(rand.NewPCG(rnd.Uint64(), 1))
			all = append(all, connect(t, "tcp://a:1", wamp.DialBy(w.dial), wamp.WithReconnect(wamp.Backoff{Random: own.Float64})))
		}
		rests()
		w.does("a halves")
		w.places["a"].router.GoodbyeAll(proto.CloseURINormal)
		synctest.Wait()
		count := func() (back int) {
			for _, s := range all {
				if s.Healthy() == nil {
					back++
				}
			}
			return back
		}
		<-time.After(500 * time.Millisecond)
		half := count()
		<-time.After(500 * time.Millisecond)
		if second := count(); half < n/2 || second < n*9/10 {
			t.Errorf("%d of %d are back after half a second, %d after one", half, n, second)
		}
		<-time.After(10 * time.Second)
		if end := count(); end < n {
			t.Errorf("%d of %d are back in the end", end, n)
		}
	})
}

// A password that was changed is not tried a dozen times within a second, however many
// addresses there are: routers lock accounts.
func TestAddressesAndAWrongPassword(t *testing.T) {
	for _, names := range []string{"a", "a b", "a b c d e f"} {
		synctest.Test(t, func(t *testing.T) {
			w := newTown(t, strings.Fields(names)...)
			urls := urlsOf(names)
			policy := wamp.Backoff{Random: func() float64 { return 0.5 }}
			connect(t, urls[0], w.options(wamp.WithURLs(false, urls[1:]...), wamp.WithReconnect(policy))...)
			rests()
			w.order()
			for name, p := range w.places {
				w.does(name + " no login")
				p.router.GoodbyeAll(proto.CloseURINormal) // as of Crossbar, which has thrown it out
			}
			<-time.After(900 * time.Millisecond)
			order, times := w.order()
			// Each router sees it as often as it sees one that knows no other address.
			for _, name := range strings.Fields(names) {
				if n := strings.Count(order, name); n > 3 {
					t.Errorf("%s sees %d logins at %v", name, n, times)
				}
			}
		})
	}
}

// The logins of authn.InTurn are tried at one address.
func TestAddressesAndLoginsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, "a", "b")
		w.places["a"].router = wamptest.NewRouter(t, wamptest.WithLogins(ticketLogin("open")))
		ticket := func(secret string) authn.Authenticator { return authn.Ticket("joe", secret, authn.AllowPlaintext()) }
		s := connect(t, "tcp://a:1", w.options(wamp.WithURLs(false, urlsOf("b")...), wamp.WithAuth(authn.InTurn(ticket("shut"), ticket("open"))))...)
		if order, _ := w.order(); order != "a a" || s.Details().Router != "tcp://a:1" {
			t.Errorf("%s, at %s", order, s.Details().Router)
		}
	})
}
