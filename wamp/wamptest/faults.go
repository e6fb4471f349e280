package wamptest

import (
	"cmp"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// Operation is a kind of request that a client makes of the router, for a Fault.
type Operation uint8

// The operations.
const (
	Calls Operation = iota + 1
	Publishes
	Subscribes
	Unsubscribes
	Registers
	Unregisters
)

// operations are the operations by their messages.
var operations = map[proto.MessageType]Operation{proto.Call: Calls, proto.Publish: Publishes, proto.Subscribe: Subscribes,
	proto.Unsubscribe: Unsubscribes, proto.Register: Registers, proto.Unregister: Unregisters}

// String returns the name of the message by which clients ask for it, such as
// "CALL".
func (o Operation) String() string {
	for m, op := range operations {
		if op == o {
			return m.String()
		}
	}
	return fmt.Sprintf("Operation(%d)", uint8(o))
}

// Loss says what is lost of a request and its answer, for a Fault.
type Loss uint8

const (
	// LoseRequest loses the request: it is not done, and not answered.
	LoseRequest Loss = iota + 1
	// LoseAnswer loses the answer: the request is done.
	LoseAnswer
	// CutBefore cuts the client's link instead of doing the request. What the router
	// has said before still arrives.
	CutBefore
	// CutAfter does the request, and cuts the client's link in the place of the
	// answer. What the router has said before still arrives. A call that its caller
	// cancels, or whose timeout passes, before the callee has answered is answered, and
	// the link is not cut.
	CutAfter
)

// A Fault says which requests of clients go wrong, and how, for Router.Inject. A
// request that all of Operation, URI and From name meets it.
//
// Such a request fails with wamp.error.not_authorized and is not done, unless
// other fields say otherwise:
//
//   - Error and Payload make it fail with another error.
//   - Delay alone makes it late, and nothing else.
//   - Delay with Error or Payload makes it fail late.
//   - Lose loses the request or its answer, or cuts the link.
//
// Only the first chunk of a progressive call meets a fault; what follows it is
// treated as what follows any other call.
type Fault struct {
	// Operation is what the client asks for. It is required.
	Operation Operation
	// URI is the procedure or topic, as the client names it; for Unsubscribes and
	// Unregisters that of the subscription or registration, of several behind a
	// shared id (WithSharedIDs) that of any. One that ends with a
	// dot stands for every URI that begins with it: "com.example." for
	// com.example.a and com.example.b.c. Default: any.
	URI string
	// From says who asks: only clients that agree with each of its fields that is
	// not zero, such as AuthRole; of Protocol only the name counts. The ID is that of
	// one session and gone with it, the other fields hold across reconnects.
	// Default: anybody.
	From SessionInfo
	// Error is the URI of the error with which the request fails. A publish that
	// asks for no acknowledgement is dropped, and nobody is told, as at other
	// routers. Default: wamp.error.not_authorized.
	Error string
	// Payload is the payload of the error, such as wamp.Args("not today"), whose
	// first argument is the text of the error. It is encoded by Inject. Default:
	// a text that says that the test has injected it.
	Payload codec.Payload
	// Delay is how long the request is held back before what becomes of it. Requests
	// that are held back for as long keep their order. What comes later and is not
	// held back overtakes it, except for the further chunks of the call. A call
	// may be cancelled and may time out meanwhile, as one whose callee is slow; other
	// requests are dropped when their session ends, which is later with
	// WithHalfOpen. Default: none.
	Delay time.Duration
	// Lose loses the request or its answer, or cuts the link, instead of failing.
	// A call of which something is lost stays open, as one whose callee hangs: it
	// is answered when its caller cancels it or its timeout passes. Progressive
	// results are not lost. Default: nothing is lost.
	Lose Loss
	// Times is how many requests meet the fault; the next ones do not. Default: all
	// until Remove.
	Times int
}

// Injection is a Fault that a router has.
type Injection struct {
	router  *Router
	fault   Fault
	number  int       // of those of the router
	place   string    // of the call of Inject
	fails   bool      // with Error and Payload
	payload []content // of the error, in each serializer
	hits    atomic.Int64
}

// Inject makes requests of clients go wrong as f says, until f.Times of them have
// or Injection.Remove is called. It holds for sessions to come and across Restart.
// Of several faults that name a request, it meets the one that was injected first
// and is still there: one with Times 2 and one behind it make two requests
// go wrong in one way and the next ones in another.
//
// A request meets a fault where the router takes it, behind the hook, so that
// neither a callee nor a subscriber hears of one that fails. Procedures of the meta
// API can fail too. Stats.Faults counts all requests that have met a fault, and
// the log (WithLog) tells of the first one of each. When a fault is removed or
// the router closed and no request has met it, the log tells of that too: most
// often its URI has a typo. Each line has the place of the call of Inject.
//
// Inject panics where a field has a value that makes no sense: no Operation, a URI
// that is none, a Protocol without a name, a negative Delay or Times, a Payload that cannot be encoded, Lose
// together with Error or Payload, or a request that is lost after a Delay.
func (r *Router) Inject(f Fault) *Injection {
	_, file, line, _ := runtime.Caller(1)
	i := &Injection{router: r, fault: f, place: fmt.Sprintf("%s:%d", path.Base(file), line)}
	if wrong := i.prepare(); wrong != "" {
		panic("wamptest: Fault." + wrong)
	}
	r.do(func() {
		r.injected++
		i.number = r.injected
		r.faults = append(r.faults, i)
	})
	return i
}

// prepare makes of the fault what the router needs. wrong says which field makes no
// sense, and why.
func (i *Injection) prepare() (wrong string) {
	f := &i.fault
	given := false
	for _, c := range codec.All() {
		args, kwargs, err := encode(f.Payload, c)
		if err != nil {
			return fmt.Sprintf("Payload cannot be encoded in %s: %v", c.Name(), err)
		}
		given = given || len(args)+len(kwargs) > 0
		i.payload = append(i.payload, content{codec: c, args: args, kwargs: kwargs})
	}
	switch {
	case f.Operation < Calls || f.Operation > Unregisters:
		return fmt.Sprintf("Operation is %d, not one of Calls, Publishes, Subscribes, Unsubscribes, Registers and Unregisters", f.Operation)
	case f.Lose > CutAfter:
		return fmt.Sprintf("Lose is %d, not one of LoseRequest, LoseAnswer, CutBefore and CutAfter", f.Lose)
	case f.From.Protocol.Name == "" && f.From.Protocol != (transport.Protocol{}):
		return "From: Protocol has no Name, which alone counts of it"
	case f.Delay < 0:
		return fmt.Sprintf("Delay is %v, which is negative", f.Delay)
	case f.Times < 0:
		return fmt.Sprintf("Times is %d, which is negative; 0 is all requests", f.Times)
	case f.Lose != 0 && f.Error != "":
		return "Error is " + f.Error + ", and Lose says that nothing fails"
	case f.Lose != 0 && given:
		return "Payload is that of an error, and Lose says that nothing fails"
	case f.Lose == LoseRequest && f.Delay > 0:
		return "Delay is " + f.Delay.String() + ", and Lose says that the request never comes"
	}
	// As a pattern of a wildcard subscription may be; the prefix is one too.
	if err := proto.CheckPattern(f.URI, proto.Wildcard); f.URI != "" && err != nil {
		return "URI: " + err.Error()
	}
	i.fails = f.Lose == 0 && (f.Delay == 0 || f.Error != "" || given)
	if f.Error == "" {
		f.Error = proto.ErrURINotAuthorized
	} else if err := proto.CheckError(f.Error); err != nil {
		return "Error: " + err.Error()
	}
	if !given {
		for n := range i.payload {
			p := &i.payload[n]
			p.args, p.kwargs, _ = encode(codec.Args("the test has injected this fault"), p.codec)
		}
	}
	return ""
}

// Remove ends the injection: requests that come from now on do not meet it. Those
// that it holds back still do. If no request has met it, the log (WithLog) tells of that.
// Removing it twice is no fault.
func (i *Injection) Remove() {
	i.router.do(func() {
		i.router.faults = without(i.router.faults, i)
		i.unmet()
	})
}

// Hits returns how many requests have met the fault. Unlike methods of Router it
// may be called from a hook and from a condition of WaitFor.
func (i *Injection) Hits() int { return int(i.hits.Load()) }

// names reports whether the fault is for a request.
func (i *Injection) names(s *session, op Operation, uri string) bool {
	f := &i.fault
	if f.Operation != op {
		return false
	}
	if f.URI != "" && f.URI != uri && !(strings.HasSuffix(f.URI, ".") && strings.HasPrefix(uri, f.URI)) {
		return false
	}
	if f.From == (SessionInfo{}) {
		return true
	}
	who, from := s.info(), f.From
	return agrees(from.ID, who.ID) && agrees(from.Realm, who.Realm) && agrees(from.AuthID, who.AuthID) && agrees(from.AuthRole, who.AuthRole) &&
		agrees(from.AuthMethod, who.AuthMethod) && agrees(from.Protocol.Name, who.Protocol.Name)
}

// agrees reports whether a field of Fault.From allows a value.
func agrees[T comparable](want, is T) bool {
	var zero T
	return want == zero || want == is
}

// does says in words what the fault does.
func (i *Injection) does() string {
	text := ""
	if i.fault.Delay > 0 {
		text = "is held back for " + i.fault.Delay.String()
		if !i.fails && i.fault.Lose == 0 {
			return text
		}
		text += " and then "
	}
	switch i.fault.Lose {
	case LoseRequest:
		return text + "is lost"
	case LoseAnswer:
		return text + "is done, and its answer is lost"
	case CutBefore:
		return text + "is not done, and the link is cut"
	case CutAfter:
		return text + "is done, and the link is cut in the place of the answer"
	}
	return text + "fails with " + i.fault.Error
}

// meets returns the fault that a request for one of the URIs meets, and counts it; nil
// if there is none. Actor only.
func (r *Router) meets(s *session, op Operation, uris ...string) *Injection {
	for _, i := range r.faults {
		at := slices.IndexFunc(uris, func(uri string) bool { return i.names(s, op, uri) })
		if at < 0 {
			continue
		}
		r.counts.faults++
		if n := i.hits.Add(1); i.fault.Times > 0 && int(n) >= i.fault.Times {
			r.faults = without(r.faults, i)
		}
		i.note("%v of %s by session %d %s", op, proto.Short(uris[at]), s.id, i.does())
		return i
	}
	return nil
}

// unmet notes that no request has met the fault, if so. Actor only.
func (i *Injection) unmet() {
	if i.Hits() == 0 {
		i.note("no request has met it: %v of %s", i.fault.Operation, cmp.Or(i.fault.URI, "any URI"))
	}
}

// note says something of the fault, once. Actor only.
func (i *Injection) note(format string, args ...any) {
	name := fmt.Sprintf("fault %d", i.number)
	i.router.note(name, "%s (%s): %s", name, i.place, fmt.Sprintf(format, args...))
}

// requested returns what a message asks for, and the URI that is for, or several where
// its handle stands for them; not for calls, which the dealer sees to. Without faults it
// does not look.
func (r *Router) requested(s *session, m *proto.Message) (op Operation, uris []string) {
	if len(r.faults) == 0 || m.Type == proto.Call {
		return 0, nil
	}
	switch op = operations[m.Type]; op {
	case Unsubscribes:
		uris = urisOf(behind(r.cfg.sharing, s, m.ID, s.subscriptions))
	case Unregisters:
		uris = urisOf(behind(r.cfg.sharing, s, m.ID, s.registrations))
	default:
		uris = []string{m.URI}
	}
	return op, uris
}

// urisOf returns the URIs of handles; that of none is empty.
func urisOf[H handle](handles []H) (uris []string) {
	for _, h := range handles {
		uris = append(uris, h.ownPattern().uri)
	}
	if uris == nil {
		return []string{""}
	}
	return uris
}

// suffer does to a request, which is no call, what a fault says.
func (r *Router) suffer(s *session, m *proto.Message, i *Injection) {
	if i.fault.Delay == 0 {
		r.befall(s, m, i)
		return
	}
	held := clone(m)
	r.holdBack(s, i.fault.Delay, func() { r.befall(s, held, i) })
}

// befall does what becomes of a request in the end. What stands in its defer is done
// where a hook ends the goroutine, too.
func (r *Router) befall(s *session, m *proto.Message, i *Injection) {
	switch lose := i.fault.Lose; {
	case lose == LoseRequest:
	case lose == CutBefore:
		r.doom(s.link)
	case lose != 0:
		s.unanswered = m
		defer func() {
			s.unanswered = nil
			if lose == CutAfter && !s.link.closed {
				r.doom(s.link)
			}
		}()
		r.serve(s, m, true)
	case !i.fails:
		r.serve(s, m, true)
	case m.Type == proto.Publish && !m.Options.Bool(proto.KeyAcknowledge): // nobody is told
	default:
		r.failWith(s, m, i)
	}
}

// failWith answers a request with the error of a fault.
func (r *Router) failWith(s *session, m *proto.Message, i *Injection) {
	at := slices.IndexFunc(i.payload, func(p content) bool { return p.codec == s.link.codec })
	out := &proto.Message{Type: proto.Error, RequestType: m.Type, Request: m.Request, URI: i.fault.Error}
	if err := r.send(s.link, out, &i.payload[at]); err != nil {
		r.fail(s, m.Type, m.Request, sendURI(err), err.Error())
	}
}

// loses reports whether a message is the answer that a fault loses.
func (s *session) loses(m *proto.Message) bool {
	if s.unanswered == nil || s.unanswered.Request != m.Request {
		return false
	}
	switch m.Type {
	case proto.Published, proto.Subscribed, proto.Unsubscribed, proto.Registered, proto.Unregistered, proto.Error:
		return true
	default:
		return false
	}
}

// suffer does to a call what a fault says.
func (d *dealer) suffer(c *call, m *proto.Message, i *Injection) {
	if i.fault.Delay == 0 {
		d.befall(c, m, i)
		return
	}
	c.held = []*proto.Message{clone(m)}
	d.hang(c)
	d.router.holdBack(c, i.fault.Delay, func() {
		c.hung = false
		first := c.takeHeld()
		defer d.passHeld(c)
		d.befall(c, first, i)
	})
}

// takeHeld takes the next chunk that is held back.
func (c *call) takeHeld() *proto.Message {
	m := c.held[0]
	c.held = c.held[1:]
	c.more = m.Options.Bool(proto.KeyProgress)
	return m
}

// passHeld passes the further chunks on that were held back, also where a hook ends the
// goroutine, which costs one of them.
func (d *dealer) passHeld(c *call) {
	if len(c.held) == 0 {
		return
	}
	m := c.takeHeld()
	defer d.passHeld(c)
	if c.caller.calls[c.request] == c && len(c.running) > 0 {
		d.passChunk(c, m)
	}
}

func (d *dealer) befall(c *call, m *proto.Message, i *Injection) {
	switch lose := i.fault.Lose; {
	case lose == LoseRequest:
		d.hang(c)
	case lose == CutBefore:
		d.end(c)
		d.router.doom(c.caller.link)
	case i.fails:
		d.end(c)
		d.router.failWith(c.caller, m, i)
	default:
		c.lose = lose
		d.start(c, m)
	}
}

// hang leaves a call without anybody who works on it. Its time begins, if it has
// not.
func (d *dealer) hang(c *call) {
	for len(c.running) > 0 {
		c.running[0].end()
	}
	c.hung = true
	if c.limit.span == 0 {
		d.begin(c)
	}
	d.arm(c)
}

// loses reports whether the answer that is due now is lost by a fault. One that
// the caller asks for, by CANCEL or by its timeout, is not.
func (d *dealer) loses(c *call) bool {
	lose := c.lose
	c.lose = 0
	switch lose {
	case LoseAnswer:
		d.hang(c)
	case CutAfter:
		d.end(c)
		d.router.doom(c.caller.link)
	default:
		return false
	}
	return true
}

// LoseCallee cuts the links of the sessions to which a call of the procedure could
// go now, all of them, in the middle of what they do, and returns how many those
// are. Their calls under way end with wamp.error.canceled; of a call of all callees
// (runmode all) their parts fail with it. Further calls of the procedure go to a
// registration whose pattern matches it too, if there is one, and else end with
// wamp.error.no_such_procedure, until a callee is back. With WithHalfOpen the router
// notices late, and callers hang for so long. As with Cut, what is on its way to a callee
// may be lost.
//
// Cut does it to one session, and StopReading or Stall to one that hangs;
// RevokeRegistration takes a procedure away from callees that stay and finish the
// calls they have.
func (r *Router) LoseCallee(procedure string) (n int) {
	r.do(func() {
		for _, re := range r.realms {
			reg := re.dealer.match(procedure)
			if reg == nil {
				continue
			}
			for _, to := range slices.Clone(reg.callees) {
				if l := to.session.link; !l.lost {
					l.cut()
					n++
				}
			}
		}
	})
	return n
}
