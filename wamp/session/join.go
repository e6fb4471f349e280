package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// maxChallenges bounds the rounds of one login.
const maxChallenges = 16

// joiner does the handshake on a fresh connection, off the actor: HELLO, the
// challenges, WELCOME.
type joiner struct {
	cfg      *settings
	auth     authn.Authenticator
	conn     transport.Conn
	protocol transport.Protocol
	maxSend  int
	risky    bool // a ping may end the connection
	codec    codec.Codec
	parser   codec.Parser
	out      transport.Batch
	state    proto.State
	details  *Details        // once it has joined
	odds     []*proto.Oddity // of what the router said meanwhile
}

// abandon tears the connection down and waits for nobody: it may be a user's.
func (j *joiner) abandon() { go closeNow(j.conn, j.cfg.log.fault) } // ends with CloseNow

// within runs f in a goroutine and waits for it under ctx. When ctx ends first,
// undo is run, which makes f end, and late is reported; f has a moment for that,
// and is left behind if it needs longer.
func within(ctx context.Context, f func() error, undo func()) (err error, late bool) {
	done := make(chan struct{})
	result := errors.New("the login called runtime.Goexit")
	go func() { // ends with f, which undo ends
		defer close(done)
		result = f()
	}()
	select {
	case <-done:
		return result, false
	case <-ctx.Done():
	}
	undone := make(chan struct{})
	go func() { undo(); close(undone) }() // ends with undo
	t := time.NewTimer(lingerTime)
	defer t.Stop()
	ended := done
	for range 2 {
		select {
		case <-ended:
			ended = nil
		case <-undone:
			undone = nil
		case <-t.C:
			return nil, true
		}
	}
	return nil, true
}

// loginError says that the login took too long where that was the reason. It
// counts as a loss of the connection: the next attempt may find a router that
// answers.
func loginError(login context.Context, err error) error {
	if Is(context.Cause(login), ErrLoginTimeout) && !Is(err, ErrLoginTimeout) {
		err = ErrLoginTimeout
	}
	if err == ErrLoginTimeout { // bare: what wraps it says more
		return &LinkError{Err: err}
	}
	return err
}

// hangUp ends a connection whose join failed, in order where the router has said
// why.
func (j *joiner) hangUp(err error) {
	if _, is := Find[*AbortError](err); !is {
		j.abandon()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutTime)
	defer cancel()
	_, _ = within(ctx, func() error { closeInOrder(ctx, j.conn, j.cfg.log.fault); return nil }, func() { closeNow(j.conn, j.cfg.log.fault) })
}

// ctxError says that ctx was the reason where it was, and in which phase of an
// attempt to connect; a dialer knows that itself.
func ctxError(ctx context.Context, err error, phase string) error {
	if ctx.Err() == nil {
		return err
	}
	if _, is := Find[*CanceledError](err); is {
		return err
	}
	e := newCanceled(ctx)
	switch {
	case err != nil && !Is(err, e.Err):
		e.Offline = err
	case phase != "":
		e.Attempt = fmt.Errorf("%s: %w", phase, e.Err)
	default:
		if dialed, is := Find[*transport.DialError](err); is {
			e.Attempt = dialed
		}
	}
	return e
}

// guardedJoin is join, where the authenticator is a user's code.
func (j *joiner) guardedJoin(ctx context.Context, rejoin int) (err error) {
	err = &LinkError{Err: errors.New("a login or a connection panicked")}
	guard("a login or a connection", j.cfg.log.fault, func() { j.details, err = j.join(ctx, rejoin) })
	return err
}

func (j *joiner) join(ctx context.Context, rejoin int) (*Details, error) {
	p := j.conn.Protocol()
	j.protocol, j.maxSend, j.risky = p, j.conn.MaxSend(), transport.RiskyPing(j.conn)
	var ok bool
	if j.codec, ok = codec.ByName(p.Serializer()); !ok {
		return nil, fmt.Errorf("no codec for protocol %q", p.Name)
	}
	j.parser = j.codec.NewParser(j.cfg.Limits)
	info := authn.JoinInfo{Realm: j.cfg.Realm, TLS: j.conn.TLS(), Rejoin: rejoin}
	info.Private = transport.Private(j.conn)
	attempt, err := j.auth.Begin(ctx, info)
	if err != nil {
		return nil, &LoginError{Err: outside(err)}
	}
	if err := j.hello(attempt); err != nil {
		return nil, j.lastWord(err)
	}
	for rounds := 0; ; {
		m, err := j.receive()
		if err != nil {
			return nil, j.perhapsRefused(err)
		}
		switch m.Type {
		case proto.Welcome:
			return j.welcome(attempt, m)
		case proto.Abort:
			return nil, j.refusal(m)
		case proto.Challenge:
			if rounds++; rounds > maxChallenges {
				return nil, j.violation(m.Type, "more than "+strconv.Itoa(maxChallenges)+" challenges")
			}
			j.state = proto.StateChallenged
			if err := j.answer(ctx, attempt, m); err != nil {
				return nil, j.lastWord(err)
			}
		default:
			return nil, j.violation(m.Type, "unexpected while joining")
		}
	}
}

// lastWord returns why a router hung up while something was sent to it: the
// ABORT that it left behind, or else what the transport said.
func (j *joiner) lastWord(err error) error {
	if _, is := Find[*LinkError](err); !is {
		return err
	}
	if m, bad := j.receive(); bad == nil && m.Type == proto.Abort {
		return j.refusal(m)
	}
	return err
}

