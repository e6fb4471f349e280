package hostile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// accused expects the ABORT that names a message and the end behind it.
func accused(typ proto.MessageType) wamptest.Step {
	return wamptest.Do("expect ABORT and the end", func(p *wamptest.Play) error {
		got, err := p.Receive()
		if err != nil {
			return err
		}
		text := got.Options.Str("message")
		if got.Type != proto.Abort || got.URI != proto.ErrURIProtocolViolation || text == "" {
			return fmt.Errorf("got %v %s, message %q", got.Type, got.URI, text)
		}
		if typ != 0 && !strings.Contains(text, typ.String()) {
			return fmt.Errorf("the message does not name %s: %q", typ, text)
		}
		if got, err = p.Receive(); err == nil {
			return fmt.Errorf("got %v behind ABORT", got.Type)
		}
		return nil
	})
}

// violated checks an error for a protocol violation that names the message.
func violated(t *testing.T, what string, err error, typ proto.MessageType) {
	t.Helper()
	var v *wamp.ProtocolError
	if !errors.As(err, &v) || !errors.Is(err, wamp.ErrProtocolViolation) {
		t.Errorf("%s: %v, want a protocol violation", what, err)
		return
	}
	if v.Message != typ || typ != 0 && !strings.Contains(err.Error(), typ.String()) || v.Reason == "" {
		t.Errorf("%s: %v, want one that names %s", what, err, typ)
	}
}

// The ids that the router of busy gives.
const (
	topicID = 10
	procID  = 20
	callID  = 3 // the request of the call that is under way
	ackID   = 4 // of the publish
	lastID  = ackID
)

// busy is a session with one of everything under way.
type busy struct {
	*wamp.Session
	sub     *wamp.Subscription
	reg     *wamp.Registration
	results wamp.Results
	acks    wamp.Acks
}

// busyWith opens such a session to a router that then does the steps.
func busyWith(t *testing.T, c codec.Codec, steps []wamptest.Step, options ...wamp.Option) (*busy, *wamptest.Script) {
	t.Helper()
	script := wamptest.NewScript(t, append([]wamptest.Step{
		wamptest.Welcome(),
		wamptest.Expect(proto.Subscribe), wamptest.Answer(&proto.Message{Type: proto.Subscribed, ID: topicID}),
		wamptest.Expect(proto.Register), wamptest.Answer(&proto.Message{Type: proto.Registered, ID: procID}),
		wamptest.Expect(proto.Call), wamptest.Expect(proto.Publish),
	}, steps...)...)
	s, err := wamp.Connect(t.Context(), "", "realm1", append(options, wamp.WithTransport(script.Dial), wamp.WithSerializers(c))...)
	if err != nil {
		t.Fatal(err)
	}
	b := &busy{Session: s, sub: subscribe(t, s, "com.example.topic")}
	if b.reg, err = s.Register(t.Context(), "com.example.proc"); err != nil {
		t.Fatal(err)
	}
	b.results = s.Call(t.Context(), "com.example.other", wamp.Args(), wamp.Progressive())
	b.acks = s.Publish(t.Context(), "com.example.topic", wamp.Args(), wamp.Acknowledge())
	return b, script
}

// ended checks that a violation has ended everything there was.
func (b *busy) ended(t *testing.T, typ proto.MessageType) {
	t.Helper()
	<-b.Done()
	for range b.sub.Events() {
	}
	for range b.reg.Invocations() {
	}
	_, callErr := b.results.Final()
	_, ackErr := b.acks.Wait()
	_, nextErr := b.Call(t.Context(), "com.example.other", wamp.Args()).Final()
	for what, err := range map[string]error{"Err": b.Err(), "cause": context.Cause(b.Context()), "subscription": b.sub.Err(),
		"registration": b.reg.Err(), "call": callErr, "publish": ackErr, "the next call": nextErr} {
		violated(t, what, err, typ)
		if !errors.Is(err, wamp.ErrSessionClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	closeIt(t, b.Session)
}

// lives lets a session prove that it does.
var lives = []wamptest.Step{wamptest.Expect(proto.Call), wamptest.Answer(&proto.Message{Type: proto.Result}, wamp.Args(7))}

// inEach runs a test for each serializer, in fake time.
func inEach(t *testing.T, name string, test func(t *testing.T, c codec.Codec)) {
	t.Helper()
	for _, c := range serializers {
		t.Run(c.Name()+"/"+name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { test(t, c) }) })
	}
}

