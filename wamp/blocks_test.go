package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/internal/sessiontest"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// handleWay is a way to read a subscription or a registration: so many values, or
// to the end, in which case it says whether the loop was told why.
type handleWay struct {
	name        string
	events      func(sub *wamp.Subscription, took func(wamp.Event) bool) (told error)
	invocations func(reg *wamp.Registration, took func(*wamp.Invocation) bool) (told error)
}

var handleWays = []handleWay{
	{"channel", func(sub *wamp.Subscription, took func(wamp.Event) bool) error {
		for ev := range sub.Events() {
			if !took(ev) {
				return nil
			}
		}
		return asAll(sub.Err())
	}, func(reg *wamp.Registration, took func(*wamp.Invocation) bool) error {
		for inv := range reg.Invocations() {
			if !took(inv) {
				return nil
			}
		}
		return asAll(reg.Err())
	}},
	{"iterator", func(sub *wamp.Subscription, took func(wamp.Event) bool) (told error) {
		for ev, err := range sub.All() {
			if told != nil {
				panic("a pair behind an error")
			}
			if told = err; err == nil && !took(ev) {
				return nil
			}
		}
		return told
	}, func(reg *wamp.Registration, took func(*wamp.Invocation) bool) (told error) {
		for inv, err := range reg.All() {
			if told != nil {
				panic("a pair behind an error")
			}
			if told = err; err == nil && !took(inv) {
				return nil
			}
		}
		return told
	}},
}

// asAll is what a loop is told of an end that was asked for: nothing.
func asAll(err error) error {
	if err == wamp.ErrUnsubscribed || err == wamp.ErrUnregistered || err == wamp.ErrDraining {
		return nil
	}
	return err
}

// handleRig is a session that subscribes or registers, and a peer.
type handleRig struct {
	t       *testing.T
	way     handleWay
	r       *wamptest.Router
	s, peer *wamp.Session
	sub     *wamp.Subscription
	reg     *wamp.Registration
	cancel  context.CancelFunc
	calls   []wamp.Results
	log     []string
	lost    uint64
}

func (h *handleRig) note(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf(format, args...))
}

// runs writes numbers in short: 0-7 9.
func runs(all []int) string {
	var out []string
	for i := 0; i < len(all); {
		k := i
		for k+1 < len(all) && all[k+1] == all[k]+1 {
			k++
		}
		if k > i {
			out = append(out, fmt.Sprintf("%d-%d", all[i], all[k]))
		} else {
			out = append(out, fmt.Sprint(all[i]))
		}
		i = k + 1
	}
	return strings.Join(out, " ")
}

// take reads n events or invocations, below zero all, and tells why they ended.
func (h *handleRig) take(n int) {
	h.read(n)
	synctest.Wait()
}

// later reads all after half a second. What it returns waits for that.
func (h *handleRig) later() (wait func()) {
	done := make(chan struct{})
	time.AfterFunc(time.Second/2, func() {
		h.read(-1)
		close(done)
	})
	return func() { <-done }
}

func (h *handleRig) read(n int) {
	var got []int
	var marks []string
	var told error
	if h.sub != nil {
		told = h.way.events(h.sub, func(ev wamp.Event) bool {
			i := number(h.t, ev.Payload)
			got = append(got, i)
			h.lost += ev.Lost
			if ev.AfterGap {
				marks = append(marks, fmt.Sprintf("%d after a gap", i))
			}
			if ev.Retained {
				marks = append(marks, fmt.Sprintf("%d retained", i))
			}
			if ev.Historic {
				marks = append(marks, fmt.Sprintf("%d historic", i))
			}
			n--
			return n != 0
		})
	} else {
		told = h.way.invocations(h.reg, func(inv *wamp.Invocation) bool {
			i := number(h.t, inv.Payload)
			got = append(got, i)
			if err := inv.Return(wamp.Args(i)); err != nil {
				h.t.Errorf("invocation %d: %v", i, err)
			}
			n--
			return n != 0
		})
	}
	h.note("%s", strings.Join(append([]string{runs(got)}, marks...), ", "))
	if n != 0 {
		h.note("%s", endOf(told))
	}
}

