package shop

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// join joins a session that is closed when the test ends.
func join(t *testing.T, router *wamptest.Router, options ...wamp.Option) *wamp.Session {
	t.Helper()
	options = append(options, wamp.WithTransport(router.Dial))
	session, err := wamp.Connect(t.Context(), "", "realm1", options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close(context.Background()) })
	return session
}

// open starts the shop, which has a price, beside a bank that counts its charges. Both
// are gone when the test ends.
func open(t *testing.T, router *wamptest.Router) (shop *Shop, charges func() int) {
	t.Helper()
	shop, err := Start(t.Context(), "", "realm1", wamp.WithTransport(router.Dial))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shop.Stop(context.Background()) })
	n := 0
	bank := join(t, router)
	_, err = wamp.Serve(t.Context(), bank, "com.example.bank.charge", func(_ context.Context, cents int) (string, error) {
		n++
		return "receipt", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	bank.Publish(t.Context(), "com.example.shop.price", wamp.Args(Price{Article: "tea", Cents: 250}))
	synctest.Wait() // until the shop has had it
	return shop, func() int { synctest.Wait(); return n }
}

// buy is what a customer does.
func buy(t *testing.T, customer *wamp.Session, article string, options ...wamp.CallOption) (string, error) {
	t.Helper()
	return wamp.Call[string](t.Context(), customer, "com.example.shop.buy", wamp.Args(article), options...)
}

func TestBuy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		router := wamptest.NewRouter(t)
		shop, err := Start(t.Context(), "", "realm1", wamp.WithTransport(router.Dial))
		if err != nil {
			t.Fatal(err)
		}
		defer shop.Stop(t.Context())

		fake := join(t, router)
		wamp.Serve(t.Context(), fake, "com.example.bank.charge", func(_ context.Context, cents int) (string, error) {
			return "receipt", nil
		})

		customer := join(t, router)
		customer.Publish(t.Context(), "com.example.shop.price", wamp.Args(Price{Article: "tea", Cents: 250}))
		synctest.Wait() // until the shop has had the price
		receipt, err := wamp.Call[string](t.Context(), customer, "com.example.shop.buy", wamp.Args("tea"))
		if err != nil || receipt != "receipt" {
			t.Errorf("%q, %v", receipt, err)
		}
		_, err = wamp.Call[string](t.Context(), customer, "com.example.shop.buy", wamp.Args("coffee"))
		if !errors.Is(err, wamp.ErrInvalidArgument) {
			t.Errorf("an article that is not there: %v", err)
		}
	})
}

// A fake callee that fails, and knows what it was asked.
func TestBankSaysNo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		router := wamptest.NewRouter(t)
		open(t, router)
		customer := join(t, router)
		router.LoseCallee("com.example.bank.charge") // the good one
		bank := join(t, router)
		var charged []int
		wamp.Serve(t.Context(), bank, "com.example.bank.charge", func(_ context.Context, cents int) (string, error) {
			charged = append(charged, cents)
			return "", wamp.NewError("com.example.bank.no_money", wamp.Payload{})
		})
		_, err := buy(t, customer, "tea")
		if wamp.ErrorURI(err) != "com.example.shop.not_paid" || !slices.Equal(charged, []int{250}) {
			t.Errorf("%v, charged %v", err, charged)
		}
	})
}

func TestBankIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		router := wamptest.NewRouter(t)
		_, charges := open(t, router)
		customer := join(t, router)
		busy := router.Inject(wamptest.Fault{
			Operation: wamptest.Calls, URI: "com.example.bank.charge",
			Error: "wamp.error.unavailable", Payload: wamp.Args("too much to do"), Times: 2,
		})
		if _, err := buy(t, customer, "tea"); err != nil {
			t.Error(err)
		}
		if busy.Hits() != 2 || charges() != 1 {
			t.Errorf("busy %d times, then charged %d times", busy.Hits(), charges())
		}
	})
}

func TestBankIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		router := wamptest.NewRouter(t)
		_, charges := open(t, router)
		customer := join(t, router)
		router.Inject(wamptest.Fault{Operation: wamptest.Calls, URI: "com.example.bank.charge", Delay: time.Minute})
		start := time.Now()
		_, err := buy(t, customer, "tea")
		if wamp.ErrorURI(err) != "com.example.shop.bank_is_slow" || time.Since(start) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		time.Sleep(time.Hour) // costs nothing
		if n := charges(); n != 0 {
			t.Errorf("charged %d times behind the timeout", n)
		}
	})
}

func TestBankVanishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		router := wamptest.NewRouter(t)
		open(t, router)
		customer := join(t, router)
		start := time.Now()
		router.Inject(wamptest.Fault{Operation: wamptest.Calls, URI: "com.example.bank.charge", Lose: wamptest.LoseRequest, Times: 1})
		if _, err := buy(t, customer, "tea"); wamp.ErrorURI(err) != "com.example.shop.bank_is_slow" {
			t.Errorf("a bank that hangs: %v", err)
		}
		router.LoseCallee("com.example.bank.charge") // the one that open has started
		bank := join(t, router)
		wamp.Serve(t.Context(), bank, "com.example.bank.charge", func(ctx context.Context, cents int) (string, error) {
			router.LoseCallee("com.example.bank.charge") // and this one, in the middle of its call
			return "receipt", nil
		})
		if _, err := buy(t, customer, "tea"); wamp.ErrorURI(err) != "com.example.shop.not_paid" {
			t.Errorf("a bank that is gone: %v", err)
		}
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("after %v", d)
		}
	})
}

func TestDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		router := wamptest.NewRouter(t)
		shop, _ := open(t, router)
		denied := router.Inject(wamptest.Fault{Operation: wamptest.Publishes, URI: "com.example.shop.sold"})
		if err := shop.Report(t.Context()); !errors.Is(err, wamp.ErrNotAuthorized) {
			t.Error(err)
		}
		denied.Remove()
		if err := shop.Report(t.Context()); err != nil {
			t.Error(err)
		}
		router.Inject(wamptest.Fault{Operation: wamptest.Subscribes, URI: "com.example.shop."})
		if _, err := Start(t.Context(), "", "realm1", wamp.WithTransport(router.Dial)); !errors.Is(err, wamp.ErrNotAuthorized) {
			t.Error(err)
		}
	})
}

// A bank that does not let the shop in: the customer learns it by an error of the shop.
func TestBankDenies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		router := wamptest.NewRouter(t)
		open(t, router)
		customer := join(t, router)
		router.Inject(wamptest.Fault{Operation: wamptest.Calls, URI: "com.example.bank.charge"})
		_, err := buy(t, customer, "tea")
		var failed *wamp.Error
		var why string
		if !errors.As(err, &failed) || failed.URI != "com.example.shop.not_paid" || failed.Scan(&why) != nil || why != "wamp.error.not_authorized" {
			t.Errorf("the bank denies: %v", err)
		}
	})
}

// What a caller learns of an error that a handler has got of another operation.
func TestDeniedInAHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		router := wamptest.NewRouter(t)
		shop, _ := open(t, router)
		clerk, customer := join(t, router), join(t, router)
		wamp.Serve(t.Context(), clerk, "com.example.clerk.report", func(ctx context.Context, day string) (string, error) {
			return day, shop.Report(ctx)
		})
		wamp.Serve(t.Context(), clerk, "com.example.clerk.report_or_say_why", func(ctx context.Context, day string) (string, error) {
			if err := shop.Report(ctx); err != nil {
				return "", wamp.Errorf(wamp.ErrNotAuthorized, "report of %s: %v", day, err)
			}
			return day, nil
		})
		router.Inject(wamptest.Fault{Operation: wamptest.Publishes, URI: "com.example.shop.sold"})
		_, err := wamp.Call[string](t.Context(), customer, "com.example.clerk.report", wamp.Args("Monday"))
		if !errors.Is(err, wamp.ErrRuntimeError) || errors.Is(err, wamp.ErrNotAuthorized) {
			t.Errorf("masked: %v", err)
		}
		_, err = wamp.Call[string](t.Context(), customer, "com.example.clerk.report_or_say_why", wamp.Args("Monday"))
		if !errors.Is(err, wamp.ErrNotAuthorized) {
			t.Errorf("told: %v", err)
		}
	})
}

// The shop's connection is lost in the place of the acknowledgement. It reports again,
// which the router takes for a second event.
func TestReportIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		router := wamptest.NewRouter(t)
		shop, _ := open(t, router)
		var reports []int
		wamp.On(t.Context(), join(t, router), "com.example.shop.sold", func(_ context.Context, e wamp.EventOf[int]) error {
			reports = append(reports, e.Value)
			return nil
		})
		router.Inject(wamptest.Fault{Operation: wamptest.Publishes, URI: "com.example.shop.sold", Lose: wamptest.CutAfter, Times: 1})
		if err := shop.Report(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if !slices.Equal(reports, []int{0, 0}) {
			t.Errorf("reports: %v", reports)
		}
	})
}

