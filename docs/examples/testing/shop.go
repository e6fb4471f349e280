// Package shop is a service with the tests that the page docs/testing.md goes through. It
// sells articles: com.example.shop.buy charges the customer at the bank, prices come by
// events, and what was sold is published.
package shop

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
)

// Price is an event of com.example.shop.price.
type Price struct {
	Article string `json:"article"`
	Cents   int    `json:"cents"`
}

// Shop is the running service.
type Shop struct {
	session *wamp.Session

	mu     sync.Mutex
	prices map[string]int
	sold   int // cents
}

// Start connects the service and registers its procedure. ctx is that of the service:
// when it ends, the shop takes no more orders. Stop ends the service in order.
func Start(ctx context.Context, address, realm string, options ...wamp.Option) (*Shop, error) {
	options = append([]wamp.Option{wamp.WithReconnect(wamp.Backoff{})}, options...)
	session, err := wamp.Connect(ctx, address, realm, options...)
	if err != nil {
		return nil, err
	}
	s := &Shop{session: session, prices: map[string]int{}}
	_, err = wamp.On(ctx, session, "com.example.shop.price", s.price)
	if err == nil {
		_, err = wamp.Serve(ctx, session, "com.example.shop.buy", s.buy, wamp.Concurrency(8))
	}
	if err != nil {
		_ = session.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return s, nil
}

// Stop lets the orders that run finish, and ends the service.
func (s *Shop) Stop(ctx context.Context) error { return s.session.Drain(ctx) }

// Report publishes for how much was sold. It may be published twice.
func (s *Shop) Report(ctx context.Context) error {
	s.mu.Lock()
	sold := s.sold
	s.mu.Unlock()
	_, err := s.session.Publish(ctx, "com.example.shop.sold", wamp.Args(sold), wamp.Acknowledge(), wamp.Idempotent()).Wait()
	return err
}

func (s *Shop) price(_ context.Context, e wamp.EventOf[Price]) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prices[e.Value.Article] = e.Value.Cents
	return nil
}

// buy charges the price of an article, and returns the receipt of the bank. A bank that
// is not there, or has too much to do, is asked three times, and for five seconds at most.
func (s *Shop) buy(ctx context.Context, article string) (string, error) {
	s.mu.Lock()
	cents, known := s.prices[article]
	s.mu.Unlock()
	if !known {
		return "", wamp.Errorf(wamp.ErrInvalidArgument, "no article %s", article)
	}
	receipt, err := wamp.Call[string](ctx, s.session, "com.example.bank.charge", wamp.Args(cents),
		wamp.Timeout(5*time.Second), wamp.Retry(wamp.RetryPolicy{Attempts: 3}))
	switch {
	case errors.Is(err, wamp.ErrTimeout):
		return "", wamp.NewError("com.example.shop.bank_is_slow", wamp.Args("the bank does not answer"))
	case err != nil:
		return "", wamp.NewError("com.example.shop.not_paid", wamp.Args(wamp.ErrorURI(err)))
	}
	s.mu.Lock()
	s.sold += cents
	s.mu.Unlock()
	return receipt, nil
}