// endOf names the reason of an end.
func endOf(err error) string {
	var closed *wamp.ClosedError
	var revoked *wamp.RevokedError
	var link *wamp.LinkError
	switch {
	case err == nil:
		return "end"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, wamp.ErrSlowConsumer):
		return "slow"
	case errors.As(err, &revoked):
		return "revoked"
	case errors.As(err, &link):
		return "link lost"
	case errors.As(err, &closed) && closed.Undelivered > 0:
		return fmt.Sprintf("closed, %d lost", closed.Undelivered)
	case errors.As(err, &closed):
		return "closed"
	}
	return err.Error()
}

// put publishes numbers, or calls with them.
func (h *handleRig) put(begin, end int) {
	if h.sub != nil {
		publish(h.t, h.peer, "com.example.topic", begin, end)
	} else {
		for i := begin; i < end; i++ {
			h.calls = append(h.calls, h.peer.Call(h.t.Context(), "com.example.procedure", wamp.Args(i)))
		}
	}
	synctest.Wait()
}

func (h *handleRig) close(limit time.Duration) {
	start := time.Now()
	err := h.s.Close(within(h.t, limit))
	h.note("Close in %v: %v", time.Since(start), err)
}

// answered counts how the calls to the registration have ended.
func (h *handleRig) answered() {
	var results, refused, others int
	for i, c := range h.calls {
		switch r, err := c.Final(); {
		case err == nil && number(h.t, r.Payload) == i:
			results++
		case errors.Is(err, wamp.ErrNoAvailableCallee), errors.Is(err, wamp.ErrUnavailable):
			refused++
		default:
			others++
		}
	}
	h.note("%d results, %d refused, %d others", results, refused, others)
}

// leave leaves the subscription or the registration.
func (h *handleRig) leave() {
	var err error
	if h.sub != nil {
		err = h.sub.Unsubscribe(h.t.Context())
	} else {
		err = h.reg.Unregister(h.t.Context())
	}
	if err != nil {
		h.t.Error(err)
	}
	synctest.Wait()
}

// slip reads on until a value comes, and does something then.
func (h *handleRig) slip(at int, does func()) {
	_ = h.way.events(h.sub, func(ev wamp.Event) bool {
		if number(h.t, ev.Payload) == at {
			does()
		}
		return true
	})
}

