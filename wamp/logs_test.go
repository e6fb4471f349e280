package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// recorder keeps the records of a session.
type recorder struct {
	mu      sync.Mutex
	records []slog.Record
	barred  chan struct{} // nil: it does not block
}

func (r *recorder) Enabled(context.Context, slog.Level) bool { return true }
func (r *recorder) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *recorder) WithGroup(string) slog.Handler            { return r }

func (r *recorder) Handle(_ context.Context, rec slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records = append(r.records, rec)
	if barred := r.barred; barred != nil {
		r.mu.Unlock()
		<-barred
		r.mu.Lock()
	}
	return nil
}

func (r *recorder) option() wamp.Option { return wamp.WithLogger(slog.New(r)) }

// of returns the records of a kind.
func (r *recorder) of(kind session.Record) (all []slog.Record) {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range r.records {
		if rec.Message == kind.String() {
			all = append(all, rec)
		}
	}
	return all
}

// attrsOf are the attributes of a record as text.
func attrsOf(rec slog.Record) map[string]string {
	all := map[string]string{}
	rec.Attrs(func(a slog.Attr) bool { all[a.Key] = a.Value.String(); return true })
	return all
}

// check holds a record to what is declared of its kind.
func (r *recorder) check(t *testing.T, rec slog.Record) {
	t.Helper()
	for kind := range session.NumRecords {
		if rec.Message != kind.String() {
			continue
		}
		if rec.Level != kind.Level() {
			t.Errorf("%s: level %v, want %v", rec.Message, rec.Level, kind.Level())
		}
		var names []string
		rec.Attrs(func(a slog.Attr) bool {
			if a.Key != "left_out" {
				names = append(names, a.Key)
			}
			if a.Key == "error" && a.Value.Kind() != slog.KindString {
				t.Errorf("%s: the error is a %v", rec.Message, a.Value.Kind())
			}
			return true
		})
		i := 0
		for _, name := range kind.Attrs() {
			bare := strings.TrimSuffix(name, "?")
			if i < len(names) && names[i] == bare {
				i++
			} else if bare == name {
				t.Errorf("%s: attribute %s is missing from %v", rec.Message, name, names)
			}
		}
		if i < len(names) {
			t.Errorf("%s: attributes %v, want %v", rec.Message, names, kind.Attrs())
		}
		return
	}
	t.Errorf("%s is not declared", rec.Message)
}

// logRig is a session whose log is looked at.
type logRig struct {
	*testing.T
	log    *recorder
	router *wamptest.Router
	s      *wamp.Session
}

// join connects the session.
func (g *logRig) join(options ...wamp.Option) *wamp.Session {
	g.Helper()
	g.s = join(g.T, g.router, append(options, g.log.option())...)
	return g.s
}

// cut cuts the session's connection, and waits until it is back.
func (g *logRig) cut() {
	g.Helper()
	g.router.Cut(g.s.ID())
	<-time.After(15 * time.Second)
}

// call calls a procedure of the session's own, whatever becomes of it.
func (g *logRig) call(h wamp.Handler, options ...wamp.CallOption) {
	g.Helper()
	if g.s == nil {
		g.join()
	}
	handle(g.T, g.s, "com.example.proc", h)
	ctx, cancel := context.WithTimeout(g.Context(), time.Second)
	defer cancel()
	_, _ = g.s.Call(ctx, "com.example.proc", wamp.Args(1), options...).Final()
}

