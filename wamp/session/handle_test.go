package session

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// From each phase to each: a handle moves where the table says so, and nothing
// happens elsewhere. What has been acknowledged stays so until it is over, and
// what is over stays over: Ready and the sink's end are told once.
func TestHandleMoves(t *testing.T) {
	for from := range handlePhase(handlePhases) {
		for to := range handlePhase(handlePhases) {
			h := Handle{phase: from}
			moved := h.move(to)
			if want := handleMoves[from][to]; moved != want || want && h.phase != to || !want && h.phase != from {
				t.Errorf("from %s to %s: %v, it is %s", from, to, moved, h.phase)
			}
			switch {
			case !moved:
			case from == to, to == handleBegun, from == handleOver,
				from.acked() && to != handleOver && !to.acked(), to == handleAway && !from.acked():
				t.Errorf("the table has %s after %s", to, from)
			}
		}
	}
}

// Every phase can be reached, and every handle can end.
func TestHandlePhasesLead(t *testing.T) {
	reached := map[handlePhase]bool{handleBegun: true}
	for range handlePhases {
		for from := range handlePhase(handlePhases) {
			for to := range handlePhase(handlePhases) {
				if reached[from] && handleMoves[from][to] {
					reached[to] = true
				}
			}
		}
	}
	for p := range handlePhase(handlePhases) {
		if !reached[p] {
			t.Errorf("no handle is ever %s", p)
		}
		if p != handleOver && !handleMoves[p][handleOver] {
			t.Errorf("a handle that is %s cannot end", p)
		}
	}
}

// lonely is a host that only notes the engine's mistakes.
type lonely struct {
	host
	mistakes []string
}

func (l *lonely) mistake(what string) { l.mistakes = append(l.mistakes, what) }

// A step that is not in the table is noted, and its handle stays as it is: its
// user is told nothing a second time.
func TestHandleMistakes(t *testing.T) {
	for from := range handlePhase(handlePhases) {
		for to := range handlePhase(handlePhases) {
			if handleMoves[from][to] {
				continue
			}
			l := &lonely{}
			c := &core{host: l}
			s := newSub(t.Context(), "com.example.topic", &tape{})
			s.phase = from
			if c.move(s, to) || s.phase != from {
				t.Errorf("from %s to %s: it is %s", from, to, s.phase)
			}
			want := fmt.Sprintf("[a subscription that is %s cannot be %s]", from, to)
			if got := fmt.Sprint(l.mistakes); got != want {
				t.Errorf("noted %s, not %s", got, want)
			}
		}
	}
	l := &lonely{}
	c := &core{host: l}
	s := &tape{}
	sub := newSub(t.Context(), "com.example.topic", s)
	sub.refuse(ErrDraining)
	sub.refuse(ErrDraining)
	c.over(sub, ErrSlowConsumer, false, false)
	c.up(sub, 7)
	if len(l.mistakes) != 2 || len(sub.Ready) != 1 || len(s.ends) != 1 || s.ends[0].Err != ErrDraining || sub.ID() != 0 {
		t.Errorf("%d mistakes, %d in Ready, it ended with %v, id %d", len(l.mistakes), len(sub.Ready), s.ends, sub.ID())
	}
}

// phases notes where a handle is.
type phases []handlePhase

func (p *phases) see(h handled) { *p = append(*p, h.handle().phase) }

// A handle goes through its life: asked for, acknowledged, lost, back, left. What
// shares a topic waits for the same answers.
func TestStepHandlePhases(t *testing.T) {
	r := newLifeRig(t)
	first, second, third := newSub(t.Context(), "a.b", &tape{}), newSub(t.Context(), "a.b", &tape{}), newSub(t.Context(), "a.b", &tape{})
	reg := newReg(t.Context(), &callee{})
	var a, b, p phases
	see := func() { a.see(first); b.see(second); p.see(reg) }
	see()
	r.do(first)
	r.do(second)
	r.do(reg)
	see()
	r.feed(proto.Message{Type: proto.Subscribed, Request: 1, ID: 10})
	r.feed(proto.Message{Type: proto.Registered, Request: 2, ID: 20})
	see()
	r.do(third)
	if third.phase != handleUp {
		t.Errorf("a handle of a topic that is there is %s", third.phase)
	}
	r.lose()
	see()
	r.rejoin(routerRoles())
	see()
	r.feed(proto.Message{Type: proto.Registered, Request: 2, ID: 21})
	r.feed(proto.Message{Type: proto.Subscribed, Request: 1, ID: 11})
	see()
	for _, h := range []handled{first, second, reg} {
		r.do(&leaveOp{h: h, done: make(chan error, 1)})
	}
	see()
	for got, want := range map[string]string{
		fmt.Sprint(a): "[begun asked up away away up over]",
		fmt.Sprint(b): "[begun sharing up away away up over]",
		fmt.Sprint(p): "[begun asked up away away up over]",
	} {
		if got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
}

// What was asked for and not acknowledged when the link is lost shares what is
// answered on the next; what waits for a link has not begun.
func TestStepHandlePhasesUnacknowledged(t *testing.T) {
	r := newLifeRig(t)
	asked, reg := newSub(t.Context(), "a.b", &tape{}), newReg(t.Context(), &callee{})
	r.do(asked)
	r.do(reg)
	r.lose()
	ctx, cancel := context.WithCancel(t.Context())
	waits := newSub(ctx, "c.d", &tape{})
	r.do(waits)
	if asked.phase != handleShares || reg.phase != handleAsked || waits.phase != handleBegun {
		t.Errorf("%s, %s, %s", asked.phase, reg.phase, waits.phase)
	}
	cancel()
	r.cancel(ctx)
	if waits.phase != handleOver {
		t.Errorf("it is %s", waits.phase)
	}
}

func TestStepRevocation(t *testing.T) {
	r := newRig(t)
	s, g := &tape{}, &callee{}
	r.do(newSub(t.Context(), "com.example.topic", s))
	r.do(newReg(t.Context(), g))
	r.want(proto.Subscribe, proto.Register)
	r.feed(proto.Message{Type: proto.Subscribed, Request: 1, ID: 5})
	r.feed(proto.Message{Type: proto.Registered, Request: 2, ID: 6})
	r.feed(proto.Message{Type: proto.Unsubscribed, Options: proto.Dict{{Key: "subscription", Value: int64(5)}, {Key: "reason", Value: "x.y"}}})
	r.feed(proto.Message{Type: proto.Unregistered, Options: proto.Dict{{Key: "registration", Value: int64(6)}, {Key: "reason", Value: proto.ErrURIUnregistered}}})
	r.want() // nothing to say to that
	var rev *RevokedError
	if err := s.err(t); !errors.As(err, &rev) || rev.Reason != "x.y" || rev.ID != 5 {
		t.Errorf("subscription: %v", err)
	}
	if err := g.err(t); !errors.As(err, &rev) || !errors.Is(err, ErrRevoked) || rev.ID != 6 {
		t.Errorf("registration: %v", err)
	}
	r.clean()
}
