package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// What a place does to those who dial it.
const (
	serves  = "serves"
	refuses = "refuses"  // nobody listens
	hangs   = "hangs"    // no answer to a SYN
	silent  = "silent"   // it accepts and says nothing
	mute    = "mute"     // a RawSocket that does not answer HELLO
	drops   = "drops"    // it hangs up behind WELCOME
	noRealm = "no realm" // ABORT
	noLogin = "no login" // the same
	halves  = "halves"   // a proxy that refuses every second login, and takes 80 ms for each

	vanishes = "vanishes" // nothing passes any more
)

var errRefused = errors.New("connection refused")

// town is a network in memory, with routers at tcp://a:1, tcp://b:1 and so on.
type town struct {
	t      *testing.T
	mu     sync.Mutex
	places map[string]*site
	dialed []string        // since it was asked last
	begun  time.Time       // when it was asked last
	times  []time.Duration // of those
}

type site struct {
	router *wamptest.Router
	does   string
	logins int // while it halves them
}

func newTown(t *testing.T, names ...string) *town {
	t.Helper()
	w := &town{t: t, places: map[string]*site{}, begun: time.Now()}
	for _, name := range names {
		w.places[name] = &site{router: wamptest.NewRouter(t), does: serves}
	}
	return w
}

// does sets what places do from now on: "a refuses", "b serves". The links of a place that
// refuses break.
func (w *town) does(whats ...string) {
	w.t.Helper()
	for _, what := range whats {
		name, does, _ := strings.Cut(what, " ")
		w.mu.Lock()
		p := w.places[name]
		p.does = does
		w.mu.Unlock()
		p.router.Refuse(map[string]int{noRealm: 1 << 30, noLogin: 1 << 30}[does], map[string]string{noRealm: proto.ErrURINoSuchRealm,
			noLogin: proto.ErrURIAuthenticationFailed}[does])
		if does == refuses {
			p.router.CutAll()
		}
	}
}

// order returns which places have been dialled since the last time, and when.
func (w *town) order() (string, []time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, times := strings.Join(w.dialed, " "), w.times
	w.dialed, w.times, w.begun = nil, nil, time.Now()
	return s, times
}

func (w *town) dial(ctx context.Context, _, address string) (net.Conn, error) {
	name := strings.TrimSuffix(address, ":1")
	w.mu.Lock()
	w.dialed, w.times = append(w.dialed, name), append(w.times, time.Since(w.begun))
	p := w.places[name]
	var does string
	if p != nil {
		does = p.does
	}
	w.mu.Unlock()
	switch does {
	case "", refuses:
		return nil, errRefused
	case hangs, vanishes:
		<-ctx.Done()
		return nil, ctx.Err()
	}
	near, far := net.Pipe()
	go w.serve(p, does, far) // ends with the connection
	return &gone{Conn: near, w: w, of: p, closed: make(chan struct{})}, nil
}

// gone is a connection through which nothing passes once its place vanishes.
type gone struct {
	net.Conn
	w      *town
	of     *site
	once   sync.Once
	closed chan struct{}
}

func (g *gone) is() bool {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	return g.of.does == vanishes
}

func (g *gone) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if g.is() {
		<-g.closed
	}
	return n, err
}

func (g *gone) Write(p []byte) (int, error) {
	if g.is() {
		return len(p), nil
	}
	return g.Conn.Write(p)
}

func (g *gone) Close() error {
	g.once.Do(func() { close(g.closed) })
	return g.Conn.Close()
}

func (w *town) serve(p *site, does string, far net.Conn) {
	defer far.Close()
	if does == silent {
		_, _ = io.Copy(io.Discard, far)
		return
	}
	var agreed transport.Protocol
	conn, err := transport.AcceptRawSocket(context.Background(), far, func(id byte) (p transport.Protocol, ok bool) {
		for _, p := range transport.Protocols() {
			if p.RawSocketID == id && !p.Batched {
				agreed = p
				return p, true
			}
		}
		return p, false
	}, transport.RawSocketOptions{})
	if err != nil {
		return
	}
	defer conn.CloseNow()
	if does == mute {
		for {
			if _, err := conn.Read(); err != nil {
				return
			}
		}
	}
	if does == halves {
		<-time.After(80 * time.Millisecond)
		w.mu.Lock()
		p.logins++
		if p.logins%2 == 1 {
			p = w.places["dead"]
		}
		w.mu.Unlock()
	}
	up, err := p.router.Dial(context.Background(), []transport.Protocol{agreed})
	if err != nil {
		return
	}
	go func() { // ends with the connection
		carry(up, conn, -1)
		_ = up.CloseNow()
	}()
	carry(conn, up, map[string]int{drops: 1}[does])
	_ = up.CloseNow()
}

