package wamp_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func TestPublishStream(t *testing.T) {
	for _, cd := range serializers {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			r.Delay(time.Second)
			s, other := join(t, r, wamp.WithSerializers(cd)), join(t, r)
			sub := subscribe(t, other, "com.example.topic")
			start := time.Now()
			acks := allAcks(s.PublishStream(t.Context(), "com.example.topic", feeding(t.Context(), 1000), wamp.Window(100)))
			if took := time.Since(start); len(acks) != 1000 || took != 10*time.Second {
				t.Errorf("%d acknowledgements in %v", len(acks), took)
			}
			for i, ack := range acks {
				ev := <-sub.Events()
				if number(t, ev.Payload) != i || ack.Err != nil || ack.ID != ev.Publication {
					t.Fatalf("%d: %+v, %+v", i, ack, ev)
				}
			}
		})
	}
}

// refuseThird refuses every third publish.
func refuseThird() wamptest.Hook {
	n := 0
	return func(x *wamptest.Exchange) wamptest.Action {
		if x.Sent || x.Message.Type != proto.Publish {
			return wamptest.Pass()
		}
		if n++; n%3 == 0 {
			x.Message.URI = "not allowed"
		}
		return wamptest.Pass()
	}
}

func TestPublishStreamErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHook(refuseThird()))
		s := join(t, r)
		ctx, cancel := context.WithCancel(t.Context())
		acks := allAcks(s.PublishStream(ctx, "com.example.topic", feeding(ctx, 100), wamp.Window(1)))
		cancel()
		if n := len(acks); n != 3 || acks[0].Err != nil || !errors.Is(acks[2].Err, wamp.ErrInvalidURI) {
			t.Errorf("%+v", acks)
		}
		r.SetHook(refuseThird())
		acks = allAcks(s.PublishStream(t.Context(), "com.example.topic", feeding(t.Context(), 99), wamp.GoOn()))
		failed := 0
		for i, a := range acks {
			if a.Err != nil {
				failed++
			}
			if (a.Err != nil) != (i%3 == 2) {
				t.Errorf("%d: %v", i, a.Err)
			}
		}
		if len(acks) != 99 || failed != 33 {
			t.Errorf("%d acknowledgements, %d failed", len(acks), failed)
		}
		for _, acks := range []wamp.Acks{
			s.PublishStream(t.Context(), "a b", feeding(t.Context(), 1)), s.PublishStream(t.Context(), "com.example", feeding(t.Context(), 1), wamp.Window(0)),
			s.PublishStream(t.Context(), "com.example", feeding(t.Context(), 1), wamp.Window(math.MaxInt)), s.PublishStream(t.Context(), "com.example", nil),
			s.PublishFunc(t.Context(), "com.example", nil),
		} {
			if all := allAcks(acks); len(all) != 1 || all[0].Err == nil {
				t.Errorf("%+v", all)
			}
		}
	})
}

func TestPublishFunc(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		mine := errors.New("mine")
		acks := allAcks(s.PublishFunc(t.Context(), "com.example.topic", func(_ context.Context, send func(wamp.Payload) error) error {
			for i := range 500 {
				if err := send(wamp.Args(i)); err != nil {
					return err
				}
			}
			return mine
		}))
		if n := len(acks); n != 501 || acks[499].Err != nil || !errors.Is(acks[500].Err, mine) {
			t.Errorf("%d acknowledgements, %v", n, acks[n-1])
		}
		r.SetHook(refuseThird())
		told := make(chan error, 2)
		acks = allAcks(s.PublishFunc(t.Context(), "com.example.topic", func(ctx context.Context, send func(wamp.Payload) error) error {
			for {
				if err := send(wamp.Args(1)); err != nil {
					told <- context.Cause(ctx)
					told <- err
					return err
				}
			}
		}))
		if n := len(acks); n < 3 || !errors.Is(acks[2].Err, wamp.ErrInvalidURI) {
			t.Errorf("%+v", acks)
		}
		if a, b := <-told, <-told; !errors.Is(a, wamp.ErrInvalidURI) || !errors.Is(b, wamp.ErrInvalidURI) {
			t.Errorf("the producer was told %v, %v", a, b)
		}
	})
}

func TestPublishStreamEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		idle := make(chan wamp.Payload)
		ctx, cancel := context.WithCancel(t.Context())
		acks := s.PublishStream(ctx, "com.example.topic", idle)
		unread := s.PublishStream(ctx, "com.example.topic", feeding(ctx, 1000))
		synctest.Wait()
		cancel()
		for _, a := range []wamp.Acks{acks, unread} {
			all := allAcks(a)
			if n := len(all); n > 257 || !errors.Is(all[n-1].Err, context.Canceled) {
				t.Errorf("%d acknowledgements, %v", n, all[n-1].Err)
			}
		}
		told := make(chan error, 1)
		idleAcks := s.PublishStream(t.Context(), "com.example.topic", idle)
		funcAcks := s.PublishFunc(t.Context(), "com.example.topic", func(ctx context.Context, _ func(wamp.Payload) error) error {
			<-ctx.Done()
			told <- context.Cause(ctx)
			return nil
		})
		synctest.Wait()
		r.Cut(s.ID())
		for _, a := range []wamp.Acks{idleAcks, funcAcks} {
			if all := allAcks(a); len(all) != 1 || !errors.Is(all[0].Err, wamp.ErrSessionClosed) {
				t.Errorf("%+v", all)
			}
		}
		if err := <-told; !errors.Is(err, wamp.ErrSessionClosed) {
			t.Error(err)
		}
	})
}

