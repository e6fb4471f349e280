package flow

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// house is an Engine of which tests see what was asked.
type house struct {
	held, feeders, ungated atomic.Int64
	letting, over          atomic.Bool
	hurry                  chan struct{}
}

var _ Engine = (*house)(nil)

var errHouse = errors.New("it is over")

func (h *house) Hold(n int)    { h.held.Add(int64(n)) }
func (h *house) Ungate()       { h.ungated.Add(1) }
func (h *house) Letting() bool { return h.letting.Load() }

func (h *house) Feed(f func(<-chan struct{})) {
	h.feeders.Add(1)
	go func() { // ends with f
		defer h.feeders.Add(-1)
		f(h.hurry)
	}()
}

func (h *house) GoFeeder(f func(<-chan struct{})) error {
	if h.over.Load() {
		return errHouse
	}
	h.Feed(f)
	return nil
}

// number is a value; below zero the last one.
type number struct {
	n    int
	lost uint64
	gap  bool
}

func (v number) String() string {
	s := fmt.Sprint(v.n)
	switch {
	case v.n == theEnd:
		s = "end"
	case v.n < theEnd:
		s = fmt.Sprint("cut ", theEnd-v.n)
	}
	if v.lost > 0 {
		s += fmt.Sprint("+", v.lost)
	}
	if v.gap {
		s += "g"
	}
	return s
}

const theEnd = -1

// The streams of the table have this bound, and their channels this room.
const (
	tableRoom  = 2
	tableCount = 6
)

// rig is one stream, and a log of what has come of it.
type rig struct {
	t      *testing.T
	house  *house
	st     Stream[number]
	way    *way
	cancel context.CancelFunc
	log    []string
	cuts   int // what Cut was told, where there is no last value
	given  map[int]string
	last   bool // Finish gives a last value
}

// way is a way to read a stream.
type way struct {
	name string
	late bool // the channel is made when it is first read
	each bool
}

var ways = []*way{{name: "channel"}, {name: "late channel", late: true}, {name: "iterator", late: true, each: true}}

func newRig(t *testing.T, w *way) *rig {
	r := &rig{t: t, way: w, house: &house{hurry: make(chan struct{})}, given: map[int]string{}}
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	if w.late {
		r.st.OpenBlocks(ctx, r.house, tableRoom)
	} else {
		r.st.Open(ctx, r.house, tableRoom)
	}
	r.st.Bytes, r.st.Policy = 1<<20, Fail
	r.st.Mark = func(v number, n uint64, gap bool) number {
		v.lost += n
		v.gap = v.gap || gap
		return v
	}
	r.st.Hole = func(v number) bool { return v.gap }
	r.st.Cut = func(_ *Stream[number], n int) (number, bool) {
		r.cuts = n
		return number{n: theEnd - n}, r.last
	}
	return r
}

func (r *rig) note(format string, args ...any) { r.log = append(r.log, fmt.Sprintf(format, args...)) }

// put puts the numbers from one up to another, one by one.
func (r *rig) put(from, to int) {
	for i := from; i < to; i++ {
		v := r.st.Put(number{n: i}, 10)
		if v != Taken && v != Dropped {
			r.note("%s at %d", [...]string{Overflow: "overflow", Gate: "gate"}[v], i)
		}
		synctest.Wait()
	}
}

func (r *rig) finish(now bool) {
	r.st.Finish(number{n: theEnd}, r.last, now)
	synctest.Wait()
}

// read reads so many values, or to the end.
func (r *rig) read(n int, body func(number)) (values []string) {
	took := func(v number) bool {
		if v.n >= 0 && r.given[v.n] != "" {
			r.t.Errorf("%d is given and was %s before", v.n, r.given[v.n])
		}
		r.given[v.n] = "read"
		values = append(values, v.String())
		n--
		if body != nil {
			body(v)
		}
		return n != 0
	}
	if n == 0 {
		return nil
	}
	if r.way.each {
		for v := range r.st.Each {
			if !took(*v) {
				break
			}
		}
		return values
	}
	for v := range r.st.Ch() {
		if !took(v) {
			break
		}
	}
	return values
}

