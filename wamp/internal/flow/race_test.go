package flow

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
)

// late is a house whose session is over when a feeder is asked for: the actor has
// ended the stream by then.
type late struct {
	house
	end func()
}

func (l *late) GoFeeder(func(<-chan struct{})) error {
	l.end()
	return errHouse
}

// A channel that is asked for when the session is over has all that was there.
func TestChannelBehindTheSession(t *testing.T) {
	for _, tt := range []struct {
		has, now bool
		want     int
	}{{false, false, 20}, {true, false, 21}, {false, true, 2}, {true, true, 3}} {
		var st Stream[number]
		l := &late{end: func() { st.Finish(number{n: theEnd}, tt.has, tt.now) }}
		st.OpenBlocks(t.Context(), l, tableRoom)
		st.Bytes, st.Policy = 1<<20, Fail
		for i := range 20 {
			st.Put(number{n: i}, 10)
		}
		n := 0
		for v := range st.Ch() {
			if v.n != n && (v.n != theEnd || n != tt.want-1) {
				t.Errorf("%+v: %d is %v", tt, n, v)
			}
			n++
		}
		if n != tt.want || l.held.Load() != 0 {
			t.Errorf("%+v: %d came, %d bytes are held", tt, n, l.held.Load())
		}
	}
}

// A stream that keeps little, but too much for its session, holds the link back too,
// and lets go of it however it ends or goes on.
func TestShedOfLittle(t *testing.T) {
	for name, next := range map[string]func(r *rig){
		"read": func(r *rig) { r.take(1) },
		"end":  func(r *rig) { r.finish(true) },
		"ctx after the end": func(r *rig) {
			r.finish(false)
			r.cancel()
			synctest.Wait()
		},
		"read after the end": func(r *rig) {
			r.finish(false)
			r.take(1)
		},
	} {
		for _, w := range ways[1:] {
			t.Run(name+"/"+w.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, w)
					defer r.cancel()
					r.st.Policy = Block
					r.put(0, tableRoom)
					if r.st.Shed(10) != Gate || r.house.ungated.Load() != 0 {
						t.Fatal("it does not hold the link back")
					}
					next(r)
					if n, f := r.house.ungated.Load(), r.house.feeders.Load(); n != 1 || f != 0 {
						t.Errorf("let go %d times, %d goroutines wait", n, f)
					}
				})
			})
		}
	}
}

// A channel that is asked for when the ctx ends, and a guard waits.
func TestChannelWhileTheContextEnds(t *testing.T) {
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, ways[1])
			r.put(0, 20)
			r.finish(false)
			r.cancel()
			n := len(r.read(-1, nil))
			synctest.Wait()
			if f := r.house.feeders.Load(); n < tableRoom || f != 0 {
				t.Errorf("%d came, %d goroutines wait", n, f)
			}
		})
	}
}

// Whatever happens at the same time, each value is read, discarded, dropped or lost
// once, in order, and the reader learns of the end.
func TestEveryValueOnce(t *testing.T) {
	var pool Pool[number]
	for round := range 3000 {
		rnd := rand.New(rand.NewPCG(1, uint64(round)))
		h := &house{hurry: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		var st Stream[number]
		byLoop, discards := rnd.IntN(2) == 0, rnd.IntN(3) == 0
		st.OpenBlocks(ctx, h, 8)
		if st.Pool = nil; round%2 == 0 {
			st.Pool = &pool
		}
		st.Bytes, st.Count, st.Policy = 1<<20, 20, []Policy{Fail, DropNewest, DropOldest, Block}[rnd.IntN(4)]
		discarded, cut, refused := 0, 0, 0
		if discards {
			st.Discard = func(number) { discarded++ } // under the lock of the stream, or behind its end
		}
		st.Mark = func(v number, n uint64, _ bool) number {
			v.lost += n
			return v
		}
		st.Cut = func(_ *Stream[number], n int) (number, bool) {
			cut = n
			return number{}, false
		}
		n, now, hurried := rnd.IntN(300), rnd.IntN(3) == 0, rnd.IntN(3) == 0
		canceled := rnd.IntN(4) == 0 && !hurried
		var wg sync.WaitGroup
		wg.Go(func() { // the actor
			for i := range n {
				if st.Put(number{n: i}, 1) == Overflow {
					refused++
				}
				if i%7 == 0 {
					runtime.Gosched()
				}
			}
			if canceled {
				cancel()
			}
			st.Finish(number{}, false, now)
			if hurried {
				close(h.hurry)
			}
		})
		read, last := 0, -1
		took := func(v number) {
			if v.n <= last {
				t.Errorf("round %d: %d behind %d", round, v.n, last)
			}
			read, last = read+1, v.n
		}
		if byLoop {
			for done := false; !done; {
				stop := rnd.IntN(50)
				done = true
				for v := range st.Each {
					if took(*v); stop == 0 {
						done = false
						break
					}
					stop--
				}
			}
		} else {
			for v := range st.Ch() {
				took(v)
			}
		}
		wg.Wait()
		for h.feeders.Load() > 0 {
			runtime.Gosched()
		}
		cancel()
		got := read + discarded + cut + refused + int(st.Dropped())
		if got > n || got < n && !now && !canceled {
			t.Errorf("round %d: of %d %d were read, %d discarded, %d cut, %d refused, %d dropped", round, n, read, discarded, cut, refused, st.Dropped())
		}
		if discards && got < n && now {
			t.Errorf("round %d: of %d %d were read, %d discarded", round, n, read, discarded)
		}
		if held := h.held.Load(); held != 0 {
			t.Errorf("round %d: %d bytes are held", round, held)
		}
	}
}