// With Idempotent a stream goes on over lost connections.
func TestPublishStreamReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		r.Delay(10 * time.Millisecond)
		s, other := join(t, r, wamp.WithReconnect(quick())), join(t, r)
		sub := subscribe(t, other, "com.example.topic")
		go func() {
			for range 5 {
				<-time.After(70 * time.Millisecond)
				r.Cut(s.ID())
				<-time.After(time.Second)
			}
		}()
		acks := allAcks(s.PublishStream(t.Context(), "com.example.topic", feeding(t.Context(), 2000), wamp.Window(10), wamp.Idempotent()))
		if n := len(acks); n != 2000 || acks[n-1].Err != nil {
			t.Fatalf("%d acknowledgements, %v", n, acks[n-1].Err)
		}
		seen := map[int]bool{}
		for range 2000 {
			seen[number(t, (<-sub.Events()).Payload)] = true
		}
		for range 100 { // those that were sent twice
			for _, ev := range waiting(sub) {
				seen[number(t, ev.Payload)] = true
			}
		}
		<-time.After(time.Minute)
		if len(seen) != 2000 {
			t.Errorf("%d events", len(seen))
		}
	})
}

// Whatever ends a stream that is not complete is its last element, also if
// nothing is under way.
func TestPublishStreamSaysWhyItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHook(refuseThird()))
		s := join(t, r)
		for range 50 { // a choice among channels is by chance
			ctx, cancel := context.WithCancel(t.Context())
			acks := s.PublishStream(ctx, "com.example.topic", make(chan wamp.Payload), wamp.Window(1))
			synctest.Wait()
			cancel()
			if all := allAcks(acks); len(all) != 1 || !errors.Is(all[0].Err, context.Canceled) {
				t.Fatalf("%+v", all)
			}
		}
		payloads := make(chan wamp.Payload)
		acks := s.PublishStream(t.Context(), "com.example.topic", payloads, wamp.GoOn())
		for i := range 4 {
			payloads <- wamp.Args(i)
		}
		synctest.Wait()
		r.Cut(s.ID())
		if all := allAcks(acks); len(all) != 5 || !errors.Is(all[2].Err, wamp.ErrInvalidURI) || !errors.Is(all[4].Err, wamp.ErrSessionClosed) {
			t.Errorf("%+v", all)
		}
	})
}

// The end of the session is the last element also where what was under way came
// to an unknown end with it.
func TestPublishStreamGoesOnUntilTheSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
			if x.Sent && x.Message.Type == proto.Published {
				return wamptest.Drop()
			}
			return wamptest.Pass()
		}))
		for range 50 { // which is seen first is by chance
			s := join(t, r, wamp.WithReconnect(quick()))
			payloads := make(chan wamp.Payload)
			acks := s.PublishStream(t.Context(), "com.example.topic", payloads, wamp.GoOn())
			payloads <- wamp.Args(1)
			payloads <- wamp.Args(2)
			go s.Drain(t.Context()) // so that the link is not dialled again
			synctest.Wait()
			r.Cut(s.ID())
			var unknown *wamp.OutcomeUnknown
			if all := allAcks(acks); len(all) != 3 || !errors.As(all[1].Err, &unknown) || !errors.Is(all[2].Err, wamp.ErrSessionClosed) {
				t.Fatalf("%+v", all)
			}
		}
	})
}

// A stream whose producer has returned is complete, also if the session ends
// before its acknowledgements are read.
func TestPublishStreamComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		for range 50 {
			s := join(t, r)
			acks := s.PublishFunc(t.Context(), "com.example.topic", func(_ context.Context, send func(wamp.Payload) error) error {
				return errors.Join(send(wamp.Args(1)), send(wamp.Args(2)))
			}, wamp.Window(1))
			synctest.Wait()
			go closeIt(t, s)
			synctest.Wait()
			if all := allAcks(acks); len(all) != 2 || all[1].Err != nil {
				t.Fatalf("%+v", all)
			}
		}
	})
}

// Close does not wait for ever for who reads the acknowledgements, and says so.
func TestPublishStreamUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		acks := s.PublishStream(t.Context(), "com.example.topic", feeding(t.Context(), 7), wamp.Window(4))
		synctest.Wait()
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		all := allAcks(acks)
		var closed *wamp.ClosedError
		if n := len(all); n != 4 || !errors.As(all[3].Err, &closed) || closed.Undelivered != 4 {
			t.Errorf("%+v", all)
		}
	})
}

// A producer that waits for outbound room is told when the stream takes no more.
func TestPublishFuncWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r, wamp.WithReconnect(quick()))
		r.Stall(s.ID())
		told := make(chan error, 1)
		acks := s.PublishFunc(t.Context(), "com.example.topic", func(_ context.Context, send func(wamp.Payload) error) error {
			big := wamp.Args(make([]byte, 1<<20))
			for {
				if err := send(big); err != nil {
					told <- err
					return err
				}
			}
		})
		synctest.Wait()
		r.RefuseDials(1000, errors.New("not yet"))
		time.AfterFunc(time.Minute, func() { r.RefuseDials(0, nil) })
		r.Cut(s.ID())
		go allAcks(acks)
		start := time.Now()
		var unknown *wamp.OutcomeUnknown
		if err := <-told; !errors.As(err, &unknown) || time.Since(start) > 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
