package wamptest

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// WithHistory makes the router keep the newest n publications of each realm for
// wamp.subscription.get_events, and announce event_history. What was published
// with a list of sessions is not kept, as the WAMP specification says; of the rest everybody
// gets what they would have got at the time.
func WithHistory(n int) Option {
	return optionFunc(func(c *config) {
		c.history = n
		for _, r := range []*proto.Roles{&c.roles, &c.announced} {
			r.Set(proto.Broker, r.Features(proto.Broker).Add(proto.EventHistory))
		}
	})
}

// history keeps the newest publications of a realm, oldest first.
type history struct {
	limit int
	kept  []*publication
}

func (h *history) add(e *publication) {
	if h.limit == 0 {
		return
	}
	if len(e.to.exclude) > 0 || e.to.onlyEligible {
		if e.by != nil {
			e.by.link.router.note("history", "a publication with a list of sessions, to %s, is not kept in the history", e.topic)
		}
		return
	}
	e.at, e.payload = time.Now(), e.payload.keep()
	if len(h.kept) >= h.limit {
		h.kept = append(h.kept[:0], h.kept[len(h.kept)-h.limit+1:]...)
	}
	h.kept = append(h.kept, e)
}

// bounds are those of a get_events.
type bounds struct {
	from, until int // h.kept[from:until]
	reverse     bool
	limit       int // negative: none
	topic       string
	bad         bool
}

// index is where a publication stands. One that is not kept any more lies
// before all that are.
func (h *history) index(id proto.ID) int {
	return slices.IndexFunc(h.kept, func(e *publication) bool { return e.id == id })
}

// asked returns the keyword arguments that the router heeds.
func (q *quirks) asked(kw map[string]any) map[string]any {
	out := map[string]any{}
	for key, v := range kw {
		if slices.Contains(q.historyIgnore, key) {
			continue
		}
		if q.inclusive {
			key = strings.Replace(strings.Replace(key, "after_", "from_", 1), "before_", "until_", 1)
		}
		out[key] = v
	}
	return out
}

// read reads the bounds.
func (h *history) read(kw map[string]any) bounds {
	b := bounds{until: len(h.kept), limit: -1}
	d := dictOf(kw)
	for i := range d {
		d[i].Value = whole(d[i].Value)
	}
	b.reverse, b.topic = d.Bool("reverse"), d.Str(proto.KeyTopic)
	if n, ok := d.Int("limit"); ok {
		b.limit = int(n)
		b.bad = n < 0
	}
	moment := func(key string, found func(i int)) {
		if v, given := d.Get(key); given && v != nil {
			at, err := parseStamp(v)
			b.bad = b.bad || err != nil
			i, _ := slices.BinarySearchFunc(h.kept, at, func(e *publication, at time.Time) int { return e.at.Compare(at) })
			found(i)
		}
	}
	after := func(i int) int { // the first one later than those at i's moment
		for k := i; k < len(h.kept); k++ {
			if h.kept[k].at.After(h.kept[i].at) {
				return k
			}
		}
		return len(h.kept)
	}
	exact := func(key string, i int) bool {
		at, _ := parseStamp(kw[key])
		return i < len(h.kept) && h.kept[i].at.Equal(at)
	}
	moment("from_time", func(i int) { b.from = max(b.from, i) })
	moment("after_time", func(i int) {
		if exact("after_time", i) {
			i = after(i)
		}
		b.from = max(b.from, i)
	})
	moment("before_time", func(i int) { b.until = min(b.until, i) })
	moment("until_time", func(i int) {
		if exact("until_time", i) {
			i = after(i)
		}
		b.until = min(b.until, i)
	})
	for key, use := range map[string]func(i int){
		"from_publication":   func(i int) { b.from = max(b.from, i) },
		"after_publication":  func(i int) { b.from = max(b.from, i+1) },
		"before_publication": func(i int) { b.until = min(b.until, max(i, 0)) },
		"until_publication":  func(i int) { b.until = min(b.until, i+1) },
	} {
		if v, given := d.Get(key); given && v != nil {
			id := d.ID(key)
			b.bad = b.bad || id == 0
			use(h.index(id))
		}
	}
	return b
}