// carry passes messages on until either end fails, or if n is positive only so many.
func carry(to, from transport.Conn, n int) {
	var b transport.Batch
	for i := 0; n <= 0 || i < n; i++ {
		data, err := from.Read()
		if err != nil {
			return
		}
		b.Reset(1 << 16)
		b.Begin()
		b.Buf = append(b.Buf, data...)
		b.End()
		if to.Write(&b) != nil {
			return
		}
	}
}

// options of a session that knows the places behind the first one.
func (w *town) options(more ...wamp.Option) []wamp.Option {
	return append([]wamp.Option{wamp.DialBy(w.dial), wamp.WithReconnect(wamp.Backoff{})}, more...)
}

func urlsOf(names string) (all []string) {
	for _, name := range strings.Fields(names) {
		all = append(all, "tcp://"+name+":1")
	}
	return all
}

// at waits until the session is joined at a place, and returns how long it has waited.
func (w *town) at(s *wamp.Session, name string) time.Duration {
	w.t.Helper()
	began := time.Now()
	for time.Since(began) < 5*time.Minute {
		if err := s.Healthy(); err == nil && s.Details().Router == "tcp://"+name+":1" {
			return time.Since(began)
		}
		<-time.After(time.Millisecond)
	}
	w.t.Fatalf("not at %s but at %q: %v", name, s.Stats().Router, s.Healthy())
	return 0
}

// rests lets a session hold its connection.
func rests() { <-time.After(11 * time.Second) }

// Where a router dies its clients are at the next one within a second, with the defaults,
// and stay there when it comes back, unless it is the preferred one.
func TestAddressesFailover(t *testing.T) {
	for _, preferred := range []bool{false, true} {
		for _, shuffle := range []bool{false, true} {
			t.Run(fmt.Sprintf("preferred %v, shuffle %v", preferred, shuffle), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newTown(t, "a", "b", "c")
					options := w.options(wamp.WithURLs(shuffle, urlsOf("b c")...))
					if preferred {
						options = append(options, wamp.WithPreferred(time.Minute))
					}
					s := connect(t, "tcp://a:1", options...)
					sub := subscribe(t, s, "com.example.topic")
					home := strings.TrimSuffix(strings.TrimPrefix(s.Details().Router, "tcp://"), ":1")
					if preferred && home != "a" || !shuffle && home != "a" {
						t.Fatalf("it begins at %s", home)
					}
					rests()
					w.order()
					w.does(home + " refuses")
					back := time.Now()
					for s.Details().Router == "tcp://"+home+":1" || s.Healthy() != nil {
						<-time.After(time.Millisecond)
					}
					if took := time.Since(back); took > 350*time.Millisecond {
						t.Errorf("back after %v", took)
					}
					second := strings.TrimSuffix(strings.TrimPrefix(s.Details().Router, "tcp://"), ":1")
					if order, times := w.order(); order != home+" "+second {
						t.Errorf("%s, at %v", order, times)
					}
					w.does(home + " serves")
					rests()
					w.places[second].router.CutAll()
					synctest.Wait()
					w.at(s, second)
					rests()
					<-time.After(time.Minute)
					if order, _ := w.order(); order != second {
						t.Errorf("%s: it moves by itself, or not to where it was", order)
					}
					w.places[second].router.CutAll()
					synctest.Wait()
					if preferred {
						w.at(s, "a")
					} else {
						w.at(s, second)
					}
					if sub.Err() != nil || s.Stats().Reconnects != 3 {
						t.Errorf("%v, %+v", sub.Err(), s.Stats())
					}
				})
			})
		}
	}
}