// logRows says for each record how it comes about, and what stands in it.
var logRows = []struct {
	record session.Record
	has    string // attributes, as name=text, by spaces
	run    func(g *logRig)
	router []wamptest.Option
}{
	{session.RecordJoined, "realm=realm1 subprotocol=wamp.2.cbor authid=joe authrole=member authmethod=x", func(g *logRig) { joinAs(g.T, g.router, "joe", g.log.option()) },
		[]wamptest.Option{named(), wamptest.WithWelcome(proto.Entry{Key: proto.KeyAuthRole, Value: "member"}, proto.Entry{Key: proto.KeyAuthMethod, Value: "x"})}},
	{session.RecordRestored, "handles=2 down=20s took=20s", func(g *logRig) {
		s := g.join(wamp.WithReconnect(wamp.Backoff{Min: 20 * time.Second, Max: 20 * time.Second}))
		subscribe(g.T, s, "com.example.topic")
		handle(g.T, s, "com.example.echo", echo)
		g.router.Cut(s.ID())
		<-time.After(time.Minute)
	}, nil},
	{session.RecordClosed, "", func(g *logRig) { closeIt(g.T, g.join()) }, nil},
	{session.RecordFree, "held=7s", func(g *logRig) { heldBack(g, 7*time.Second) }, nil},
	{session.RecordHeld, "topic=com.example.other stream=subscription held=5s streams=1", func(g *logRig) { heldBack(g, 7*time.Second) }, nil},
	{session.RecordLost, "up=3s error=connection~lost:~unexpected~EOF", func(g *logRig) {
		g.join(wamp.WithReconnect(quick()))
		<-time.After(3 * time.Second)
		g.cut()
	}, nil},
	{session.RecordConnecting, "attempt=1 error=connection~lost:~unexpected~EOF", func(g *logRig) { g.join(wamp.WithReconnect(quick())); g.cut() }, nil},
	{session.RecordAttemptFailed, "attempt=1 error=no~route", func(g *logRig) {
		g.join(wamp.WithReconnect(quick()))
		g.router.RefuseDials(1, errors.New("no route"))
		g.cut()
	}, nil},
	{session.RecordWaiting, "waiting=2 down=5s error=no~route", func(g *logRig) {
		s := g.join(wamp.WithReconnect(quick()))
		g.router.RefuseDials(-1, errors.New("no route"))
		g.router.Cut(s.ID())
		synctest.Wait()
		ctx, cancel := context.WithTimeout(g.Context(), 6*time.Second)
		defer cancel()
		for range 2 {
			go s.Call(ctx, "com.example.proc", wamp.Args()) // it waits for the connection
		}
		<-ctx.Done()
	}, nil},
	{session.RecordTaken, "procedure=com.example.echo error=wamp.error.procedure_already_exists:", func(g *logRig) {
		handle(g.T, g.join(wamp.WithReconnect(quick())), "com.example.echo", echo)
		g.cut()
		if n := len(g.log.of(session.RecordTaken)); n != 1 {
			g.Errorf("%d records of one procedure", n)
		}
	}, []wamptest.Option{wamptest.WithHalfOpen(5 * time.Second)}},
	{session.RecordSubscriptionEnded, "topic=com.example match=prefix error=revoked~by~the~router~(com.example.why)", func(g *logRig) {
		sub := subscribe(g.T, g.join(), "com.example", wamp.Match(wamp.Prefix))
		g.router.RevokeSubscription(sub.ID(), "com.example.why")
	}, nil},
	{session.RecordRegistrationEnded, "procedure=com.example.echo match=exact error=revoked~by~the~router~(com.example.why)", func(g *logRig) {
		reg := value(g.join().Register(g.Context(), "com.example.echo"))
		g.router.RevokeRegistration(reg.ID(), "com.example.why")
	}, nil},
	{session.RecordSubscriptionLeft, "topic=com.example.topic match=exact error=context~canceled", func(g *logRig) {
		ctx, cancel := context.WithCancel(g.Context())
		value(g.join().Subscribe(ctx, "com.example.topic"))
		cancel()
	}, nil},
	{session.RecordRegistrationLeft, "procedure=com.example.echo match=exact error=context~canceled", func(g *logRig) {
		ctx, cancel := context.WithCancel(g.Context())
		value(g.join().Register(ctx, "com.example.echo"))
		cancel()
	}, nil},
	{session.RecordTestament, "scope=destroyed error=wamp.error.not_authorized", func(g *logRig) {
		s := g.join(wamp.WithReconnect(quick()))
		if err := s.AddTestament(g.Context(), wamp.Destroyed, "com.example.gone", wamp.Args(1)); err != nil {
			g.Error(err)
		}
		g.router.SetHook(errorFor(proto.Call))
		g.cut()
	}, nil},
	{session.RecordHistory, "topic=com.example.topic error=call~wamp.subscription.get_events:~wamp.error.not_authorized", func(g *logRig) {
		s := g.join(wamp.WithReconnect(quick()))
		sub := subscribe(g.T, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{}))
		go func() {
			for range sub.Events() {
			}
		}()
		<-time.After(time.Second)
		g.router.SetHook(errorFor(proto.Call))
		g.cut()
	}, []wamptest.Option{wamptest.WithHistory(10)}},
	{session.RecordTooBig, "error=connection~lost", func(g *logRig) {
		s := g.join(wamp.WithReconnect(quick()))
		s.Publish(g.Context(), "com.example.topic", wamp.Args(strings.Repeat("x", 2000)))
		<-time.After(15 * time.Second)
	}, []wamptest.Option{wamptest.WithMaxMessage(1000)}},
	{session.RecordOdd, "messages=3", func(g *logRig) {
		s := g.join()
		sub := subscribe(g.T, s, "com.example.topic")
		for range 4 {
			_, _ = g.router.Send(s.ID(), &proto.Message{Type: proto.Event, ID: sub.ID(), Request: 1, Options: proto.Dict{{Key: proto.KeyPublisher, Value: "x"}}})
		}
		<-time.After(2 * time.Minute)
	}, nil},
	{session.RecordSlow, "topic=com.example.topic stream=subscription messages=1", func(g *logRig) {
		s := g.join()
		subscribe(g.T, s, "com.example.topic", wamp.Buffer(2, 0))
		publish(g.T, join(g.T, g.router), "com.example.topic", 0, 200)
		<-time.After(2 * time.Second)
	}, nil},
	{session.RecordOverflow, "topic=com.example.topic stream=subscription", func(g *logRig) {
		subscribe(g.T, g.join(), "com.example.topic", wamp.Buffer(2, 0), wamp.OverflowFail())
		publish(g.T, join(g.T, g.router), "com.example.topic", 0, 200)
		if n := len(g.log.of(session.RecordSubscriptionEnded)); n != 0 {
			g.Errorf("it is told twice: %d", n)
		}
	}, nil},
	{session.RecordTwoReaders, "topic=com.example.topic", func(g *logRig) {
		sub := subscribe(g.T, g.join(), "com.example.topic")
		publish(g.T, join(g.T, g.router), "com.example.topic", 0, 1)
		for range sub.All() {
			break
		}
		sub.Events()
	}, nil},
	{session.RecordLeftBehind, "after=10s", func(g *logRig) {
		s := g.joinBy(func(c transport.Conn) transport.Conn { return endless{c} })
		_ = s.Close(context.Background())
		<-time.After(2 * time.Hour)
	}, nil},
	{session.RecordMasked, "procedure=com.example.proc error=the~database~is~down", func(g *logRig) {
		g.call(func(context.Context, *wamp.Invocation) error { return errors.New("the database is down") })
	}, nil},
	{session.RecordEventError, "topic=com.example.topic events=1 error=the~database~is~down", func(g *logRig) {
		s := g.join()
		if _, err := s.SubscribeFunc(g.Context(), "com.example.topic", func(context.Context, wamp.Event) error { return errors.New("the database is down") }); err != nil {
			g.Fatal(err)
		}
		publish(g.T, join(g.T, g.router), "com.example.topic", 1, 2)
	}, nil},
	{session.RecordUnsent, "procedure=com.example.proc", func(g *logRig) {
		g.call(func(_ context.Context, inv *wamp.Invocation) error { return inv.Return(wamp.Args(make(chan int))) })
	}, nil},
	{session.RecordPanic, "code=the~handler~of~com.example.proc panic=a~slip", func(g *logRig) {
		g.call(func(context.Context, *wamp.Invocation) error { panic("a slip") })
	}, nil},
	{session.RecordGoexit, "code=the~handler~of~com.example.proc", func(g *logRig) {
		g.call(func(context.Context, *wamp.Invocation) error { runtime.Goexit(); return nil })
	}, nil},
	{session.RecordStuck, "code=Backoff.Redial~or~Backoff.Random after=20s", func(g *logRig) {
		policy := quick()
		policy.Redial = func(error) bool { <-time.After(time.Minute); return true }
		g.join(wamp.WithReconnect(policy))
		g.cut()
		<-time.After(2 * time.Minute)
	}, nil},
	{session.RecordOverdue, "procedure=com.example.proc after=10s answer=wamp.error.canceled", func(g *logRig) {
		g.call(func(context.Context, *wamp.Invocation) error { <-time.After(time.Minute); return nil })
		<-time.After(2 * time.Minute)
	}, nil},
	{session.RecordEnded, "error=the~router~said~goodbye:~wamp.close.killed", func(g *logRig) {
		g.router.Kill(g.join(wamp.WithReconnect(quick())).ID(), proto.CloseURIKilled)
	}, nil},
	{session.RecordLeftOut, "record=user~code~panicked left_out=10", func(g *logRig) {
		s := g.join()
		handle(g.T, s, "com.example.proc", func(context.Context, *wamp.Invocation) error { panic("a slip") })
		for range 30 {
			_, _ = s.Call(g.Context(), "com.example.proc", wamp.Args()).Final()
		}
		closeIt(g.T, s)
	}, nil},
	{session.RecordSlowLogger, "", func(g *logRig) {
		s := g.join(wamp.WithReconnect(wamp.Backoff{Min: time.Second, Max: time.Second}))
		g.log.mu.Lock()
		g.log.barred = make(chan struct{})
		g.log.mu.Unlock()
		for range 300 {
			g.router.Cut(s.ID())
			<-time.After(7 * time.Second)
		}
		g.log.mu.Lock()
		close(g.log.barred)
		g.log.barred = nil
		g.log.mu.Unlock()
	}, nil},
	{session.RecordMistake, "error=a~subscription~that~is~up~cannot~be~up", func(g *logRig) {
		e := g.join().Engine() // whose caller hands one over twice
		sub := &session.Subscription{Handle: session.Handle{Ctx: g.Context(), URI: "com.example.topic", Match: proto.Exact, Ready: make(chan error, 2)}, Sink: nothing{}}
		for range 2 {
			if err := e.Subscribe(sub); err != nil {
				g.Error(err)
			}
			synctest.Wait()
		}
		closeIt(g.T, g.s) // before the context ends under which it is twice
	}, nil},
}