// Messages that are well-formed and come when they should not, or say what
// cannot be. 0: it is none that ends the session.
func TestBadInputUnexpected(t *testing.T) {
	for _, tt := range []struct {
		name      string
		say       []m
		violation proto.MessageType
		late      uint64 // answers to what is over
		dropped   uint64 // messages for nobody
		answer    proto.MessageType
	}{
		{"RESULT twice", []m{{50, callID, d{}}, {50, callID, d{}}}, 0, 1, 0, 0},
		{"progressive RESULT behind the last", []m{{50, callID, d{}}, {50, callID, d{"progress": true}}}, 0, 1, 0, 0},
		{"ERROR behind RESULT", []m{{50, callID, d{}}, {8, 48, callID, d{}, "a.b"}}, 0, 1, 0, 0},
		{"RESULT behind ERROR", []m{{8, 48, callID, d{}, "a.b"}, {50, callID, d{}}}, 0, 1, 0, 0},
		{"SUBSCRIBED twice", []m{{33, 1, topicID}}, 0, 1, 0, 0},
		{"REGISTERED twice", []m{{65, 2, procID}}, 0, 1, 0, 0},
		{"PUBLISHED twice", []m{{17, ackID, 1}, {17, ackID, 1}}, 0, 1, 0, 0},
		{"EVENT for nobody", []m{{36, 99, 1, d{}}}, 0, 0, 1, 0},
		{"INVOCATION of nothing", []m{{68, 1, 99, d{}}}, 0, 0, 0, proto.Error},
		{"INTERRUPT of nothing", []m{{69, 99, d{}}}, 0, 1, 0, 0},
		{"revokes an unknown subscription", []m{{35, 0, d{"subscription": 99}}}, 0, 1, 0, 0},
		{"revokes an unknown registration", []m{{67, 0, d{"registration": 99}}}, 0, 1, 0, 0},
		{"answers a CANCEL", []m{{8, 49, callID, d{}, "a.b"}}, 0, 1, 0, 0},
		{"unknown details", []m{{36, topicID, 1, d{"x_new": []any{d{"deep": 1}}, "publisher": nil}}}, 0, 0, 0, 0},
		{"an error URI that is none", []m{{8, 48, callID, d{}, "no uri at all"}}, 0, 0, 0, 0},
		{"a publisher that is no id", []m{{36, topicID, 1, d{"publisher": "joe"}}}, 0, 0, 0, 0},
		{"a payload nested deeply", []m{{36, topicID, 1, d{}, []any{nested(100)}}}, 0, 0, 0, 0},
		{"many elements", []m{{36, topicID, 1, d{}, make([]any, 600)}}, 0, 0, 0, 0},

		{"RESULT of a request to come", []m{{50, lastID + 1, d{}}}, proto.Result, 0, 0, 0},
		{"RESULT of request 0", []m{{50, 0, d{}}}, proto.Result, 0, 0, 0},
		{"RESULT of a PUBLISH", []m{{50, ackID, d{}}}, proto.Result, 0, 0, 0},
		{"ERROR of a request to come", []m{{8, 48, lastID + 1, d{}, "a.b"}}, proto.Error, 0, 0, 0},
		{"ERROR of another type", []m{{8, 16, callID, d{}, "a.b"}}, proto.Error, 0, 0, 0},
		{"ERROR of an INVOCATION", []m{{8, 68, 1, d{}, "a.b"}}, proto.Error, 0, 0, 0},
		{"PUBLISHED of a CALL", []m{{17, callID, 1}}, proto.Published, 0, 0, 0},
		{"PUBLISHED of a request to come", []m{{17, int64(1 << 53), 1}}, proto.Published, 0, 0, 0},
		{"SUBSCRIBED of a CALL", []m{{33, callID, 1}}, proto.Subscribed, 0, 0, 0},
		{"REGISTERED of a CALL", []m{{65, callID, 1}}, proto.Registered, 0, 0, 0},
		{"UNSUBSCRIBED of a CALL", []m{{35, callID}}, proto.Unsubscribed, 0, 0, 0},
		{"UNREGISTERED of a CALL", []m{{67, callID}}, proto.Unregistered, 0, 0, 0},
		{"revokes no subscription", []m{{35, 0}}, proto.Unsubscribed, 0, 0, 0},
		{"revokes no registration", []m{{67, 0, d{"reason": "a.b"}}}, proto.Unregistered, 0, 0, 0},
		{"INVOCATION twice", []m{{68, 1, procID, d{}}, {68, 1, procID, d{}}}, proto.Invocation, 0, 0, 0},
		{"WELCOME twice", []m{{2, 7, d{}}}, proto.Welcome, 0, 0, 0},
		{"CHALLENGE of the joined", []m{{4, "ticket", d{}}}, proto.Challenge, 0, 0, 0},
	} {
		inEach(t, tt.name, func(t *testing.T, c codec.Codec) {
			steps := []wamptest.Step{say(tt.say...)}
			if tt.violation != 0 {
				s, script := busyWith(t, c, append(steps, accused(tt.violation)))
				s.ended(t, tt.violation)
				script.Wait()
				return
			}
			if tt.answer != 0 {
				steps = append(steps, wamptest.Expect(tt.answer))
			}
			s, script := busyWith(t, c, append(steps, lives...))
			synctest.Wait()
			alive(t, s.Session)
			if st := s.Stats(); st.Late != tt.late || st.Dropped != tt.dropped {
				t.Errorf("%d late, %d dropped", st.Late, st.Dropped)
			}
			closeIt(t, s.Session)
			script.Wait()
		})
	}
}

