package hostile_test

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A logger is a user's code: it may use the session that it logs for, block, or
// panic.
func TestLoggersThatMisbehave(t *testing.T) {
	for name, misbehave := range map[string]func(*wamp.Session){
		"uses the session": func(s *wamp.Session) {
			_ = s.Stats()
			_ = s.Publish(context.Background(), "com.example.log", wamp.Args("x"))
			_, _ = s.Call(context.Background(), "com.example.echo", wamp.Args()).Final()
		},
		"blocks":  func(*wamp.Session) { <-time.After(time.Hour) },
		"panics":  func(*wamp.Session) { panic("the logger") },
		"goexits": func(*wamp.Session) { runtime.Goexit() },
	} {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			h := &userHandler{}
			s, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(r.Dial), wamp.WithReconnect(quick()), wamp.WithLogger(slog.New(h)))
			if err != nil {
				t.Fatal(err)
			}
			h.set(func() { misbehave(s) })
			other := join(t, r)
			handle(t, other, "com.example.echo", echo)
			for range 3 {
				r.Cut(s.ID())
				<-time.After(time.Minute)
				if _, err := s.Call(within(t, time.Second), "com.example.echo", wamp.Args(1)).Final(); err != nil {
					t.Fatalf("the logger %s: %v", name, err)
				}
			}
			if h.count() == 0 {
				t.Errorf("the logger that %s was not asked", name)
			}
			if err := endsWithin(t, "Close", 2*time.Second, func() error { return s.Close(context.Background()) }); err != nil {
				t.Error(err)
			}
			h.set(nil)
			<-time.After(2 * time.Hour)
		})
	}
}

// userHandler is a slog.Handler that does something of its own.
type userHandler struct {
	mu sync.Mutex
	f  func()
	n  int
}

func (h *userHandler) set(f func()) { h.mu.Lock(); h.f = f; h.mu.Unlock() }
func (h *userHandler) count() int   { h.mu.Lock(); defer h.mu.Unlock(); return h.n }

func (h *userHandler) do() bool {
	h.mu.Lock()
	f := h.f
	if f != nil {
		h.n++
	}
	h.mu.Unlock()
	if f != nil {
		f()
	}
	return true
}

func (h *userHandler) Enabled(context.Context, slog.Level) bool  { return h.do() }
func (h *userHandler) Handle(context.Context, slog.Record) error { h.do(); return nil }
func (h *userHandler) WithAttrs([]slog.Attr) slog.Handler        { return h }
func (h *userHandler) WithGroup(string) slog.Handler             { return h }