// nothing takes what comes.
type nothing struct{}

func (nothing) Deliver(*proto.Message) session.Verdict { return session.Taken }
func (nothing) End(session.End)                        {}

// heldBack lets two consumers hold the connection back, the second one for d.
func heldBack(g *logRig, d time.Duration) {
	s, p := g.join(), join(g.T, g.router)
	first := subscribe(g.T, s, "com.example.first", wamp.OverflowBlock(), wamp.Buffer(4, 0))
	other := subscribe(g.T, s, "com.example.other", wamp.OverflowBlock(), wamp.Buffer(4, 0))
	for i, topic := range []string{"com.example.first", "com.example.other"} {
		publish(g.T, p, topic, 0, 80)
		synctest.Wait()
		if i == 0 {
			continue
		}
		for range 80 {
			<-first.Events()
		}
	}
	synctest.Wait()
	<-time.After(d)
	for range 80 {
		<-other.Events()
	}
}

// errorFor answers what the session asks for from now on with an error.
func errorFor(of proto.MessageType) wamptest.Hook {
	return func(x *wamptest.Exchange) wamptest.Action {
		if x.Sent && x.Message.Type == proto.Result {
			return wamptest.Replace(&proto.Message{Type: proto.Error, RequestType: of, Request: x.Message.Request, URI: proto.ErrURINotAuthorized})
		}
		return wamptest.Pass()
	}
}

