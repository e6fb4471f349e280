package wamp

import (
	"context"
	"errors"

	"github.com/connectanum/connectanum-go/wamp/internal/passthru"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// Scope says when a testament is published: [Destroyed] or [Detached].
type Scope = proto.Scope

// The scopes of testaments.
const (
	// Destroyed: when the session is gone for good. The default of the
	// WAMP specification.
	Destroyed = proto.Destroyed
	// Detached: when its connection is gone. These come first.
	Detached = proto.Detached
)

// AddTestament leaves an event with the router, which publishes it when this
// session is gone, for whatever reason. It returns when the router has accepted
// it.
//
// When the connection is lost, the router publishes the testament. After a
// reconnect the session leaves the same testament again, before anything else
// that waits for the connection. ctx governs only the call.
//
// A payload codec ([WithPayloadCodec]) seals the testament as it does an event.
// In the form of Autobahn it cannot, which is an error.
//
// The error is a [FeatureError] where the router did not announce
// testament_meta_api, or what the router answered.
//
// See the WAMP specification, "Session Testament".
func (s *Session) AddTestament(ctx context.Context, scope Scope, topic string, payload Payload, options ...TestamentOption) error {
	return opError("testament", topic, s.addTestament(ctx, scope, topic, payload, options))
}

func (s *Session) addTestament(ctx context.Context, scope Scope, topic string, payload Payload, options []TestamentOption) error {
	cfg, err := configure(s, options, TestamentOption.applyTestament)
	if err != nil {
		return err
	}
	if err := proto.CheckURI(topic); err != nil {
		return err
	}
	payload, err = s.sealTestament(topic, payload, cfg)
	if err != nil {
		return err
	}
	args, err := payload.Args()
	if err != nil {
		return err
	}
	kwargs, err := payload.Kwargs()
	if err != nil {
		return err
	}
	if args == nil {
		args = []any{}
	}
	if kwargs == nil {
		kwargs = map[string]any{}
	}
	kw := map[string]any{}
	if len(cfg.options) > 0 {
		kw["publish_options"] = cfg.options.Map()
	}
	return s.testament(ctx, scope, false, proto.MetaAddTestament, Args(topic, args, kwargs), kw, cfg.needs)
}

// sealTestament seals the payload of a testament, which travels as one binary
// argument, with its keys among the options of the publish to come.
func (s *Session) sealTestament(topic string, payload Payload, cfg *publishConfig) (Payload, error) {
	o, keys, feature, err := s.opaque(s.sealer(), seal.About{Kind: seal.KindPublish, URI: topic}, payload)
	if err != nil || o == nil {
		return payload, err
	}
	if o.Autobahn {
		return Payload{}, errWillForm
	}
	cfg.options, cfg.needs = with(cfg.options, cfg.needs, proto.Broker, keys, feature)
	return Args(passthru.Argument(o)), nil
}

// FlushTestaments withdraws the testaments of the session in a scope. ctx
// governs the call. The errors are those of [Session.AddTestament].
func (s *Session) FlushTestaments(ctx context.Context, scope Scope) error {
	return opError("testament", "", s.testament(ctx, scope, true, proto.MetaFlushTestaments, Payload{}, map[string]any{}, nil))
}

func (s *Session) testament(ctx context.Context, scope Scope, flush bool, procedure string, payload Payload, kw map[string]any, needs []session.Need) error {
	if scope != Destroyed && scope != Detached {
		return errors.New("unknown scope " + proto.Short(string(scope)))
	}
	try := func(spelling Scope) error {
		kw["scope"] = string(spelling)
		cs, err := s.newCall(ctx, procedure, []CallOption{Idempotent(), Require(proto.Dealer, proto.TestamentMetaAPI)})
		if err != nil {
			return err
		}
		call := &cs.call
		call.Needs = append(call.Needs, needs...)
		if err = s.noted(call.Body.Encode(s.eng.Codec(), payload.WithKwargs(kw))); err != nil {
			return err
		}
		if err := s.eng.AddTestament(&session.Testament{Call: call, Scope: scope, Flush: flush}); err != nil {
			return err
		}
		_, err = Results(cs.Ch()).Final()
		return err
	}
	err := try(scope)
	if uri := ErrorURI(err); scope == Detached && (uri == proto.ErrURITestament || uri == proto.ErrURIInvalidArgument) {
		return try(proto.OldDetached)
	}
	return err
}