func parseStamp(v any) (time.Time, error) {
	s, _ := v.(string)
	return time.Parse(time.RFC3339Nano, s)
}

func getEvents(x *metaCall) (result []any, uri string) {
	b := x.b
	if x.d.router.cfg.crossbar && b.history.limit == 0 {
		return nil, proto.ErrURIHistoryUnavailable
	}
	sub := b.byID[x.id(0)]
	if sub == nil {
		return nil, proto.ErrURINoSuchSubscription
	}
	x.kw = x.d.router.cfg.asked(x.kw)
	if x.d.router.cfg.crossbar {
		return crossbarEvents(x, sub)
	}
	w := b.history.read(x.kw)
	if w.bad {
		return nil, proto.ErrURIInvalidArgument
	}
	result = []any{}
	if w.from >= w.until {
		return result, ""
	}
	kept := slices.Clone(b.history.kept[w.from:w.until])
	if w.reverse {
		slices.Reverse(kept)
	}
	for _, e := range kept {
		if w.limit >= 0 && len(result) == w.limit {
			break
		}
		if proto.MatchURI(sub.uri, sub.match, e.topic) && (w.topic == "" || w.topic == e.topic) && e.to.has(x.c.caller) &&
			sub.had(e, x.c.caller) {
			result = append(result, b.asHistory(sub, e, x.c.caller))
		}
	}
	return result, ""
}

// had reports whether a node had a publication when it came, or would have had
// it.
func (sub *subscription) had(e *publication, s *session) bool {
	node, own := e.nodes[sub.pattern], sub.nodes[s]
	return node == "" || own == "" || own == node
}

// crossbarEvents answers as Crossbar does: the newest events first, ten of them
// if nothing is said, each with names of its own. It knows a limit and no bound.
func crossbarEvents(x *metaCall, sub *subscription) (result []any, uri string) {
	limit := 10
	for key, v := range x.kw {
		n, ok := proto.Dict{{Key: key, Value: whole(v)}}.Int(key)
		if key != "limit" || !ok && v != nil {
			return nil, proto.ErrURIRuntimeError
		}
		limit = int(n)
	}
	events := []any{}
	for _, e := range slices.Backward(x.b.history.kept) {
		if len(events) == limit {
			break
		}
		if proto.MatchURI(sub.uri, sub.match, e.topic) {
			args, kwargs := e.values()
			events = append(events, map[string]any{"time_ns": e.at.UnixNano(), proto.KeyRealm: x.c.caller.realm.name, "session_id": e.by.id,
				proto.KeyAuthID: e.by.grant.AuthID, proto.KeyAuthRole: e.by.grant.AuthRole, "publication": e.id, proto.KeyTopic: e.topic,
				"args": args, "kwargs": kwargs})
		}
	}
	return []any{events}, ""
}

// values is the payload of a publication.
func (e *publication) values() (args []any, kwargs map[string]any) {
	p := codec.Raw(e.payload.codec, e.payload.args, e.payload.kwargs)
	args, _ = p.Args()
	kwargs, _ = p.Kwargs()
	return args, kwargs
}

// asHistory is an event as get_events returns it.
func (b *broker) asHistory(sub *subscription, e *publication, to *session) map[string]any {
	ev := map[string]any{"timestamp": e.at.UTC().Format(time.RFC3339Nano), proto.KeySubscription: sub.id, "publication": e.id,
		"details": b.detailsFor(sub, e, to).Map()}
	args, kwargs := e.values()
	if len(args) > 0 {
		ev["args"] = args
	}
	if len(kwargs) > 0 {
		ev["kwargs"] = kwargs
	}
	if b.router.cfg.upperHistory {
		for key, v := range maps.Clone(ev) {
			delete(ev, key)
			ev[strings.ToUpper(key[:1])+key[1:]] = v
		}
	}
	return ev
}