// endless is a connection that does not end.
type endless struct{ transport.Conn }

func (c endless) CloseNow() error {
	<-time.After(time.Hour)
	return c.Conn.CloseNow()
}

// joinBy is join by a connection of the user's.
func (g *logRig) joinBy(wrap func(transport.Conn) transport.Conn, options ...wamp.Option) *wamp.Session {
	g.Helper()
	s, err := wamp.Connect(g.Context(), "", "realm1", append(options, g.log.option(), wamp.WithTransport(func(ctx context.Context, p []transport.Protocol) (transport.Conn, error) {
		conn, err := g.router.Dial(ctx, p)
		if err != nil {
			return nil, err
		}
		return wrap(conn), nil
	}))...)
	if err != nil {
		g.Fatal(err)
	}
	return s
}

// Each record that is declared comes about, once it should, with its level and its
// attributes.
func TestEveryRecord(t *testing.T) {
	for kind := range session.NumRecords {
		i := 0
		for _, row := range logRows {
			if row.record == kind {
				i++
			}
		}
		if i != 1 {
			t.Errorf("%d rows cause %q", i, kind)
		}
	}
	for _, row := range logRows {
		t.Run(strings.ReplaceAll(row.record.String(), " ", "_"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &logRig{T: t, log: &recorder{}, router: wamptest.NewRouter(t, row.router...)}
				row.run(g)
				all := g.log.of(row.record)
				if !slices.ContainsFunc(all, func(rec slog.Record) bool { return hasAttrs(rec, row.has) }) {
					var texts []string
					for _, rec := range all {
						texts = append(texts, fmt.Sprint(attrsOf(rec)))
					}
					t.Errorf("no record %q with %s; there are %s", row.record, row.has, texts)
				}
				g.log.mu.Lock()
				defer g.log.mu.Unlock()
				for _, rec := range g.log.records {
					g.log.check(t, rec)
				}
			})
		})
	}
}

