package wamptest

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// The WAMP specification has only the names of sharded registrations; this is our reading of
// them, which docs/sharding.md explains to users.
//
// runmode "partition": the routing key picks one callee, by rendezvous hashing,
// whatever the policy of the registration. A callee that declines the call is
// not replaced: what the key stands for is at that one only.
//
// runmode "all": the call goes to every callee that there is at this moment.
// What each answers comes as a progressive RESULT which says whose it is
// (callee, callee_authid, callee_authrole); instead of an ERROR it has the URI
// in Details.error and the payload of the error. When every callee has answered,
// an empty final RESULT ends the call, also when all of them have failed. A
// callee that is gone has failed with wamp.error.canceled, one that declines
// with wamp.error.unavailable. Callees are not asked for progressive results.

// sharding reads the options of a call. A caller that did not announce it has
// not asked for anything. If the call is refused, the error URI and a message
// say why.
func (d *dealer) sharding(c *call) (uri, message string) {
	if !d.has(proto.ShardedRegistration) || !c.caller.has(proto.Caller, proto.ShardedRegistration) {
		if d.has(proto.ShardedRegistration) && (c.options.Has(proto.KeyRKey) || c.options.Has(proto.KeyRunMode)) {
			d.router.unannounced("CALL.rkey and CALL.runmode are ignored", proto.ShardedRegistration, c.caller, proto.Caller)
		}
		return "", ""
	}
	key := c.options.Str(proto.KeyRKey)
	switch mode := proto.RunMode(c.options.Str(proto.KeyRunMode)); mode {
	case "", proto.RunPartition:
		if mode != "" && key == "" {
			return proto.ErrURIInvalidArgument, "runmode partition needs rkey"
		}
		c.key = key
	case proto.RunAll:
		switch {
		case key != "":
			return proto.ErrURIInvalidArgument, "rkey picks one callee, runmode all wants every one"
		case c.more:
			return proto.ErrURIInvalidArgument, "a progressive call goes to one callee"
		case !c.options.Bool(proto.KeyReceiveProgress) || !d.has(proto.ProgressiveCallResults):
			return proto.ErrURIInvalidArgument, "runmode all answers with progressive results"
		}
		c.gather = true
	default:
		return proto.ErrURIInvalidArgument, "unknown runmode"
	}
	return "", ""
}

// shard returns the callee that has the highest score for the key. One callee
// more takes only keys for itself, one less gives only its own away.
func (reg *registration) shard(key string) *callee {
	score := func(to *callee) uint64 {
		b := binary.BigEndian.AppendUint64(nil, uint64(to.session.id))
		sum := sha256.Sum256(append(b, key...))
		return binary.BigEndian.Uint64(sum[:])
	}
	best, most := reg.callees[0], uint64(0)
	for _, to := range reg.callees {
		if n := score(to); n > most {
			best, most = to, n
		}
	}
	return best
}

// scatter sends a call to every callee.
func (d *dealer) scatter(c *call, m *proto.Message) {
	for _, to := range slices.Clone(c.reg.callees) {
		if uri, _ := d.invoke(c, to, m); uri != "" {
			d.collect(c, to, uri, nil)
		}
	}
	d.gathered(c)
}

// answer takes the one answer of a callee.
func (d *dealer) answer(inv *invocation, uri string, payload *content) {
	inv.end()
	d.collect(inv.call, inv.to, uri, payload)
	d.gathered(inv.call)
}

// collect passes on what one callee has answered, or with a URI how it failed.
func (d *dealer) collect(c *call, from *callee, uri string, payload *content) {
	details := append(proto.Dict{{Key: proto.KeyProgress, Value: true}}, disclosure(proto.KeyCallee, from.session)...)
	failed := func(uri string) *proto.Message {
		return &proto.Message{Type: proto.Result, Request: c.request, Options: append(details, proto.Entry{Key: proto.KeyError, Value: uri})}
	}
	out := &proto.Message{Type: proto.Result, Request: c.request, Options: details}
	if uri != "" {
		out = failed(uri)
	}
	if err := d.router.send(c.caller.link, out, payload); err != nil {
		_ = d.router.send(c.caller.link, failed(sendURI(err)), nil)
	}
}

// gathered ends a scatter-gather call when every callee has answered. One that
// was cancelled with mode kill does not end as if it had all of them.
func (d *dealer) gathered(c *call) {
	switch {
	case len(c.running) > 0:
		d.progressed(c)
	case c.canceled:
		d.fail(c, proto.ErrURICanceled, "the call was cancelled")
	case d.loses(c):
	default:
		d.end(c)
		_ = d.router.send(c.caller.link, &proto.Message{Type: proto.Result, Request: c.request}, nil)
	}
}