// What sessions do at places that do not work: where they are dialled, how long it takes
// until they are back, and which place is the first at the loss after that.
func TestAddressesThatDoNotWork(t *testing.T) {
	for _, tt := range []struct {
		name  string
		loss  string // what happens at a, where the session is
		b     string // what b does; c serves
		order string // in which they are dialled
		most  time.Duration
	}{
		{"a dies, b is dead", "a refuses", refuses, "a b c", 450 * time.Millisecond},
		{"a dies, b takes the connection", "a refuses", silent, "a b c", 2500 * time.Millisecond},
		{"a dies, b does not answer HELLO", "a refuses", mute, "a b c", 2500 * time.Millisecond},
		{"a dies, b is not reached", "a refuses", hangs, "a b c", 2500 * time.Millisecond},
		{"a dies, b has no such realm", "a refuses", noRealm, "a b c", 450 * time.Millisecond},
		{"a dies, b refuses the login", "a refuses", noLogin, "a b c", 450 * time.Millisecond},
		{"a dies, b drops it", "a refuses", drops, "a b c", 450 * time.Millisecond},
		{"a goes away", "goodbye", serves, "b", 250 * time.Millisecond},
		{"a says another goodbye", "normal", serves, "a", 250 * time.Millisecond},
		{"a is cut", "cut", serves, "a", 250 * time.Millisecond},
		{"a vanishes", "a vanishes", serves, "b", 3300 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTown(t, "a", "b", "c")
				s := connect(t, "tcp://a:1", w.options(wamp.WithURLs(false, urlsOf("b c")...), wamp.DialTimeout(2*time.Second), wamp.LoginTimeout(2*time.Second),
					wamp.WithKeepalive(wamp.Keepalive{Interval: time.Second, Timeout: 2 * time.Second, RawSocket: true}))...)
				rests()
				w.order()
				w.does("b " + tt.b)
				a := w.places["a"].router
				switch tt.loss {
				case "goodbye":
					a.GoodbyeAll(proto.CloseURISystemShutdown)
				case "normal":
					a.GoodbyeAll(proto.CloseURINormal)
				case "cut":
					a.CutAll()
				default:
					w.does(tt.loss)
				}
				began := time.Now()
				last := tt.order[len(tt.order)-1:]
				for s.Stats().Reconnects == 0 || s.Healthy() != nil || s.Details().Router != "tcp://"+last+":1" {
					if time.Since(began) > time.Minute {
						t.Fatalf("at %s: %v", s.Details().Router, s.Healthy())
					}
					<-time.After(time.Millisecond)
				}
				order, times := w.order()
				if took := time.Since(began); order != tt.order || took > tt.most {
					t.Errorf("%s at %v, back after %v", order, times, took)
				}
				rests()
				w.does(last + " refuses") // what works comes before what has failed
				synctest.Wait()
				<-time.After(time.Second)
				if order, _ := w.order(); tt.order == "a b c" && !strings.HasPrefix(order, "c a") {
					t.Errorf("the next time %s", order)
				}
			})
		})
	}
}

// Waits grow from round to round, and not from address to address.
func TestAddressesRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, "a", "b", "c")
		policy := wamp.Backoff{Min: 400 * time.Millisecond, Max: 3 * time.Second, Random: func() float64 { return 0.5 }}
		s := connect(t, "tcp://a:1", wamp.DialBy(w.dial), wamp.WithURLs(false, urlsOf("b c")...), wamp.WithReconnect(policy))
		rests()
		w.order()
		w.does("a refuses", "b refuses", "c refuses")
		<-time.After(6 * time.Second)
		order, times := w.order()
		var waits []int
		last := time.Duration(0)
		for _, at := range times {
			waits = append(waits, int((at - last).Milliseconds()))
			last = at
		}
		// (400+800)/2, half a hop twice; (400+1600)/2; (400+3000)/2
		if want := []int{600, 50, 50, 1000, 50, 50, 1700, 50, 50, 1700, 50, 50}; !slices.Equal(waits, want) || order != "a b c a b c a b c a b c" {
			t.Errorf("%s, waits of %v, want %v", order, waits, want)
		}
		if st := s.Stats(); st.Router != "tcp://c:1" {
			t.Errorf("it tries %s", st.Router)
		}
	})
}

// A hundred addresses, of which the last one serves.
func TestAddressesAreMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var names []string
		for i := range 99 {
			names = append(names, fmt.Sprint("dead", i))
		}
		w := newTown(t, "a", "b")
		s := connect(t, "tcp://a:1", w.options(wamp.WithURLs(false, urlsOf(strings.Join(names, " ")+" b")...))...)
		rests()
		w.order()
		w.does("a refuses")
		if took := w.at(s, "b"); took > 10*time.Second {
			t.Errorf("back after %v", took)
		}
		if order, _ := w.order(); order != "a "+strings.Join(names, " ")+" b" {
			t.Error(order)
		}
	})
}

