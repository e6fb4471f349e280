package proxytest_test

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/internal/faults"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

var (
	soakFor  = flag.Duration("soak", time.Second, "how long TestSoak runs")
	soakSeed = flag.Uint64("soakseed", 0, "seed of TestSoak's faults, 0 for a fresh one")
)

// What may differ between a third of the run and its end, both at rest.
const (
	soakGoroutines  = 8
	soakDescriptors = 4
	soakHeap        = 8 << 20 // and a fifth of what it was: each of 18 ends may keep buffers of 1 MiB
)

// TestSoak runs a mixed load over real sockets whose connections are cut,
// stalled, slowed down and swallowed at random. Nothing may be lost, no answer
// may be wrong, and memory, goroutines and descriptors must stay what they were.
//
//	go test ./wamp/internal/proxytest -run '^TestSoak$' -v -timeout 20m -soak=10m
//
// Every so often the load rests, the connections are mended, and a line of a
// table is printed. In the table, lost counts
//   - acknowledged publishes that a subscriber whose link was never touched has
//     not got,
//   - events that a subscriber behind a broken link has not got although
//     neither Event.AfterGap nor Event.Lost says so,
//   - events of a fresh subscription whose session has not changed.
//
// Wrong counts answers that do not belong to their question, streams with
// holes, outcomes that are none of success, *OutcomeUnknown, the operation's own
// context and, where the callee's link may be cut, the dealer's word for that.
func TestSoak(t *testing.T) {
	seed := *soakSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	k := newSoak(t, seed)
	phase := max(*soakFor/20, min(*soakFor/3, 5*time.Second))
	t.Logf("seed %d, a rest every %v\n%s", seed, phase, soakHead)
	var base, last *soakRow
	for start := time.Now(); last == nil || last.at < *soakFor; {
		timer := time.NewTimer(phase)
		<-timer.C
		k.harmony.Lock()
		k.mend()
		k.rest.Lock()
		last = k.measure(t)
		last.at = time.Since(start)
		if base == nil && last.at >= *soakFor/3 {
			base = last
		}
		k.rest.Unlock()
		k.harmony.Unlock()
		t.Log(last)
		if t.Failed() {
			break
		}
	}
	k.end(t)
	if lost := k.lost.Load(); lost > 0 {
		t.Errorf("%d events were lost", lost)
	}
	for _, err := range k.errs {
		t.Error(err)
	}
	if k.outcomes[soakOK].Load() == 0 || k.outcomes[soakUnknown].Load() == 0 && *soakFor > 10*time.Second {
		t.Error("the load was none")
	}
	if base == nil {
		return
	}
	if last.goroutines > base.goroutines+soakGoroutines {
		t.Errorf("%d goroutines, %d after a third", last.goroutines, base.goroutines)
	}
	if last.files > base.files+soakDescriptors {
		t.Errorf("%d descriptors, %d after a third", last.files, base.files)
	}
	if last.heap > base.heap+base.heap/5+soakHeap {
		t.Errorf("%d KiB of heap, %d KiB after a third", last.heap>>10, base.heap>>10)
	}
}

const soakHead = "    time        ok  unknown  context  refused     slow    events  gaps  dropped  cuts  links  lost  wrong  goroutines  heap KiB  in use KiB  files"

// The outcomes of operations.
const (
	soakOK = iota
	soakUnknown
	soakContext
	soakRefused
	soakSlow
	soakOutcomes
)

// soak is the state of the run.
type soak struct {
	router *wamptest.Router
	steady *wamp.Session // its link is never touched
	lines  []*soakLine
	stop   context.CancelFunc
	done   sync.WaitGroup // workers and chaos
	heard  sync.WaitGroup // consumers
	// rest is held by each operation for reading, and by who wants quiet.
	rest sync.RWMutex
	// harmony keeps chaos away.
	harmony sync.Mutex

	outcomes            [soakOutcomes]atomic.Int64
	events, gaps, lost  atomic.Int64
	wrong, dropped      atomic.Int64
	mu                  sync.Mutex // guards the rest
	errs                []error
	chaosRand, paceRand *rand.Rand
}

