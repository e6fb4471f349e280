package wamptest

import (
	"slices"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// testament is an event that is published when its session is gone.
type testament struct {
	scope   string
	topic   string
	payload *content
	options proto.Dict
}

// The scopes of testaments. A session of this router is destroyed as soon as it
// is detached, so both are published at once, those of detached first.
const (
	scopeDetached  = string(proto.Detached)
	scopeDestroyed = string(proto.Destroyed)
)

// testify publishes the testaments of a session that has left.
func (b *broker) testify(s *session) {
	if b.router.quiet {
		return
	}
	for _, scope := range []string{scopeDetached, scopeDestroyed} {
		for _, w := range s.testaments {
			if w.scope != scope {
				continue
			}
			b.issue(b.publicationOf(s, w.topic, w.payload, w.options), w.options)
		}
	}
	s.testaments = nil
}

// scopeOf reads the scope of a testament. Crossbar misspells it.
func (d *dealer) scopeOf(kw map[string]any) (scope string, ok bool) {
	detached := scopeDetached
	if d.router.cfg.crossbar {
		detached = string(proto.OldDetached)
	}
	switch v, given := kw["scope"]; {
	case !given || v == scopeDestroyed:
		return scopeDestroyed, true
	case v == detached:
		return scopeDetached, true
	}
	return "", false
}

func addTestament(x *metaCall) (result []any, uri string) {
	topic, ok := x.arg(0).(string)
	args, okArgs := x.arg(1).([]any)
	kwargs, okKwargs := x.arg(2).(map[string]any)
	scope, okScope := x.d.scopeOf(x.kw)
	if !ok || !okArgs || !okKwargs || !okScope {
		return nil, proto.ErrURIInvalidArgument
	}
	if proto.CheckURI(topic) != nil || reserved(topic) {
		return nil, proto.ErrURIInvalidURI
	}
	given, _ := x.kw["publish_options"].(map[string]any)
	options := eachID(dictOf(given), whole)
	if proto.CheckOptions(proto.Publish, options) != nil {
		return nil, proto.ErrURIInvalidArgument
	}
	p := codec.Args(args...)
	if len(kwargs) > 0 {
		p = p.WithKwargs(kwargs)
	}
	rawArgs, rawKwargs, err := encode(p, codec.CBOR)
	if err != nil {
		return nil, proto.ErrURIInvalidArgument
	}
	s := x.c.caller
	s.testaments = append(s.testaments, testament{scope: scope, topic: topic, options: options,
		payload: &content{codec: codec.CBOR, args: rawArgs, kwargs: rawKwargs}})
	if x.d.router.cfg.crossbar {
		return []any{x.d.router.newID(nil)}, ""
	}
	return nil, ""
}

func flushTestaments(x *metaCall) (result []any, uri string) {
	scope, ok := x.d.scopeOf(x.kw)
	if !ok {
		return nil, proto.ErrURIInvalidArgument
	}
	s := x.c.caller
	before := len(s.testaments)
	s.testaments = slices.DeleteFunc(s.testaments, func(w testament) bool { return w.scope == scope })
	if x.d.router.cfg.crossbar {
		return []any{before - len(s.testaments)}, ""
	}
	return nil, ""
}

// stamp is a moment as the protocol writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }
