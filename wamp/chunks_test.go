package wamp_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
)

// Chunks that the callee does not take are bounded.
func TestChunksOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s, callee := slowRig(t)
		causes := hung(t, callee, "com.example.full", wamp.Buffer(0, 10_000))
		sent, stopped := 0, make(chan struct{})
		_, err := s.CallFunc(t.Context(), "com.example.full", func(_ context.Context, send func(wamp.Payload) error) error {
			defer close(stopped)
			for {
				if err := send(wamp.Args(make([]byte, 840))); err != nil {
					return err
				}
				sent++
			}
		}).Final()
		<-stopped
		if !errors.Is(err, wamp.ErrUnavailable) {
			t.Error(err)
		}
		if cause := <-causes; !errors.Is(cause, wamp.ErrSlowConsumer) {
			t.Error(cause)
		}
		synctest.Wait()
		if st := callee.Stats(); sent < 26 || st.Overflowed != 1 || st.Tables.Invocations != 0 {
			t.Errorf("%d sent, %+v", sent, st)
		}
		if v := r.Stats().Violations; len(v) > 0 {
			t.Errorf("violations: %q", v)
		}
		alive(t, s)
	})
}

// Block holds the link back, and nothing is lost.
func TestChunksBlockAndKeepOrder(t *testing.T) {
	const n = 5000
	synctest.Test(t, func(t *testing.T) {
		_, s, callee := slowRig(t)
		handle(t, callee, "com.example.slow", func(_ context.Context, inv *wamp.Invocation) error {
			<-time.After(time.Second)
			want := 0
			for chunk := range inv.Chunks() {
				if got := number(t, chunk); got != want {
					t.Errorf("chunk %d is %d", want, got)
					break
				}
				want++
			}
			return inv.Return(wamp.Args(want))
		}, wamp.Buffer(0, 10_000), wamp.OverflowBlock())
		r, err := s.CallFunc(t.Context(), "com.example.slow", func(_ context.Context, send func(wamp.Payload) error) error {
			for i := range n {
				if err := send(wamp.Args(i)); err != nil {
					return err
				}
			}
			return nil
		}).Final()
		if err != nil || number(t, r.Payload) != n {
			t.Error(err)
		}
	})
}

// A slow reader of a progressive call stalls nobody else.
func TestBreaksSlowUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, callee := slowRig(t)
		handle(t, callee, "com.example.echo2", echo)
		handle(t, callee, "com.example.slow", func(_ context.Context, inv *wamp.Invocation) error {
			n := 0
			for range inv.Chunks() {
				<-time.After(time.Second)
				n++
			}
			return inv.Return(wamp.Args(n))
		})
		upload := s.CallFunc(t.Context(), "com.example.slow", func(_ context.Context, send func(wamp.Payload) error) error {
			for i := range 2000 {
				if err := send(wamp.Args(i, "some text")); err != nil {
					return err
				}
			}
			return nil
		})
		for range 100 {
			start := time.Now()
			if _, err := s.Call(t.Context(), "com.example.echo2", wamp.Args(1)).Final(); err != nil || time.Since(start) > 0 {
				t.Errorf("after %v: %v", time.Since(start), err)
			}
			<-time.After(100 * time.Millisecond)
		}
		if r, err := upload.Final(); err != nil || number(t, r.Payload) != 2000 {
			t.Error(err)
		}
	})
}