// Connect tries each address once, and its error tells of each.
func TestAddressesOfConnect(t *testing.T) {
	for _, tt := range []struct {
		name   string
		does   []string
		first  bool // Backoff.Initial, with four attempts
		order  string
		router string // joined
		says   string
	}{
		{"the first serves", nil, false, "a", "a", ""},
		{"the first is dead", []string{"a refuses"}, false, "a b", "b", ""},
		{"the first is silent", []string{"a silent", "b mute"}, false, "a b c", "c", ""},
		{"the first drops it", []string{"a drops"}, false, "a", "a", ""},
		{"all are dead", []string{"a refuses", "b refuses", "c refuses"}, false, "a b c", "",
			"wamp: connect tcp://c:1: dial: connection refused; tcp://b:1: dial: connection refused; tcp://a:1: dial: connection refused"},
		{"all are dead, again and again", []string{"a refuses", "b refuses", "c refuses"}, true, "a b c a", "",
			"wamp: connect tcp://a:1: gave up after 4 attempts to reconnect: tcp://a:1: dial: connection refused; tcp://c:1: dial: connection refused; tcp://b:1: dial: connection refused"},
		{"one breaks the login off", []string{"a refuses", "b mute", "c refuses"}, false, "a b c", "",
			"wamp: connect tcp://c:1: dial: connection refused; tcp://b:1: connection lost: the login was not finished in time; tcp://a:1: dial: connection refused"},
		// A refusal is the end where nothing was joined before, as it is with one address.
		{"the login is refused at one", []string{"a no login"}, false, "a", "", "wamp.error.authentication_failed"},
		{"the login is refused at the second", []string{"a refuses", "b no login"}, true, "a b", "", "wamp.error.authentication_failed"},
		{"there is no such realm", []string{"a no realm"}, true, "a", "", "wamp.error.no_such_realm"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTown(t, "a", "b", "c")
				w.does(tt.does...)
				policy := wamp.Backoff{Initial: tt.first}
				if tt.first {
					policy.Attempts = 4
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				s, err := wamp.Connect(ctx, "tcp://a:1", "realm1", w.options(wamp.WithURLs(false, urlsOf("b c")...), wamp.WithReconnect(policy),
					wamp.DialTimeout(time.Second), wamp.LoginTimeout(time.Second))...)
				if order, times := w.order(); order != tt.order {
					t.Errorf("%s at %v", order, times)
				}
				if tt.router == "" {
					if err == nil || !strings.Contains(err.Error(), tt.says) {
						t.Errorf("%v", err)
					}
					var all *wamp.AddressesError
					if several := strings.Contains(tt.says, ";"); errors.As(err, &all) != several || several && !errors.Is(err, errRefused) {
						t.Errorf("%#v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer closeIt(t, s)
				w.at(s, tt.router)
			})
		})
	}
}

// ctx ends a first connection that goes from address to address; its error tells of each.
func TestAddressesUnderContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, "a", "b")
		w.does("a refuses", "b hangs")
		for _, initial := range []bool{false, true} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := wamp.Connect(ctx, "tcp://a:1", "realm1", w.options(wamp.WithURLs(false, urlsOf("b")...), wamp.WithReconnect(wamp.Backoff{Initial: initial}))...)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errRefused) || !strings.Contains(err.Error(), "tcp://a:1: dial: connection refused") {
				t.Errorf("initial %v: %v", initial, err)
			}
		}
	})
}

// States tell the address.
func TestAddressesInStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, "a", "b")
		s := connect(t, "tcp://a:1", w.options(wamp.WithURLs(false, urlsOf("b")...))...)
		states := s.States(t.Context())
		seen := []string{fmt.Sprint(next(t, states, wamp.Joined).Phase, " ", s.Details().Router)}
		w.does("a refuses")
		w.does("b refuses")
		for len(seen) < 4 {
			st := <-states
			seen = append(seen, fmt.Sprint(st.Phase, " ", st.Router))
			if st.Phase == wamp.Reconnecting && strings.HasSuffix(st.Router, "b:1") {
				w.does("b serves")
			}
			if st.Phase == wamp.Joined && st.Details.Router != st.Router {
				t.Errorf("%+v", st)
			}
		}
		// The first loss, before the session has held, is a failure of its address.
		if want := []string{"joined tcp://a:1", "reconnecting tcp://a:1", "reconnecting tcp://b:1", "reconnecting tcp://a:1"}; !slices.Equal(seen, want) {
			t.Errorf("%q", seen)
		}
		w.at(s, "b")
	})
}
