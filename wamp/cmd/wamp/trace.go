package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/meta"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// traceLine is a meta event as it is printed: what happened to what, and by whom.
type traceLine struct {
	Time  time.Time `json:"time"`
	Event string    `json:"event"`
	entryLine
	By       uint64 `json:"by,omitempty"` // the session that did it
	ByAuthID string `json:"by_authid,omitempty"`
}

func (l traceLine) raw() []any {
	name := l.name()
	if name == "" {
		name = strconv.FormatUint(l.ID, 10)
	}
	text := l.Time.Local().Format("15:04:05.000") + " " + l.Event + " " + l.Kind + " " + name
	if l.By != 0 {
		text += " by " + strings.TrimSpace(strconv.FormatUint(l.By, 10)+" "+l.ByAuthID)
	}
	return []any{visible(text)}
}

// traced are the topics of meta events: what they are about, and what it is called.
var traced = []struct {
	topic, kind, event string
	need               session.Need
}{
	{proto.MetaSessionOnJoin, kindSession, "join", session.Need{Role: proto.Broker, Feature: proto.SessionMetaAPI}},
	{proto.MetaSessionOnLeave, kindSession, eventLeave, session.Need{Role: proto.Broker, Feature: proto.SessionMetaAPI}},
	{proto.MetaRegistrationOnCreate, kindProcedure, eventCreate, session.Need{Role: proto.Dealer, Feature: proto.RegistrationMetaAPI}},
	{proto.MetaRegistrationOnRegister, kindProcedure, "register", session.Need{Role: proto.Dealer, Feature: proto.RegistrationMetaAPI}},
	{proto.MetaRegistrationOnUnregister, kindProcedure, "unregister", session.Need{Role: proto.Dealer, Feature: proto.RegistrationMetaAPI}},
	{proto.MetaRegistrationOnDelete, kindProcedure, eventDelete, session.Need{Role: proto.Dealer, Feature: proto.RegistrationMetaAPI}},
	{proto.MetaSubscriptionOnCreate, kindTopic, eventCreate, session.Need{Role: proto.Broker, Feature: proto.SubscriptionMetaAPI}},
	{proto.MetaSubscriptionOnSubscribe, kindTopic, "subscribe", session.Need{Role: proto.Broker, Feature: proto.SubscriptionMetaAPI}},
	{proto.MetaSubscriptionOnUnsubscribe, kindTopic, "unsubscribe", session.Need{Role: proto.Broker, Feature: proto.SubscriptionMetaAPI}},
	{proto.MetaSubscriptionOnDelete, kindTopic, eventDelete, session.Need{Role: proto.Broker, Feature: proto.SubscriptionMetaAPI}},
}

const (
	eventLeave  = "leave"
	eventCreate = "create"
	eventDelete = "delete"
)

func (t *tool) traceCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "trace [PATTERN]",
		Short: "Print who joins, leaves, registers and subscribes, as it happens",
		Long: `trace prints the meta events of the realm as they come, until Ctrl-C: sessions that join and leave,
procedures that are registered, topics that are subscribed to, and the ends of both. A PATTERN
chooses by URI, or by authid, authrole or id of sessions; * in it is any text.

It goes on when the connection has been lost and is there again. What happened meanwhile is not
told; wamp ls --follow tells the difference.`,
		Example: `  wamp trace
  wamp trace 'com.example.*' -o raw`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			pattern := strings.Join(args, "")
			return t.with(c, func(ctx context.Context, s *wamp.Session) error {
				return t.trace(ctx, s, pattern)
			}, wamp.WithReconnect(wamp.Backoff{}))
		},
	}
}

// trace prints meta events until ctx ends, or the session.
func (t *tool) trace(ctx context.Context, s *wamp.Session, pattern string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go t.tellStates(ctx, s)
	tr := &tracer{t: t, api: meta.Of(s), codec: s.Engine().Codec(), events: make(chan traceEvent, 4096), ended: make(chan error, 1)}
	if err := tr.subscribe(ctx, s.Engine()); err != nil {
		return noMeta(err)
	}
	tr.look(ctx)
	for {
		select {
		case ev := <-tr.events:
			if n := tr.lost.Swap(0); n > 0 {
				t.note("wamp: %d events were lost: they are written too slowly", n)
			}
			if ev.restored {
				if ev.which == tr.first { // once for all topics
					tr.look(ctx)
				}
				continue
			}
			l, ok := tr.line(ctx, &ev)
			if !ok || !l.matches(pattern) {
				continue
			}
			if err := t.printRow(l); err != nil {
				return err
			}
		case err := <-tr.ended:
			if ctx.Err() != nil {
				return endedBy(ctx, context.Cause(ctx))
			}
			return err
		case <-ctx.Done():
			return endedBy(ctx, context.Cause(ctx))
		}
	}
}

// printRow prints a line of a list that has no end: as text where lists are tables.
func (t *tool) printRow(l line) error {
	if !t.show.inTable() {
		return t.printOne(l)
	}
	return t.show.write(fmt.Appendln(nil, l.raw()...))
}

// traceEvent is a meta event as it came, or the sign that its topic is there again.
type traceEvent struct {
	which    int // of traced
	at       time.Time
	payload  codec.Payload
	restored bool
}

// tracer gathers the events of all topics in the order in which they came, which the
// channels of subscriptions would lose. It knows the names of what there is: most events
// have ids only.
type tracer struct {
	t      *tool
	api    meta.API
	codec  codec.Codec
	events chan traceEvent
	ended  chan error
	lost   atomic.Int64
	first  int                             // the first topic that the router has
	there  map[string]map[uint64]entryLine // by kind and id
}