// soakLine is one transport: two sessions behind a proxy.
type soakLine struct {
	*line
	kind string
	a, b *wamp.Session

	mu    sync.Mutex  // guards the rest
	heard map[int]int // events of the burst under way, by number
	bell  chan int    // barriers that the steady subscriber has got
}

func newSoak(t *testing.T, seed uint64) *soak {
	t.Helper()
	k := &soak{router: wamptest.NewRouter(t), chaosRand: rand.New(rand.NewPCG(seed, 1)), paceRand: rand.New(rand.NewPCG(seed, 2))}
	for _, kind := range kinds {
		k.lines = append(k.lines, &soakLine{line: behindProxy(t, k.router, kind), kind: kind, heard: map[int]int{}, bell: make(chan int, 100)})
	}
	k.steady = k.lines[0].connect(t, k.lines[0].direct)
	handle(t, k.steady, "com.example.add", add)
	handle(t, k.steady, "com.example.count", countTo)
	handle(t, k.steady, "com.example.same", echo)
	handle(t, k.steady, "com.example.hung", func(ctx context.Context, _ *wamp.Invocation) error {
		<-ctx.Done()
		return ctx.Err()
	})
	ctx, stop := context.WithCancel(t.Context())
	k.stop = stop
	t.Cleanup(func() { stop(); k.done.Wait(); k.heard.Wait() })
	for _, l := range k.lines {
		options := []wamp.Option{
			wamp.WithReconnect(prompt()),
			wamp.WithKeepalive(wamp.Keepalive{Interval: 100 * time.Millisecond, Timeout: 500 * time.Millisecond}),
		}
		l.a, l.b = l.connect(t, l.url, options...), l.connect(t, l.url, options...)
		handle(t, l.b, "com.example.echo."+l.kind, echo)
		k.consume(subscribe(t, k.steady, "com.example.seq."+l.kind), false, nil)
		k.consume(subscribe(t, l.b, "com.example.seq."+l.kind), true, nil)
		slow := time.NewTicker(20 * time.Millisecond)
		t.Cleanup(slow.Stop)
		k.consume(subscribe(t, l.b, "com.example.seq."+l.kind, wamp.Buffer(16, 0)), true, slow.C)
		k.listen(l, subscribe(t, k.steady, "com.example.burst."+l.kind))
		for _, op := range []func(context.Context, *soakLine, int){
			k.call, k.idempotentCall, k.callOther, k.stream, k.slowStream, k.big, k.cancel, k.burst, k.sequence, k.registering, k.subscribing,
		} {
			k.done.Go(func() { k.work(ctx, l, op) })
		}
	}
	k.done.Go(func() { k.chaos(ctx) })
	return k
}

// work repeats an operation, with a short pause after each, until the run ends.
func (k *soak) work(ctx context.Context, l *soakLine, op func(context.Context, *soakLine, int)) {
	for i := 1; ctx.Err() == nil; i++ {
		k.rest.RLock()
		one, cancel := context.WithTimeout(ctx, patience)
		op(one, l, i)
		cancel()
		k.rest.RUnlock()
		k.pause(ctx, 2*time.Millisecond)
	}
}

// pause waits for a random time below most.
func (k *soak) pause(ctx context.Context, most time.Duration) {
	k.mu.Lock()
	d := time.Duration(k.paceRand.Int64N(int64(most)))
	k.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// outcome counts how an operation ended. refused: the dealer may say that the
// callee is gone.
func (k *soak) outcome(what string, err error, refused bool) {
	var unknown *wamp.OutcomeUnknown
	var said *wamp.Error
	switch {
	case errors.Is(err, errWrong):
		k.bad(what, err)
	case err == nil:
		k.outcomes[soakOK].Add(1)
	case errors.As(err, &unknown):
		k.outcomes[soakUnknown].Add(1)
	case errors.Is(err, wamp.ErrSlowConsumer):
		k.outcomes[soakSlow].Add(1)
	case errors.As(err, &said) && refused:
		k.outcomes[soakRefused].Add(1)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		k.outcomes[soakContext].Add(1)
	default:
		k.bad(what, fmt.Errorf("not a true outcome: %w", err))
	}
}

// bad notes what must not be.
func (k *soak) bad(what string, err error) {
	k.wrong.Add(1)
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.errs) < 20 {
		k.errs = append(k.errs, fmt.Errorf("%s: %w", what, err))
	}
}