// broken are lists that are no messages, and the type as far as it was reached.
var broken = []struct {
	name string
	say  m
	typ  proto.MessageType
}{
	{"an empty list", m{}, 0},
	{"a type that is text", m{"50", 1, d{}}, 0},
	{"a negative type", m{-50, 1, d{}}, 0},
	{"an unknown type", m{1000, 1, d{}}, 0},
	{"a type that is huge", m{65536 + 50, 1, d{}}, 0},
	{"truncated", m{36, topicID, 1}, proto.Event},
	{"with too much", m{50, callID, d{}, []any{}, d{}, 1}, proto.Result},
	{"a request that is text", m{50, "3", d{}}, proto.Result},
	{"a request that is no integer", m{50, 3.5, d{}}, proto.Result},
	{"a request below zero", m{50, -3, d{}}, proto.Result},
	{"a request above 2^53", m{50, int64(1<<53 + 1), d{}}, proto.Result},
	{"details that are a list", m{50, callID, []any{}}, proto.Result},
	{"details that are null", m{36, topicID, 1, nil}, proto.Event},
	{"a URI that is a number", m{8, 48, callID, d{}, 5}, proto.Error},
	{"arguments that are a dict", m{36, topicID, 1, d{}, d{}}, proto.Event},
	{"arguments that are a number", m{68, 1, procID, d{}, 5}, proto.Invocation},
	{"keywords that are a list", m{50, callID, d{}, []any{}, []any{}}, proto.Result},
	{"too big", m{36, topicID, 1, d{}, []any{strings.Repeat("x", 10_000)}}, 0},
}

// narrow is the limit that some of that breaks.
var narrow = wamp.WithLimits(codec.Limits{Size: 8192})

func nested(n int) any {
	var v any = []any{}
	for range n {
		v = []any{v}
	}
	return v
}

// What is no message ends the session, or the join, with an ABORT and an error
// that says what was wrong with it.
func TestBadInputBroken(t *testing.T) {
	for _, tt := range broken {
		inEach(t, "joined/"+tt.name, func(t *testing.T, c codec.Codec) {
			s, script := busyWith(t, c, []wamptest.Step{say(tt.say), accused(tt.typ)}, narrow)
			var syntax *codec.SyntaxError
			if <-s.Done(); !errors.As(s.Err(), &syntax) || syntax.Codec != c.Name() {
				t.Errorf("%v", s.Err())
			}
			s.ended(t, tt.typ)
			script.Wait()
		})
		inEach(t, "joining/"+tt.name, func(t *testing.T, c codec.Codec) {
			script := wamptest.NewScript(t, wamptest.Expect(proto.Hello), say(tt.say), accused(tt.typ))
			violated(t, "Connect", fails(t, "", wamp.WithTransport(script.Dial), wamp.WithSerializers(c), narrow), tt.typ)
			script.Wait()
		})
	}
}