var eventCases = []struct {
	name    string
	options []wamp.SubscribeOption
	play    func(h *handleRig)
	want    string
}{
	{"order", nil, func(h *handleRig) {
		h.put(0, 500)
		h.leave()
		h.take(-1)
	}, "0-7; end"},
	{"break and go on", nil, func(h *handleRig) {
		h.put(0, 100)
		h.take(1)
		h.take(40)
		h.put(100, 110)
		h.take(60)
		h.take(9)
	}, "0; 1-40; 41-100; 101-109"},
	{"ctx", nil, func(h *handleRig) {
		h.put(0, 100)
		h.take(3)
		h.cancel()
		synctest.Wait()
		h.take(-1)
		h.take(-1)
	}, "0-2; 3-10; canceled; ; canceled"},
	{"Unsubscribe", nil, func(h *handleRig) {
		h.put(0, 100)
		h.take(3)
		h.leave()
		h.take(-1)
		h.take(-1)
	}, "0-2; 3-10; end; ; end"},
	{"revoked", nil, func(h *handleRig) {
		h.put(0, 100)
		h.take(3)
		h.r.RevokeSubscription(h.sub.ID(), "com.example.reason")
		synctest.Wait()
		h.take(-1)
	}, "0-2; 3-99; revoked"},
	{"revoked, and then ctx", nil, func(h *handleRig) {
		h.put(0, 100)
		h.take(3)
		h.r.RevokeSubscription(h.sub.ID(), "com.example.reason")
		synctest.Wait()
		h.cancel()
		synctest.Wait()
		h.take(-1)
	}, "0-2; 3-10; revoked"},
	{"Close with a reader", nil, func(h *handleRig) {
		h.put(0, 100)
		h.take(3)
		wait := h.later()
		start := time.Now()
		err := h.s.Close(within(h.t, time.Minute))
		wait()
		h.note("Close in %v: %v", time.Since(start), err)
	}, "0-2; 3-99; closed; Close in 500ms: <nil>"},
	{"Close without a reader", nil, func(h *handleRig) {
		h.put(0, 100)
		h.take(3)
		h.close(time.Minute)
		h.take(-1)
	}, "0-2; Close in 1s: <nil>; 3-10; closed, 89 lost"},
	{"Close with little left", nil, func(h *handleRig) {
		h.put(0, 12)
		h.take(4)
		h.close(time.Minute)
		h.take(-1)
	}, "0-3; Close in 0s: <nil>; 4-11; closed"},
	{"Drain", nil, func(h *handleRig) {
		h.put(0, 12)
		h.take(4)
		if err := h.s.Drain(h.t.Context()); err != nil {
			h.t.Error(err)
		}
		h.take(-1)
	}, "0-3; 4-11; closed"},
	{"the link is lost", nil, func(h *handleRig) {
		h.put(0, 100)
		h.take(3)
		h.r.Cut(h.s.ID())
		<-time.After(time.Hour)
		h.take(-1)
	}, "0-2; 3-99; link lost"},
	{"OverflowFail", []wamp.SubscribeOption{wamp.OverflowFail(), wamp.Buffer(50, 0)}, func(h *handleRig) {
		h.put(0, 40)
		h.take(40)
		h.put(40, 200)
		var n int
		told := h.way.events(h.sub, func(wamp.Event) bool { n++; return true })
		h.note("%s, held: %v", endOf(told), n >= 50 && n <= 50+eventsInChannel+inHand)
	}, "0-39; slow, held: true"},
	{"OverflowBlock", []wamp.SubscribeOption{wamp.OverflowBlock(), wamp.Buffer(50, 0)}, func(h *handleRig) {
		h.put(0, 500)
		h.take(3)
		h.take(497)
		h.note("%d dropped", h.sub.Dropped())
	}, "0-2; 3-499; 0 dropped"},
	{"OverflowBlock, and ctx", []wamp.SubscribeOption{wamp.OverflowBlock(), wamp.Buffer(50, 0)}, func(h *handleRig) {
		h.put(0, 500)
		h.take(3)
		h.cancel()
		synctest.Wait()
		alive(h.t, h.s)
		h.take(-1)
	}, "0-2; 3-10; canceled"},
	{"OverflowDropOldest", []wamp.SubscribeOption{wamp.Buffer(50, 0)}, func(h *handleRig) {
		h.put(0, 500)
		dropped := int(h.sub.Dropped())
		held := 500 - dropped
		_ = h.way.events(h.sub, func(ev wamp.Event) bool {
			held--
			h.lost += ev.Lost
			return held > 0
		})
		h.put(500, 503)
		h.take(3)
		h.note("held: %v, all told: %v", 500-dropped >= 50 && 500-dropped <= 50+eventsInChannel+inHand, h.lost == uint64(dropped))
	}, "500-502; held: true, all told: true"},
	{"OverflowDropNewest", []wamp.SubscribeOption{wamp.Buffer(50, 0), wamp.OverflowDropNewest()}, func(h *handleRig) {
		h.put(0, 500)
		dropped := int(h.sub.Dropped())
		h.take(50)
		held := 500 - dropped - 50
		_ = h.way.events(h.sub, func(ev wamp.Event) bool {
			held--
			h.lost += ev.Lost
			return held > 0
		})
		h.put(500, 503)
		h.take(3)
		h.note("held: %v, all told: %v", 500-dropped >= 50 && 500-dropped <= 50+eventsInChannel+inHand, h.lost == uint64(dropped))
	}, "0-49; 500-502; held: true, all told: true"},
	{"retained", []wamp.SubscribeOption{wamp.GetRetained()}, func(h *handleRig) {
		h.put(0, 20)
		h.take(21)
	}, "77 0-19, 77 retained"},
	{"history", []wamp.SubscribeOption{wamp.FromHistory(wamp.HistoryQuery{Last: 1})}, func(h *handleRig) {
		h.put(0, 50)
		h.take(11)
		h.take(30)
		h.leave()
		h.take(-1)
	}, "77 0-9, 77 historic; 10-39; 40-47; end"},
	{"panic", nil, func(h *handleRig) {
		h.put(0, 100)
		func() {
			defer func() { h.note("%v", recover()) }()
			h.slip(20, func() { panic("slip") })
		}()
		h.take(79)
	}, "slip; 21-99"},
	{"runtime.Goexit", nil, func(h *handleRig) {
		h.put(0, 100)
		var wg sync.WaitGroup
		wg.Go(func() { h.slip(20, runtime.Goexit) })
		wg.Wait()
		h.take(79)
	}, "21-99"},
	{"Unsubscribe in the loop", nil, func(h *handleRig) {
		h.put(0, 100)
		h.slip(20, h.leave)
		h.note("%s", endOf(asAll(h.sub.Err())))
		alive(h.t, h.s)
	}, "end"},
	{"Close in the loop", nil, func(h *handleRig) {
		h.put(0, 100)
		h.slip(20, func() { h.close(time.Minute) })
		h.note("%s", endOf(h.sub.Err()))
	}, "Close in 1s: <nil>; closed, 71 lost"},
}