// What a customer learns whose connection is lost while it buys.
func TestOutcomeUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		router := wamptest.NewRouter(t)
		_, charges := open(t, router)
		customer := join(t, router, wamp.WithReconnect(wamp.Backoff{}))
		router.Inject(wamptest.Fault{Operation: wamptest.Calls, URI: "com.example.shop.buy", Lose: wamptest.CutAfter, Times: 2})
		_, err := buy(t, customer, "tea")
		var unknown *wamp.OutcomeUnknown
		if !errors.As(err, &unknown) || charges() != 1 {
			t.Errorf("%v, charged %d times", err, charges())
		}
		_, err = buy(t, customer, "tea", wamp.Idempotent()) // which it is not
		if err != nil || charges() != 3 {
			t.Errorf("%v, charged %d times", err, charges())
		}
	})
}

func TestReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		router := wamptest.NewRouter(t)
		open(t, router)
		customer := join(t, router)
		router.RefuseFor(time.Minute, "wamp.error.authentication_failed") // the first attempts to come back
		if n := router.LoseCallee("com.example.shop.buy"); n != 1 {
			t.Errorf("%d shops", n)
		}
		if _, err := buy(t, customer, "tea"); !errors.Is(err, wamp.ErrNoSuchProcedure) {
			t.Error(err)
		}
		time.Sleep(10 * time.Minute)
		if _, err := buy(t, customer, "tea"); err != nil {
			t.Error(err)
		}
	})
}

func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		router := wamptest.NewRouter(t)
		shop, _ := open(t, router)
		router.RefuseDials(3, nil) // it is down for a while
		router.Restart()
		time.Sleep(time.Minute)
		if err := shop.Report(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		router := wamptest.NewRouter(t)
		router.Refuse(1, "wamp.error.no_such_realm")
		if _, err := Start(t.Context(), "", "realm1", wamp.WithTransport(router.Dial)); !errors.Is(err, wamp.ErrNoSuchRealm) {
			t.Error(err)
		}
	})
}

// Who may do what is the router's business: here it is that of the test.
func TestRoles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := wamptest.Ticket(func(authid, realm string) (ticket, role string, ok bool) {
			switch authid {
			case "ann":
				return "secret", "customer", true
			case "bob":
				return "secret", "guest", true
			}
			return "", "", false
		})
		router := wamptest.NewRouter(t, wamptest.WithLogins(users, wamptest.Anonymous()))
		open(t, router)
		router.Inject(wamptest.Fault{Operation: wamptest.Calls, From: wamptest.SessionInfo{AuthRole: "guest"}})
		ann := join(t, router, wamp.WithAuth(authn.Ticket("ann", "secret")))
		bob := join(t, router, wamp.WithAuth(authn.Ticket("bob", "secret")))
		if _, err := buy(t, ann, "tea"); err != nil {
			t.Error(err)
		}
		if _, err := buy(t, bob, "tea"); !errors.Is(err, wamp.ErrNotAuthorized) {
			t.Error(err)
		}
	})
}

// The same at a router like Crossbar, and at one that cannot do everything.
func TestRouters(t *testing.T) {
	for name, option := range map[string]wamptest.Option{
		"Crossbar":     wamptest.CrossbarQuirks(),
		"no canceling": wamptest.WithFeatures(wamptest.FeaturesWithout(proto.CallCanceling)),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				router := wamptest.NewRouter(t, option)
				open(t, router)
				if _, err := buy(t, join(t, router), "tea"); err != nil {
					t.Error(err)
				}
				if v := router.Stats().Violations; len(v) > 0 {
					t.Error(v)
				}
			})
		})
	}
}

// Outside of a bubble, over a real socket and in real time.
func TestOverWebSocket(t *testing.T) {
	router := wamptest.NewRouter(t)
	address, err := router.ListenWebSocket("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	shop, err := Start(t.Context(), address, "realm1")
	if err != nil {
		t.Fatal(err)
	}
	defer shop.Stop(t.Context())
	if err := shop.Report(t.Context()); err != nil {
		t.Error(err)
	}
}