// Bytes that are nothing at all, in each serializer.
func TestBadInputBytes(t *testing.T) {
	for c, rows := range map[codec.Codec][]string{
		codec.JSON: {"", " ", "[", "[50,3,{}", "[50,3,{}]]", "{}", "null", "nonsense", "[50,3,{\"a\":1,}]", "[50,03,{}]",
			"\xef\xbb\xbf[50,3,{}]", strings.Repeat("[", 5000)},
		codec.CBOR: {"", "\x83\x18\x32\x03", "\x83\x18\x32\x03\xa0\x00", "\xa0", "\xff", "\x9f\x18\x32", "\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
			"\x83\x18\x32\x03\xbb\xff\xff\xff\xff\xff\xff\xff\xff", "\x85\x18\x24\x0a\x01\xa0\x9a\xff\xff\xff\xff", "\x85\x18\x24\x0a\x01\xa0\x7b\x7f\xff\xff\xff\xff\xff\xff\xff",
			strings.Repeat("\x81", 5000), strings.Repeat("\x9f", 5000)},
		codec.MsgPack: {"", "\x93\x32\x03", "\x93\x32\x03\x80\x00", "\x80", "\xc1", "\xdd\xff\xff\xff\xff", "\x93\x32\x03\xdf\xff\xff\xff\xff",
			"\x95\x24\x0a\x01\x80\xdd\xff\xff\xff\xff", "\x95\x24\x0a\x01\x80\xc6\xff\xff\xff\xff", strings.Repeat("\x91", 5000)},
	} {
		for _, raw := range rows {
			t.Run(fmt.Sprintf("%s/%.20q", c.Name(), raw), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, script := busyWith(t, c, []wamptest.Step{wamptest.SendRaw([]byte(raw)), accused(0)})
					var v *wamp.ProtocolError
					if <-s.Done(); !errors.As(s.Err(), &v) {
						t.Fatal(s.Err())
					}
					s.ended(t, v.Message)
					script.Wait()
				})
			})
		}
	}
}

// A count that no message can hold takes no memory, whatever it says.
func TestBadInputTakesNoMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n := 0
	for c, raw := range map[codec.Codec]string{
		codec.CBOR:    "\x85\x18\x24\x0a\x01\xa0\x9a\x7f\xff\xff\xff",
		codec.MsgPack: "\x95\x24\x0a\x01\x80\xdd\x7f\xff\xff\xff",
		codec.JSON:    "[36,10,1,{}," + strings.Repeat("[", 1<<20),
	} {
		synctest.Test(t, func(t *testing.T) {
			s, script := busyWith(t, c, []wamptest.Step{wamptest.SendRaw([]byte(raw)), accused(0)})
			<-s.Done()
			closeIt(t, s.Session)
			script.Wait()
		})
		n++
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 32<<20 {
		t.Errorf("%d messages took %d MiB", n, took>>20)
	}
}

// A message larger than the limit is refused by the transport, before it is in
// memory.
func TestBadInputOversizedFrame(t *testing.T) {
	script := wamptest.NewScript(t, wamptest.Welcome(), wamptest.Do("send too much", func(p *wamptest.Play) error {
		_ = p.SendRaw(bytes.Repeat([]byte("x"), 100_000)) // the client may hang up amid it
		return nil
	}))
	address, _ := webScript(t, script, transport.AcceptOptions{})
	s, err := wamp.Connect(within(t, 10*time.Second), address, "realm1", wamp.WithLimits(codec.Limits{Size: 50_000}))
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, s)
	<-s.Done()
	var lost *wamp.LinkError
	if err := s.Err(); !errors.As(err, &lost) || !errors.Is(err, transport.ErrTooBig) {
		t.Errorf("%v", err)
	}
}

// sampleOf returns a well-formed message of a type.
func sampleOf(typ proto.MessageType) *proto.Message {
	msg := &proto.Message{Type: typ, Request: callID, ID: 1, Publication: 1, URI: "com.example.uri", Text: "ticket"}
	if typ == proto.Error {
		msg.RequestType = proto.Call
	}
	return msg
}