// perhapsRefused says of a connection that was closed behind our answer to a
// challenge that the login may have been refused: the ABORT of some routers is
// lost behind their closing socket.
func (j *joiner) perhapsRefused(err error) error {
	lost, is := Find[*LinkError](err)
	if j.state != proto.StateChallenged || !is {
		return err
	}
	return &LoginError{Err: wrapf("the router closed the connection behind our answer to its challenge: the login may have been refused: %w",
		lost)}
}

// refusal reads an ABORT that came before WELCOME.
func (j *joiner) refusal(m *proto.Message) error {
	e := newAbortError(j.codec, m)
	e.Refusal = authn.NewRefusal(e.Reason, e.Message)
	return e
}

func (j *joiner) hello(attempt authn.Attempt) error {
	var h authn.Hello
	if err := attempt.Hello(&h); err != nil {
		return &LoginError{Err: outside(err)}
	}
	roles := proto.ClientRoles()
	d := proto.Dict{{Key: proto.KeyRoles, Value: roles.Dict()}, {Key: proto.KeyAgent, Value: j.cfg.Agent}}
	if len(h.Methods) > 0 {
		d = append(d, proto.Entry{Key: proto.KeyAuthMethods, Value: h.Methods})
	}
	if h.AuthID != "" {
		d = append(d, proto.Entry{Key: proto.KeyAuthID, Value: h.AuthID})
	}
	if h.AuthRole != "" {
		d = append(d, proto.Entry{Key: proto.KeyAuthRole, Value: h.AuthRole})
	}
	extra := h.Extra
	if j.cfg.Handshake != nil {
		if more := j.cfg.Handshake.Extra(); len(more) > 0 {
			extra = make(map[string]any, len(h.Extra)+len(more)) // the login's own may be a user's map
			maps.Copy(extra, h.Extra)
			maps.Copy(extra, more)
		}
	}
	if extra != nil {
		d = append(d, proto.Entry{Key: proto.KeyAuthExtra, Value: extra})
	}
	return j.send(&proto.Message{Type: proto.Hello, URI: j.cfg.Realm, Options: d})
}

func (j *joiner) answer(ctx context.Context, attempt authn.Attempt, m *proto.Message) error {
	r, err := attempt.Challenge(ctx, authn.Challenge{Method: m.Text, Extra: m.Options})
	if err != nil {
		j.abort(proto.ErrURIAuthenticationFailed, "the challenge was refused")
		return &LoginError{Err: outside(err)}
	}
	var extra proto.Dict
	for k, v := range r.Extra {
		extra = append(extra, proto.Entry{Key: k, Value: v})
	}
	return j.send(&proto.Message{Type: proto.Authenticate, Text: r.Signature, Options: extra})
}

func (j *joiner) welcome(attempt authn.Attempt, m *proto.Message) (*Details, error) {
	if err := attempt.Welcome(authn.Welcome{Session: m.ID, Details: m.Options}); err != nil {
		j.abort(proto.ErrURIAuthenticationFailed, "the router's welcome was refused")
		return nil, &LoginError{Err: outside(err)}
	}
	if !m.ID.Valid() {
		return nil, j.violation(m.Type, "session id out of range")
	}
	d := newDetails(j.cfg, m, j.protocol)
	if j.cfg.Handshake != nil {
		var err error
		if d.agreed, err = j.cfg.Handshake.Welcome(d.AuthExtra); err != nil {
			err = outside(err)
			j.abort(proto.ErrURIAuthenticationFailed, proto.Short(bare(err)))
			return nil, &LoginError{Err: err}
		}
	}
	return d, nil
}

func (j *joiner) receive() (*proto.Message, error) {
	data, err := j.conn.Read()
	if err != nil {
		return nil, &LinkError{Err: outside(err)}
	}
	m := new(proto.Message)
	if err := j.parser.Parse(data, m); err != nil {
		j.abort(proto.ErrURIProtocolViolation, err.Error())
		return nil, parseViolation(err)
	}
	if m.Odd != nil {
		j.odds = append(j.odds, m.Odd)
	}
	m.Args, m.Kwargs = clonePayload(m.Args, m.Kwargs, nil)
	if tr := m.Type.Traits(); tr.FromRouter&j.state == 0 {
		return nil, j.violation(m.Type, "must not come from a router while the session is "+j.state.String())
	}
	return m, nil
}

func parseViolation(err error) *ProtocolError {
	p := &ProtocolError{Reason: textOf(err), Err: err}
	if syntax, is := Find[*codec.SyntaxError](err); is {
		p.Message = syntax.Type
		p.Reason = syntax.Reason
	}
	return p
}

func (j *joiner) violation(t proto.MessageType, reason string) error {
	j.abort(proto.ErrURIProtocolViolation, t.String()+": "+reason)
	return &ProtocolError{Message: t, Reason: reason}
}

// abort says why the join ends; nobody answers it.
func (j *joiner) abort(uri, message string) {
	_ = j.send(&proto.Message{Type: proto.Abort, URI: uri, Options: proto.Dict{{Key: proto.KeyMessage, Value: message}}})
}

func (j *joiner) send(m *proto.Message) error {
	j.out.Reset(1 << 16)
	j.out.Begin()
	buf, err := j.codec.AppendMessage(j.out.Buf, m)
	if err != nil {
		return fmt.Errorf("%s: %w", m.Type, err)
	}
	j.out.Buf = buf
	j.out.End()
	if err := j.conn.Write(&j.out); err != nil {
		return &LinkError{Err: outside(err)}
	}
	return nil
}
