package sessiontest

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
)

// Patience is how long anything may take that has to happen, on real sockets or
// a machine under load.
const Patience = 30 * time.Second

// Within returns a context that ends after d, at the latest with the test.
func Within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// EndsWithin checks that something ends in no more than d of fake time.
func EndsWithin(t *testing.T, what string, d time.Duration, f func() error) error {
	t.Helper()
	start := time.Now()
	done := make(chan error, 1)
	go func() { done <- f() }()
	limit := time.NewTimer(time.Hour)
	defer limit.Stop()
	select {
	case err := <-done:
		if took := time.Since(start); took > d {
			t.Errorf("%s took %v, longer than %v", what, took, d)
		}
		return err
	case <-limit.C:
		t.Errorf("%s does not end", what)
		return nil
	}
}

// Alive checks that a session can call, at once. Somebody has to have
// registered com.example.echo.
func Alive(t *testing.T, s *wamp.Session) {
	t.Helper()
	r, err := s.Call(Within(t, time.Second), "com.example.echo", wamp.Args(7)).Final()
	if err != nil {
		t.Fatalf("the session does not work: %v", err)
	}
	if Number(t, r.Payload) != 7 {
		t.Fatal("the echo is wrong")
	}
}

// Empty checks that nothing is pending in a session's tables, save what is
// registered and subscribed.
func Empty(t *testing.T, s *wamp.Session) {
	t.Helper()
	if st := s.Stats(); st.Tables.Requests+st.Tables.Invocations+st.Tables.Timers > 0 {
		t.Errorf("tables: %+v", st.Tables)
	}
}

// Log is a log to look at.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}
func (l *Log) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.buf.String() }

// Option logs a session.
func (l *Log) Option() wamp.Option { return wamp.WithLogger(l.Logger()) }

// Logger writes everything into the log.
func (l *Log) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Has checks that one line of the log has all the words.
func (l *Log) Has(t *testing.T, words ...string) {
	t.Helper()
	synctest.Wait()
	for line := range strings.Lines(l.String()) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			return
		}
	}
	t.Errorf("no line with %q in\n%s", words, l.String())
}
