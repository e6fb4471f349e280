package session

import (
	"time"

	"github.com/connectanum/connectanum-go/wamp/internal/sim"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// publishOptions are the options of a publish.
func publishOptions(a sim.Action) (d proto.Dict) {
	if a.How == sim.Retain {
		d = d.With("retain", true)
	}
	if a.To != "" {
		d = d.With("exclude_me", false)
	}
	switch a.To {
	case "self":
		d = d.With("eligible_authid", []any{sim.SelfID})
	case "others":
		d = d.With("exclude_authid", []any{sim.SelfID})
	case "nobody":
		d = d.With("eligible_authid", []any{})
	}
	return d
}

// simSink is the sink of a call, a publish or a subscription.
type simSink simOp

func (s *simSink) Gap() { s.gap = true }

// roomOfABlocked is how many events a slow consumer under policy Block leaves
// lying before it holds the link back, and blockTime how long it takes then.
const (
	roomOfABlocked = 2
	blockTime      = 700 * time.Millisecond
)

func (s *simSink) Deliver(m *proto.Message) Verdict {
	tag := sim.TagOf(sim.ParseJSON(m.Args))
	switch {
	case m.Type != proto.Event:
		if s.slow {
			return Overflow
		}
		s.w.m.Progress(s.n, tag)
	case s.slow && s.policy != sim.Block:
		return Overflow
	default:
		s.event(m, tag)
		if s.lying++; s.slow && s.lying > roomOfABlocked && !s.gated {
			s.gated = true
			s.w.at(blockTime, s.ungate)
			return Gate
		}
	}
	return Taken
}

// ungate: a slow consumer has read what was lying there.
func (s *simSink) ungate() {
	s.lying = 0
	if s.gated {
		s.gated = false
		s.w.control(ungateOp{})
	}
}

func (s *simSink) event(m *proto.Message, tag sim.Tag) {
	if m.Options.Bool("retained") {
		s.w.m.RetainedCame(s.n, tag, s.gap)
	} else {
		s.w.m.EventCame(s.n, tag, s.gap, 0)
	}
	s.gap = false
}

func (s *simSink) End(e End) {
	s.ungate()
	s.w.m.Ended(s.n, endOf(e))
}