func TestEventsByEachWay(t *testing.T) {
	for _, c := range eventCases {
		for _, w := range handleWays {
			t.Run(c.name+"/"+w.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := &handleRig{t: t, way: w}
					h.r, h.s, h.peer = slowRig(t, wamptest.WithHistory(1000))
					if _, err := h.peer.Publish(t.Context(), "com.example.topic", wamp.Args(77), wamp.Retain(), wamp.Acknowledge()).Wait(); err != nil {
						t.Fatal(err)
					}
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					h.cancel = cancel
					var err error
					if h.sub, err = h.s.Subscribe(ctx, "com.example.topic", c.options...); err != nil {
						t.Fatal(err)
					}
					if w.name == "channel" {
						h.sub.Events() // chosen from the beginning
					}
					c.play(h)
					if got := strings.Join(h.log, "; "); got != c.want {
						t.Errorf("\n got %s\nwant %s", got, c.want)
					}
				})
			})
		}
	}
}

// A subscription lives through a reconnect, and says so.
func TestEventsAcrossReconnectByEachWay(t *testing.T) {
	for _, w := range handleWays {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			h := &handleRig{t: t, way: w, r: r, s: join(t, r, wamp.WithReconnect(quick())), peer: join(t, r)}
			h.sub = subscribe(t, h.s, "com.example.topic")
			h.put(0, 40)
			h.take(3)
			r.Cut(h.s.ID())
			<-time.After(10 * time.Second)
			h.put(40, 80)
			h.take(77)
			if got, want := strings.Join(h.log, "; "), "0-2; 3-79, 40 after a gap"; got != want {
				t.Errorf("%s:\n got %s\nwant %s", w.name, got, want)
			}
		})
	}
}

// Who asks for the channel of a handle that is read by All learns of it from the log:
// the channel is closed, and the handle lives.
func TestChannelBehindAllIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log sessiontest.Log
		s := join(t, wamptest.NewRouter(t), log.Option())
		sub := subscribe(t, s, "com.example.topic")
		reg, err := s.Register(t.Context(), "com.example.proc")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for range sub.All() {
				break
			}
		}()
		go func() {
			for range reg.All() {
				break
			}
		}()
		synctest.Wait()
		if _, open := <-sub.Events(); open || sub.Err() != nil {
			t.Errorf("an event, or %v", sub.Err())
		}
		if _, open := <-reg.Invocations(); open || reg.Err() != nil {
			t.Errorf("an invocation, or %v", reg.Err())
		}
		synctest.Wait()
		log.Has(t, "read by All", "topic=com.example.topic")
		log.Has(t, "read by All", "procedure=com.example.proc")
	})
}