// take reads so many values and leaves.
func (r *rig) take(n int) {
	r.note("%s", strings.Join(r.read(n, nil), " "))
	synctest.Wait()
}

// rest reads to the end.
func (r *rig) rest() {
	r.note("%s.", strings.Join(r.read(-1, nil), " "))
	synctest.Wait()
}

func (r *rig) discards() {
	r.st.Discard = func(v number) {
		if r.given[v.n] != "" {
			r.t.Errorf("%d is discarded and was %s before", v.n, r.given[v.n])
		}
		r.given[v.n] = "discarded"
	}
}

// fates says what has become of the numbers below n.
func (r *rig) fates(n int) {
	count := map[string]int{}
	for i := range n {
		count[r.given[i]]++
	}
	r.note("%d read, %d discarded, %d neither", count["read"], count["discarded"], count[""])
}

// conformance is what a stream does, however it is read. Where a channel does
// otherwise it says so: what is in a channel is no longer among the oldest that can be
// dropped, and makes room for a last value; and the channel's feeder has a block in
// its hand, which here is one value.
var conformance = []struct {
	name string
	play func(r *rig)
	want string
	// channel is what one has that was there from the beginning; late one that was
	// made when it was first read. Empty: as want; late: as channel.
	channel, late string
}{
	{"order", func(r *rig) {
		r.put(0, 40)
		r.finish(false)
		r.take(38)
		r.rest()
	}, seq(0, 38) + "; 38 39.", "", ""},
	{"the last value", func(r *rig) {
		r.last = true
		r.put(0, 10)
		r.take(1)
		r.finish(false)
		r.rest()
		r.rest()
	}, "0; 1 2 3 4 5 6 7 8 9 end.; .", "", ""},
	{"the end, and nobody reads what is left", func(r *rig) {
		r.put(0, 10)
		r.take(8)
		r.finish(false)
	}, seq(0, 8), "", ""},
	{"the end, and nobody reads the last of it", func(r *rig) {
		r.put(0, 42)
		r.finish(false)
		r.take(40)
	}, seq(0, 40), "", ""},
	{"Close is out of time, and nobody reads", func(r *rig) {
		r.put(0, 10)
		r.finish(false)
		close(r.house.hurry)
		synctest.Wait()
	}, "", "", ""},
	{"the end now, and nobody reads what is left", func(r *rig) {
		r.put(0, 10)
		r.take(1)
		r.finish(true)
	}, "0", "", ""},
	{"nothing", func(r *rig) {
		r.finish(false)
		r.rest()
	}, ".", "", ""},
	{"break and go on", func(r *rig) {
		r.put(0, 10)
		r.take(1)
		r.take(3)
		r.put(10, 12)
		r.take(7)
		r.put(12, 13)
		r.finish(false)
		r.rest()
		r.rest()
	}, "0; 1 2 3; 4 5 6 7 8 9 10; 11 12.; .", "", ""},
	{"a reader that waits", func(r *rig) {
		var wg sync.WaitGroup
		wg.Go(func() { r.note("%v", r.read(-1, nil)) })
		synctest.Wait()
		r.put(0, 3)
		if len(r.given) != 3 {
			r.t.Errorf("it has read %v", r.given)
		}
		r.put(3, 5)
		r.finish(false)
		wg.Wait()
	}, "[0 1 2 3 4]", "", ""},
	{"nobody waits for what has room", func(r *rig) {
		r.put(0, tableRoom)
		r.finish(false)
		r.note("%d wait", r.house.feeders.Load())
		close(r.house.hurry)
		r.cancel()
		synctest.Wait()
		r.rest()
	}, "0 wait; 0 1.", "", ""},
	{"somebody waits for more", func(r *rig) {
		r.put(0, 10)
		r.finish(false)
		r.take(7)
		r.note("%d waits", r.house.feeders.Load())
		r.take(1)
		r.note("%d waits", r.house.feeders.Load())
		r.rest()
	}, seq(0, 7) + "; 1 waits; 7; 0 waits; 8 9.", "", ""},
	{"an end at once", func(r *rig) {
		r.put(0, 20)
		r.take(5)
		r.finish(true)
		r.note("%d wait", r.house.feeders.Load())
		r.rest()
	}, "0 1 2 3 4; 0 wait; 5 6.", "", ""},
	{"an end at once, with a last value", func(r *rig) {
		r.last = true
		r.put(0, 20)
		r.take(5)
		r.finish(true)
		r.rest()
	}, "0 1 2 3 4; 5 6 end.", "0 1 2 3 4; 6 end.", ""},
	{"an end after the ctx", func(r *rig) {
		r.put(0, 20)
		r.take(5)
		r.cancel()
		synctest.Wait()
		r.finish(false)
		r.rest()
	}, "0 1 2 3 4; 5 6.", "", ""},
	{"the ctx after the end", func(r *rig) {
		r.last = true
		r.put(0, 20)
		r.take(5)
		r.finish(false)
		r.cancel()
		synctest.Wait()
		r.rest()
	}, "0 1 2 3 4; 5 6 end.", "0 1 2 3 4; 6 end.", ""},
	{"the end while it is read", func(r *rig) {
		r.put(0, 20)
		r.note("%v", r.read(-1, func(v number) {
			if v.n == 4 {
				synctest.Wait()
				r.finish(true)
			}
		}))
	}, "[0 1 2 3 4 5 6]", "", ""},
	{"Close out of time", func(r *rig) {
		r.put(0, 20)
		r.take(5)
		r.finish(false)
		close(r.house.hurry)
		synctest.Wait()
		r.rest()
		r.note("%d lost", r.cuts)
	}, "0 1 2 3 4; 5 6.; 13 lost", "", ""},
	{"Close out of time, with a last value", func(r *rig) {
		r.last = true
		r.put(0, 20)
		r.take(5)
		r.finish(false)
		close(r.house.hurry)
		synctest.Wait()
		r.rest()
		r.note("%d lost", r.cuts)
	}, "0 1 2 3 4; 5 6 cut 14.; 14 lost", "0 1 2 3 4; 6 cut 15.; 15 lost", ""},
	{"Close out of time, and all is in the hand", func(r *rig) {
		r.put(0, 8)
		r.take(1)
		r.finish(false)
		close(r.house.hurry)
		synctest.Wait()
		r.rest()
		r.note("%d lost", r.cuts)
	}, "0; 1 2.; 5 lost", "", ""},
	{"Close in time", func(r *rig) {
		r.put(0, 20)
		r.finish(false)
		r.take(18)
		close(r.house.hurry)
		synctest.Wait()
		r.rest()
		r.note("%d lost", r.cuts)
	}, seq(0, 18) + "; 18 19.; 0 lost", "", ""},
	{"policy Fail", func(r *rig) {
		r.st.Count = tableCount
		r.put(0, 10)
		r.finish(false)
		r.rest()
	}, "overflow at 8; overflow at 9; " + seq(0, 8) + ".", "overflow at 9; " + seq(0, 9) + ".", "overflow at 8; overflow at 9; " + seq(0, 8) + "."},
	{"policy Fail by bytes", func(r *rig) {
		r.st.Bytes = 10 * tableCount
		r.put(0, 9)
		r.take(1)
		r.finish(false)
		r.rest()
	}, "overflow at 8; 0; " + seq(1, 8) + ".", "0; " + seq(1, 9) + ".", "overflow at 8; 0; " + seq(1, 8) + "."},
	{"policy DropNewest", func(r *rig) {
		r.st.Count, r.st.Policy = tableCount, DropNewest
		r.put(0, 20)
		r.note("%d lost", r.st.Lost())
		r.take(3)
		r.put(20, 21)
		r.finish(false)
		r.rest()
		r.note("%d dropped", r.st.Dropped())
	}, "12 lost; 0 1 2; 3 4 5 6 7 20+12.; 12 dropped", "11 lost; 0 1 2; 3 4 5 6 7 8 20+11.; 11 dropped", "12 lost; 0 1 2; 3 4 5 6 7 20+12.; 12 dropped"},
	{"policy DropOldest", func(r *rig) {
		r.st.Count, r.st.Policy = tableCount, DropOldest
		r.put(0, 20)
		r.note("%d lost", r.st.Lost())
		r.take(3)
		r.put(20, 22)
		r.finish(false)
		r.rest()
		r.note("%d dropped", r.st.Dropped())
	}, "12 lost; 12+12 13 14; " + seq(15, 22) + ".; 12 dropped",
		"11 lost; 0 1 2; 14+11 15 16 17 18 19 20 21.; 11 dropped",
		"12 lost; 12+12 13 14; " + seq(15, 22) + ".; 12 dropped"},
	{"dropped behind what is in the hand", func(r *rig) {
		r.st.Count, r.st.Policy = tableCount, DropOldest
		r.put(0, 8)
		r.take(7)
		r.put(8, 20)
		r.finish(true)
		r.rest()
	}, seq(0, 7) + "; 7 12+4.", seq(0, 7) + "; 7 8.", seq(0, 7) + "; 7 8."},
	{"a hole that was dropped", func(r *rig) {
		r.st.Count, r.st.Policy = tableCount, DropNewest
		r.put(0, 10)
		r.st.Put(number{n: 10, gap: true}, 10)
		r.take(4)
		r.put(11, 12)
		r.finish(false)
		r.rest()
	}, "0 1 2 3; 4 5 6 7 11+3g.", "0 1 2 3; 4 5 6 7 8 11+2g.", "0 1 2 3; 4 5 6 7 11+3g."},
	{"policy Block", func(r *rig) {
		r.st.Count, r.st.Policy = tableCount, Block
		r.put(0, 12)
		r.take(3)
		r.note("%d let go", r.house.ungated.Load())
		r.take(2)
		r.finish(false)
		r.rest()
		r.note("%d let go", r.house.ungated.Load())
	}, "gate at 8; 0 1 2; 1 let go; 3 4; 5 6 7 8 9 10 11.; 1 let go", "gate at 9; 0 1 2; 1 let go; 3 4; 5 6 7 8 9 10 11.; 1 let go",
		"gate at 8; 0 1 2; 0 let go; 3 4; 5 6 7 8 9 10 11.; 1 let go"},
	{"policy Block, and its end", func(r *rig) {
		r.st.Count, r.st.Policy = tableCount, Block
		r.put(0, 12)
		r.note("%d let go", r.house.ungated.Load())
		r.finish(true)
		r.note("%d let go", r.house.ungated.Load())
		r.rest()
	}, "gate at 8; 0 let go; 1 let go; 0 1.", "gate at 9; 0 let go; 1 let go; 0 1.", "gate at 8; 0 let go; 1 let go; 0 1."},
	{"policy Block, and the ctx after its end", func(r *rig) {
		r.st.Count, r.st.Policy = tableCount, Block
		r.put(0, 12)
		r.finish(false)
		r.note("%d let go", r.house.ungated.Load())
		r.cancel()
		synctest.Wait()
		r.note("%d let go", r.house.ungated.Load())
		r.rest()
	}, "gate at 8; 0 let go; 1 let go; 0 1.", "gate at 9; 0 let go; 1 let go; 0 1.", "gate at 8; 0 let go; 1 let go; 0 1."},
	{"policy Block, and a Close that does not wait", func(r *rig) {
		r.st.Count, r.st.Policy = tableCount, Block
		r.put(0, 10)
		r.house.letting.Store(true)
		r.put(10, 15)
		r.finish(false)
		close(r.house.hurry)
		synctest.Wait()
		r.rest()
		r.note("%d lost", r.cuts)
	}, "gate at 8; 0 1.; 13 lost", "gate at 9; 0 1.; 13 lost", "gate at 8; 0 1.; 13 lost"},
	{"shed, Fail", func(r *rig) {
		r.put(0, 10)
		r.note("%v", r.st.Shed(30) == Overflow)
		r.finish(false)
		r.rest()
	}, "true; " + seq(0, 10) + ".", "", ""},
	{"shed, Block", func(r *rig) {
		r.st.Policy = Block
		r.put(0, 10)
		r.note("%v %v", r.st.Shed(30) == Gate, r.st.Shed(30) == Taken)
		r.take(10)
		r.note("%d let go", r.house.ungated.Load())
		r.finish(false)
		r.rest()
	}, "true true; " + seq(0, 10) + "; 1 let go; .", "", ""},
	{"shed, DropNewest", func(r *rig) {
		r.st.Policy = DropNewest
		r.put(0, 10)
		r.note("%v, %d held", r.st.Shed(30) == Dropped, r.st.Held())
		r.put(10, 11)
		r.finish(false)
		r.rest()
	}, "true, 70 held; 0 1 2 3 4 5 6 10+3.", "true, 40 held; 0 1 2 3 4 5 6 10+3.", "true, 70 held; 0 1 2 3 4 5 6 10+3."},
	{"shed, DropOldest", func(r *rig) {
		r.st.Policy = DropOldest
		r.put(0, 10)
		r.note("%v", r.st.Shed(30) == Dropped)
		r.finish(false)
		r.rest()
	}, "true; 3+3 4 5 6 7 8 9.", "true; 0 1 2 6+3 7 8 9.", "true; 3+3 4 5 6 7 8 9."},
	{"discard", func(r *rig) {
		r.discards()
		r.put(0, 20)
		r.take(5)
		r.finish(true)
		r.fates(20)
		r.rest()
	}, "0 1 2 3 4; 5 read, 15 discarded, 0 neither; .", "", ""},
	{"discard after the end", func(r *rig) {
		r.discards()
		r.put(0, 20)
		r.take(5)
		r.finish(false)
		r.cancel()
		synctest.Wait()
		r.fates(20)
		r.rest()
	}, "0 1 2 3 4; 5 read, 15 discarded, 0 neither; .", "", ""},
	{"discard what was not read by anybody", func(r *rig) {
		r.discards()
		r.put(0, 20)
		r.finish(true)
		r.fates(20)
		r.rest()
	}, "0 read, 20 discarded, 0 neither; .", "", ""},
	{"a panic in the loop", func(r *rig) {
		r.put(0, 10)
		func() {
			defer func() { r.note("%v", recover()) }()
			r.read(-1, func(v number) {
				if v.n == 3 {
					panic("slip")
				}
			})
		}()
		r.finish(false)
		r.take(4)
		r.note("%d wait", r.house.feeders.Load())
		r.rest()
	}, "slip; 4 5 6 7; 0 wait; 8 9.", "", ""},
	{"runtime.Goexit in the loop", func(r *rig) {
		r.put(0, 10)
		r.finish(false)
		var wg sync.WaitGroup
		wg.Go(func() {
			r.read(-1, func(v number) {
				if v.n == 7 {
					runtime.Goexit()
				}
			})
		})
		wg.Wait()
		synctest.Wait()
		r.note("%d wait", r.house.feeders.Load())
		r.rest()
	}, "0 wait; 8 9.", "", ""},
	{"after the end nothing comes", func(r *rig) {
		r.put(0, 1)
		r.finish(false)
		r.put(1, 5)
		r.finish(true)
		r.rest()
	}, "0.", "", ""},
}

func seq(from, to int) string {
	var all []string
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprint(i))
	}
	return strings.Join(all, " ")
}

func TestConformance(t *testing.T) {
	for _, c := range conformance {
		for _, w := range ways {
			t.Run(c.name+"/"+w.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, w)
					c.play(r)
					want := c.want
					if !w.each && c.channel != "" {
						want = c.channel
						if w.late && c.late != "" {
							want = c.late
						}
					}
					if got := strings.Join(r.log, "; "); got != want {
						t.Errorf("\n got %s\nwant %s", got, want)
					}
					r.cancel()
					synctest.Wait()
					if h, f := r.house.held.Load(), r.house.feeders.Load(); h != 0 || f != 0 {
						t.Errorf("%d bytes are held, %d goroutines wait", h, f)
					}
				})
			})
		}
	}
}
