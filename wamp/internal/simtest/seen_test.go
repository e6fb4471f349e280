package simtest_test

import (
	"context"
	"sync"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/internal/sim"
)

// simSeen is an interceptor that knows which operations have begun and not ended.
type simSeen struct {
	mu    sync.Mutex
	open  map[*wamp.Op]int
	wrong []string
}

type simSeenKey struct{}

// Begin implements wamp.Interceptor.
func (s *simSeen) Begin(ctx context.Context, op *wamp.Op) (context.Context, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[*wamp.Op]int{}
	}
	if s.open[op]++; s.open[op] > 1 {
		s.wrong = append(s.wrong, op.Kind.String()+" "+op.URI+" has begun twice")
	}
	return context.WithValue(ctx, simSeenKey{}, op), nil
}

// Progress implements wamp.Interceptor.
func (s *simSeen) Progress(ctx context.Context, op *wamp.Op, _ *wamp.Part) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Value(simSeenKey{}) != op || s.open[op] != 1 {
		s.wrong = append(s.wrong, op.Kind.String()+" "+op.URI+" goes on, and is not open")
	}
	return nil
}

// End implements wamp.Interceptor.
func (s *simSeen) End(ctx context.Context, op *wamp.Op, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Value(simSeenKey{}) != op || s.open[op] != 1 {
		s.wrong = append(s.wrong, op.Kind.String()+" "+op.URI+" ends, and is not open")
	}
	s.open[op]--
}

// judge judges behind the end that every operation has ended once.
func (s *simSeen) judge(w *simWorld) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for op, n := range s.open {
		if n != 0 {
			s.wrong = append(s.wrong, op.Kind.String()+" "+op.URI+" has not ended")
		}
	}
	for _, text := range s.wrong {
		w.t.Errorf("%s: to an interceptor %s", sim.EndsOnce, text)
	}
}