// missing notes what is lost.
func (k *soak) missing(n int, format string, args ...any) {
	k.lost.Add(int64(n))
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.errs) < 20 {
		k.errs = append(k.errs, fmt.Errorf("lost: "+format, args...))
	}
}

func (k *soak) call(ctx context.Context, l *soakLine, i int) {
	k.outcome("call over "+l.kind, sum(ctx, l.a, i, 1), false)
}

func (k *soak) idempotentCall(ctx context.Context, l *soakLine, i int) {
	err := sum(ctx, l.a, i, 2, wamp.Idempotent())
	if errors.As(err, new(*wamp.OutcomeUnknown)) && !blamed(err) {
		err = fmt.Errorf("%w: %w", errWrong, err)
	}
	k.outcome("idempotent call over "+l.kind, err, false)
}

// blamed reports whether an operation was given up because three links in a row
// ended soon after it was written: where links are cut as often as here it need
// not be to blame.
func blamed(err error) bool {
	var unknown *wamp.OutcomeUnknown
	return errors.As(err, &unknown) && unknown.Links > 0
}

// callOther calls a procedure whose callee's link may be cut too.
func (k *soak) callOther(ctx context.Context, l *soakLine, i int) {
	ctx, cancel := context.WithTimeout(ctx, time.Second) // the dealer may wait for a dead callee
	defer cancel()
	r, err := l.a.Call(ctx, "com.example.echo."+l.kind, wamp.Args(i, l.kind)).Final()
	if err == nil {
		var n int
		var kind string
		if r.Scan(&n, &kind) != nil || n != i || kind != l.kind {
			err = fmt.Errorf("%w: %d %q, want %d", errWrong, n, kind, i)
		}
	}
	k.outcome("call between sessions over "+l.kind, err, true)
}

func (k *soak) stream(ctx context.Context, l *soakLine, _ int) {
	results := l.a.Call(ctx, "com.example.count", wamp.Args(20), wamp.Progressive())
	k.outcome("stream over "+l.kind, follow(ctx, results, 20), false)
}

// slowStream begins to read a stream when it has overflowed, most likely.
func (k *soak) slowStream(ctx context.Context, l *soakLine, _ int) {
	results := l.a.Call(ctx, "com.example.count", wamp.Args(300), wamp.Progressive(), wamp.Buffer(20, 0))
	k.pause(ctx, 20*time.Millisecond)
	k.outcome("slow stream over "+l.kind, follow(ctx, results, 300), false)
}

// big sends and gets what no single write takes.
func (k *soak) big(ctx context.Context, l *soakLine, i int) {
	want := make([]byte, 1+i*7919%200_000)
	_, _ = crand.Read(want)
	r, err := l.a.Call(ctx, "com.example.same", wamp.Args(want)).Final()
	var got []byte
	if err == nil && (r.Scan(&got) != nil || !bytes.Equal(got, want)) {
		err = fmt.Errorf("%w: %d bytes, want %d", errWrong, len(got), len(want))
	}
	k.outcome("big call over "+l.kind, err, false)
}

func (k *soak) cancel(ctx context.Context, l *soakLine, i int) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(i%5)*time.Millisecond)
	defer cancel()
	mode := []wamp.Mode{wamp.KillNoWait, wamp.Kill}[i%2] // Skip would leave the callee alone for ever
	_, err := l.a.Call(ctx, "com.example.hung", wamp.Args(), wamp.CancelMode(mode)).Final()
	if err == nil {
		err = errWrong
	}
	k.outcome("cancelled call over "+l.kind, err, false)
}