// hasAttrs reports whether a record has attributes that begin as want says, in which
// "~" is a space.
func hasAttrs(rec slog.Record, want string) bool {
	got := attrsOf(rec)
	for _, w := range strings.Fields(want) {
		key, text, _ := strings.Cut(strings.ReplaceAll(w, "~", " "), "=")
		if v, has := got[key]; !has || !strings.HasPrefix(v, text) {
			return false
		}
	}
	return true
}

// logLine is a row of the table in docs/logs.md.
var logLine = regexp.MustCompile("(?m)^\\| `wamp: ([^`]*)` \\| (\\w+)(\\*?) \\| ([^|]*) \\|")

// The page has every record with its level and attributes, and no other.
func TestRecordsAreDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "logs.md"))
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	for _, m := range logLine.FindAllStringSubmatch(string(page), -1) {
		attrs := strings.Fields(strings.NewReplacer("`", "", ",", "").Replace(m[4]))
		told["wamp: "+m[1]] = fmt.Sprintln(m[2], m[3] == "*", attrs)
	}
	for kind := range session.NumRecords {
		if want, got := fmt.Sprintln(kind.Level(), kind.Fault(), kind.Attrs()), told[kind.String()]; got != want {
			t.Errorf("%s: the page says %q, want %q", kind, got, want)
		}
		delete(told, kind.String())
	}
	if len(told) > 0 {
		t.Errorf("the page has records that are not there: %v", told)
	}
}