// traceSink is the subscription of one topic. Its methods run on the actor.
type traceSink struct {
	*tracer
	which int
}

var _ interface {
	session.Sink
	session.Restorable
} = traceSink{}

// Deliver implements session.Sink.
func (k traceSink) Deliver(m *proto.Message) session.Verdict {
	return k.put(traceEvent{which: k.which, at: time.Now(), payload: codec.Received(k.codec, m)})
}

// Restored implements session.Restorable.
func (k traceSink) Restored() session.Verdict {
	return k.put(traceEvent{which: k.which, restored: true})
}

func (k traceSink) put(ev traceEvent) session.Verdict {
	select {
	case k.events <- ev:
	default:
		k.lost.Add(1)
	}
	return session.Taken
}

// End implements session.Sink. That of a topic which the router does not have is no end of
// all.
func (k traceSink) End(e session.End) {
	if lacks(e.Err) {
		return
	}
	select {
	case k.ended <- e.Err:
	default:
	}
}

// subscribe subscribes to what the router has of the topics.
func (tr *tracer) subscribe(ctx context.Context, eng *session.Session) error {
	var missing error
	got := 0
	for i, what := range traced {
		sub := &session.Subscription{
			Handle: session.Handle{Ctx: ctx, URI: what.topic, Match: proto.Exact, Ready: make(chan error, 1), Needs: []session.Need{what.need}},
			Sink:   traceSink{tr, i},
		}
		err := eng.Subscribe(sub)
		if err == nil {
			err = <-sub.Ready
		}
		switch {
		case err == nil:
			if got++; got == 1 {
				tr.first = i
			}
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case lacks(err):
			if missing == nil || missing.Error() != err.Error() {
				tr.t.note("wamp: nothing will be told of %ss: %v", what.kind, err)
			}
			missing = err
		default:
			return session.WrapOp("subscribe", what.topic, err)
		}
	}
	if got == 0 {
		return missing
	}
	return nil
}

// look asks for the names of what there is. Where the router does not say, events have none.
func (tr *tracer) look(ctx context.Context) {
	tr.there = map[string]map[uint64]entryLine{}
	for _, kind := range []string{kindSession, kindProcedure, kindTopic} {
		tr.there[kind] = map[uint64]entryLine{}
		lines, err := tr.t.entries(ctx, tr.api, kind)
		if err != nil && ctx.Err() == nil {
			tr.t.note("wamp: %ss are told by their ids: %v", kind, err)
		}
		for _, l := range lines {
			tr.there[kind][l.ID] = l
		}
	}
}

// line makes the line of an event.
func (tr *tracer) line(ctx context.Context, ev *traceEvent) (l traceLine, ok bool) {
	what := traced[ev.which]
	args, err := ev.payload.Args()
	if err != nil {
		return l, false
	}
	at := func(i int) any {
		if i < len(args) {
			return args[i]
		}
		return nil
	}
	l = traceLine{Time: ev.at, Event: what.event}
	there := tr.there[what.kind]
	if what.kind == kindSession {
		info, told := at(0).(map[string]any)
		l.Kind, l.ID = kindSession, uint64(proto.IDOf(at(0)))
		if told {
			l.entryLine = entryOf(kindSession, info)
		} else if known, is := there[l.ID]; is {
			l.entryLine = known
		} else {
			l.AuthID, _ = at(1).(string)
			l.AuthRole, _ = at(2).(string)
		}
	} else {
		info, told := at(1).(map[string]any)
		l.Kind, l.ID, l.By = what.kind, uint64(proto.IDOf(at(1))), uint64(proto.IDOf(at(0)))
		if told {
			l.entryLine = entryOf(what.kind, info)
		} else if known, is := there[l.ID]; is {
			l.entryLine = known
		} else if what.event != eventDelete {
			l.entryLine = tr.ask(ctx, l.entryLine)
		}
		l.ByAuthID = tr.there[kindSession][l.By].AuthID
	}
	if l.ID == 0 {
		return l, false
	}
	if what.event == eventLeave || what.event == eventDelete {
		delete(there, l.ID)
	} else {
		there[l.ID] = l.entryLine
	}
	return l, true
}

// ask asks for what is not known, which may be gone by now.
func (tr *tracer) ask(ctx context.Context, l entryLine) entryLine {
	if known, err := entryAt(ctx, tr.api, l.Kind, wamp.ID(l.ID)); err == nil {
		return known
	}
	return l
}

// entryOf reads the details of an event.
func entryOf(kind string, m map[string]any) entryLine {
	str := func(key string) string { s, _ := m[key].(string); return s }
	if kind == kindSession {
		return entryLine{Kind: kind, ID: uint64(proto.IDOf(m["session"])), AuthID: str(proto.KeyAuthID), AuthRole: str(proto.KeyAuthRole),
			AuthMethod: str(proto.KeyAuthMethod), AuthProvider: str(proto.KeyAuthProvider)}
	}
	created, _ := proto.TimeOf(m["created"])
	l := entryLine{Kind: kind, ID: uint64(proto.IDOf(m["id"])), URI: str("uri"), Match: str(proto.KeyMatch), Created: moment(created)}
	if l.Match == "" {
		l.Match = string(proto.Exact)
	}
	if kind == kindProcedure {
		if l.Invoke = str(proto.KeyInvoke); l.Invoke == "" {
			l.Invoke = string(wamp.Single)
		}
	}
	return l
}