// burst publishes a few events at once and checks, behind a barrier, that those
// that were acknowledged have arrived, and none twice.
func (k *soak) burst(ctx context.Context, l *soakLine, i int) {
	const n = 20
	topic := "com.example.burst." + l.kind
	var acks [n]wamp.Acks
	for j := range acks {
		acks[j] = l.a.Publish(ctx, topic, wamp.Args(i, j), wamp.Acknowledge())
	}
	var errs [n]error
	for j := range acks {
		_, errs[j] = acks[j].Wait()
		k.outcome("publish over "+l.kind, errs[j], false)
	}
	if _, err := l.a.Publish(ctx, topic, wamp.Args(i, -1), wamp.Acknowledge(), wamp.Idempotent()).Wait(); err != nil {
		k.outcome("barrier over "+l.kind, err, false)
		l.mu.Lock()
		clear(l.heard)
		l.mu.Unlock()
		return
	}
	for barrier := 0; barrier != i; {
		select {
		case barrier = <-l.bell:
		case <-ctx.Done():
			if k.quiet(ctx) {
				k.missing(1, "the barrier %d over %s", i, l.kind)
			}
			return
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for j, err := range errs {
		switch got := l.heard[i*n+j]; {
		case got > 1:
			k.bad("publish over "+l.kind, fmt.Errorf("%w: one event was published %d times", errWrong, got))
		case err == nil && got == 0:
			k.missing(1, "publish %d of burst %d over %s, acknowledged", j, i, l.kind)
		}
	}
	clear(l.heard)
}

// quiet reports whether a context ended by its time and not by the run's end.
func (k *soak) quiet(ctx context.Context) bool { return errors.Is(ctx.Err(), context.DeadlineExceeded) }

// listen takes what burst publishes.
func (k *soak) listen(l *soakLine, sub *wamp.Subscription) {
	k.heard.Go(func() { // ends with the subscription
		for ev := range sub.Events() {
			var i, j int
			if err := ev.Scan(&i, &j); err != nil {
				k.bad("event over "+l.kind, err)
				continue
			}
			k.events.Add(1)
			if ev.Lost > 0 {
				k.missing(int(ev.Lost), "%d events at a consumer that reads", ev.Lost)
			}
			if j < 0 {
				select {
				case l.bell <- i:
				default: // the publishing side has ended
				}
				continue
			}
			l.mu.Lock()
			l.heard[i*20+j]++
			l.mu.Unlock()
		}
	})
}

// sequence publishes the next number. It goes on until that is acknowledged, so
// no subscriber whose link holds may miss any, though it may get one twice.
func (k *soak) sequence(ctx context.Context, l *soakLine, i int) {
	_, err := l.a.Publish(ctx, "com.example.seq."+l.kind, wamp.Args(i), wamp.Acknowledge(), wamp.Idempotent()).Wait()
	for blamed(err) {
		_, err = l.a.Publish(ctx, "com.example.seq."+l.kind, wamp.Args(i), wamp.Acknowledge(), wamp.Idempotent()).Wait()
	}
	if errors.As(err, new(*wamp.OutcomeUnknown)) {
		err = fmt.Errorf("%w: %w", errWrong, err)
	}
	k.outcome("idempotent publish over "+l.kind, err, false)
}

// consume follows a sequence. Where there is a pace, it is a slow consumer.
func (k *soak) consume(sub *wamp.Subscription, cut bool, pace <-chan time.Time) {
	k.heard.Go(func() { // ends with the subscription
		last := 0
		for ev := range sub.Events() {
			var n int
			if err := ev.Scan(&n); err != nil {
				k.bad("event of "+sub.Topic(), err)
				continue
			}
			k.events.Add(1)
			if ev.Lost > 0 {
				if k.dropped.Add(int64(ev.Lost)); pace == nil {
					k.missing(int(ev.Lost), "%d events of %s at a consumer that reads", ev.Lost, sub.Topic())
				}
			}
			if ev.AfterGap {
				if k.gaps.Add(1); !cut {
					k.bad(sub.Topic(), errors.New("a gap, although the link was not touched"))
				}
			}
			if hole := n - last - 1; last > 0 && hole > 0 && !ev.AfterGap && uint64(hole) > ev.Lost {
				k.missing(hole, "%s: %d after %d, and it says %d", sub.Topic(), n, last, ev.Lost)
			}
			last = max(last, n)
			if pace != nil {
				<-pace
			}
		}
	})
}

// registering registers, is called and unregisters.
func (k *soak) registering(ctx context.Context, l *soakLine, i int) {
	uri := fmt.Sprintf("com.example.temp.%s%d", l.kind, i)
	owned, cancel := context.WithCancel(ctx)
	defer cancel()
	reg, err := l.a.Handle(owned, uri, echo)
	if err != nil {
		k.outcome("register over "+l.kind, err, false)
		return
	}
	one, cancelOne := context.WithTimeout(ctx, time.Second)
	defer cancelOne()
	r, err := k.steady.Call(one, uri, wamp.Args(i)).Final()
	var n int
	if err == nil && (r.Scan(&n) != nil || n != i) {
		err = fmt.Errorf("%w: %d, want %d", errWrong, n, i)
	}
	k.outcome("call of a fresh registration over "+l.kind, err, true)
	if i%2 == 0 {
		cancel()
		return
	}
	k.outcome("unregister over "+l.kind, reg.Unregister(ctx), false)
}

// subscribing subscribes, hears and unsubscribes.
func (k *soak) subscribing(ctx context.Context, l *soakLine, i int) {
	topic := fmt.Sprintf("com.example.temp.%s%d", l.kind, i)
	owned, cancel := context.WithCancel(ctx)
	defer cancel()
	id := l.a.ID()
	sub, err := l.a.Subscribe(owned, topic)
	if err != nil {
		k.outcome("subscribe over "+l.kind, err, false)
		return
	}
	if _, err := k.steady.Publish(ctx, topic, wamp.Args(i), wamp.Acknowledge()).Wait(); err != nil {
		k.outcome("publish of the steady session", err, false)
		return
	}
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for waiting := true; waiting; {
		select {
		case ev := <-sub.Events():
			var n int
			if ev.Scan(&n) != nil || n != i {
				k.bad("event of a fresh subscription over "+l.kind, fmt.Errorf("%w: %d, want %d", errWrong, n, i))
			}
			waiting = false
		case <-look.C:
			waiting = l.a.ID() == id // else it may have come while there was no link
		case <-ctx.Done():
			if k.quiet(ctx) {
				k.missing(1, "the event of a fresh subscription over %s", l.kind)
			}
			waiting = false
		}
	}
	if i%2 == 0 {
		cancel()
		return
	}
	k.outcome("unsubscribe over "+l.kind, sub.Unsubscribe(ctx), false)
}

// chaos breaks one line after the other.
func (k *soak) chaos(ctx context.Context) {
	for ctx.Err() == nil {
		k.harmony.Lock()
		if ctx.Err() == nil {
			k.harm(k.lines[k.chaosRand.IntN(len(k.lines))].proxy)
		}
		k.harmony.Unlock()
		k.pause(ctx, 150*time.Millisecond)
	}
}

// harm mends a proxy and breaks it in another way.
func (k *soak) harm(p *faults.Proxy) {
	r := k.chaosRand
	p.CutDead()
	p.Set(faults.Clean)
	end := faults.End(r.IntN(2))
	hole := faults.Fault{Hole: true}
	cut := faults.Fault{Cut: 1 + r.Int64N(100_000), With: end}
	slow := faults.Fault{Rate: 200_000 + r.IntN(2_000_000), Delay: time.Duration(r.IntN(10)) * time.Millisecond}
	switch r.IntN(10) {
	case 0:
		p.Cut(end)
	case 1, 2:
		p.SetLive(faults.Plan{Up: cut})
	case 3, 4:
		p.SetLive(faults.Plan{Down: cut})
	case 5: // and in the handshakes that follow
		p.Queue(faults.Plan{Up: faults.Fault{Cut: 1 + r.Int64N(3000), With: end}}, faults.Plan{Refuse: true},
			faults.Plan{Down: faults.Fault{Cut: 1 + r.Int64N(3000), With: end}})
		p.Cut(end)
	case 6:
		p.SetLive([]faults.Plan{faults.BlackHole, {Up: hole}, {Down: hole}}[r.IntN(3)])
	case 7:
		p.SetLive(faults.Stalled)
	default:
		p.Set(faults.Plan{Up: slow, Down: slow})
	}
}

// mend makes every line a good one.
func (k *soak) mend() {
	for _, l := range k.lines {
		l.proxy.CutDead()
		l.proxy.Set(faults.Clean)
	}
}