// Every message in every state, as the trait table has it: what may not come
// is a violation that names it, what may come is none.
func TestBadInputEveryMessage(t *testing.T) {
	wrongRequest := map[proto.MessageType]bool{proto.Published: true, proto.Subscribed: true, proto.Registered: true,
		proto.Unsubscribed: true, proto.Unregistered: true} // they answer a CALL
	for _, tr := range proto.AllTraits() {
		send := wamptest.Send(sampleOf(tr.Type))
		joins := []wamptest.Step{wamptest.Expect(proto.Hello)}
		challenged := append(joins, wamptest.Send(&proto.Message{Type: proto.Challenge, Text: "ticket"}), wamptest.Expect(proto.Authenticate))
		for state, steps := range map[proto.State][]wamptest.Step{proto.StateJoining: joins, proto.StateChallenged: challenged} {
			if tr.FromRouter&state != 0 {
				continue // TestConnectAbort, TestLoginTicket and every other test
			}
			t.Run(state.String()+"/"+tr.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					script := wamptest.NewScript(t, slices.Concat(steps, []wamptest.Step{send, accused(tr.Type)})...)
					err := fails(t, "", wamp.WithTransport(script.Dial), wamp.WithAuth(authn.Ticket("joe", "x")))
					violated(t, "Connect", err, tr.Type)
					script.Wait()
				})
			})
		}
		t.Run(proto.StateEstablished.String()+"/"+tr.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if tr.FromRouter&proto.StateEstablished == 0 || wrongRequest[tr.Type] {
					s, script := busyWith(t, codec.CBOR, []wamptest.Step{send, accused(tr.Type)})
					s.ended(t, tr.Type)
					script.Wait()
					return
				}
				s, _ := busyWith(t, codec.CBOR, []wamptest.Step{send})
				synctest.Wait()
				var goodbye *wamp.GoodbyeError
				var abort *wamp.AbortError
				if err := s.Err(); tr.Type == proto.Goodbye && !errors.As(err, &goodbye) || tr.Type == proto.Abort && !errors.As(err, &abort) ||
					tr.Type != proto.Goodbye && tr.Type != proto.Abort && err != nil {
					t.Errorf("%v", err)
				}
				closeIt(t, s.Session)
			})
		})
		t.Run(proto.StateClosing.String()+"/"+tr.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				steps := []wamptest.Step{wamptest.Expect(proto.Goodbye), send}
				legal := tr.FromRouter&proto.StateClosing != 0
				switch {
				case !legal:
					steps = append(steps, accused(tr.Type))
				case tr.Type != proto.Goodbye && tr.Type != proto.Abort:
					steps = append(steps, wamptest.Sleep(time.Second), wamptest.Send(&proto.Message{Type: proto.Goodbye, URI: proto.CloseURIGoodbyeAndOut}))
				}
				s, script := busyWith(t, codec.CBOR, steps)
				closeIt(t, s.Session)
				script.Wait()
				if err := s.Err(); !errors.Is(err, wamp.ErrSessionClosed) || errors.Is(err, wamp.ErrProtocolViolation) == legal {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

// What a router says at the join that is not a matter of types.
func TestBadInputAtJoin(t *testing.T) {
	challenge := wamptest.Send(&proto.Message{Type: proto.Challenge, Text: "again"})
	endless := []wamptest.Step{wamptest.Expect(proto.Hello)}
	for range 16 {
		endless = append(endless, challenge, wamptest.Expect(proto.Authenticate))
	}
	for name, tt := range map[string]struct {
		steps []wamptest.Step
		typ   proto.MessageType
	}{
		"session 0":           {[]wamptest.Step{wamptest.Expect(proto.Hello), say(m{2, 0, d{"roles": d{"broker": d{}}}})}, proto.Welcome},
		"challenges, endless": {append(endless, challenge), proto.Challenge},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := wamptest.NewScript(t, append(tt.steps, accused(tt.typ))...)
				err := fails(t, "", wamp.WithTransport(script.Dial), wamp.WithAuth(obliging{}))
				violated(t, "Connect", err, tt.typ)
				script.Wait()
			})
		})
	}
}

// obliging answers every challenge.
type obliging struct{}

func (obliging) Begin(context.Context, authn.JoinInfo) (authn.Attempt, error) { return obliging{}, nil }
func (obliging) Hello(*authn.Hello) error                                     { return nil }
func (obliging) Welcome(authn.Welcome) error                                  { return nil }
func (obliging) Challenge(context.Context, authn.Challenge) (authn.Response, error) {
	return authn.Response{Signature: "yes"}, nil
}
