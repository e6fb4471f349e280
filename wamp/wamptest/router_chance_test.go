package wamptest_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// TestChance plays calls of all kinds at random: progressive ones both ways,
// scatter-gather, with timeouts, cancelled, declined, with callees and callers
// that go away. Whatever happens, each call ends exactly once, in a way that
// something has given it reason for; nothing is lost or out of order before
// that; and no table keeps an entry.
func TestChance(t *testing.T) {
	games := 60
	if testing.Short() {
		games = 20
	}
	ends := map[string]int{}
	for range games {
		seed := rand.Uint64()
		bubble(t, func(t *testing.T, r *wamptest.Router) {
			g := &game{t: t, r: r, rand: rand.New(rand.NewPCG(seed, 0)), ends: ends}
			g.play()
			if t.Failed() {
				t.Logf("seed %d (the schedule is not repeated by it); what happened:", seed)
				for _, line := range g.log {
					t.Log(line)
				}
			}
		}, wamptest.WithSeed(seed))
		if t.Failed() {
			return
		}
	}
	t.Log(ends)
	for _, end := range []string{"result", "all", "com.example.error", proto.ErrURICanceled, proto.ErrURITimeout, proto.ErrURINoAvailableCallee,
		proto.ErrURIUnavailable, proto.ErrURIFeatureNotSupported, proto.ErrURINoSuchProcedure} {
		if ends[end] == 0 && !testing.Short() {
			t.Errorf("no call has ended with %s", end)
		}
	}
}

// game is one run. Only the goroutine of its test touches it.
type game struct {
	t       *testing.T
	r       *wamptest.Router
	rand    *rand.Rand
	players []*player
	calls   []*played // by tag
	going   bool      // somebody goes, and the router may not know yet
	ends    map[string]int
	log     []string
}

// player is a client, caller and callee at once.
type player struct {
	*client
	lacks    []proto.Feature
	open     map[proto.ID]*played // its calls
	held     map[proto.ID]*held   // what it has to answer
	answered map[proto.ID]bool
	regs     map[proto.ID]bool
}

// played is a call. Each message that belongs to it carries its tag.
type played struct {
	tag     int64
	by      *player
	id      proto.ID
	uri     string
	more    bool // chunks are to come
	results bool // progressive ones are asked for
	all     bool // scatter-gather
	chunks  int64
	got     int64             // progressive results
	parts   map[proto.ID]bool // by callee
	seen    bool              // by a callee
	yielded bool              // a final result
	may     map[string]bool   // errors that there is reason for
	ended   string
}

// held is an invocation that is not answered.
type held struct {
	call        *played
	id          proto.ID
	chunks      int64
	results     bool
	interrupted bool
	sent        int64 // progressive results
}

var chanceProcedures = []struct{ uri, invoke, match string }{
	{"com.example.single", "single", "exact"}, {"com.example.roundrobin", "roundrobin", "exact"}, {"com.example.random", "random", "exact"},
	{"com.example.first", "first", "exact"}, {"com.example.last", "last", "exact"}, {"com.example.pattern", "roundrobin", "prefix"},
}

func (g *game) note(format string, args ...any) { g.log = append(g.log, fmt.Sprintf(format, args...)) }

func (g *game) chance(p float64) bool { return g.rand.Float64() < p }

func (g *game) play() {
	for range 4 {
		g.enter()
	}
	moves := []struct {
		weight int
		do     func()
	}{
		{30, g.call}, {15, g.chunk}, {30, g.answer}, {7, g.cancel}, {1, g.die}, {2, g.withdraw}, {3, g.register},
		{6, func() { time.Sleep(time.Duration(g.rand.IntN(150)) * time.Millisecond) }}, {20, g.look},
	}
	total := 0
	for _, m := range moves {
		total += m.weight
	}
	for range 400 {
		n := g.rand.IntN(total)
		for _, m := range moves {
			if n -= m.weight; n < 0 {
				m.do()
				break
			}
		}
	}
	g.finish()
}

// enter brings a player in who serves some of the procedures.
func (g *game) enter() {
	var lacks []proto.Feature
	if g.chance(0.4) {
		some := []proto.Feature{proto.ProgressiveCallInvocations, proto.ProgressiveCallResults, proto.CallCanceling, proto.CallReroute,
			proto.CallTimeout, proto.RegistrationRevocation}
		lacks = append(lacks, some[g.rand.IntN(len(some))])
	}
	c := dial(g.t, g.r.Dial, []string{"cbor", "json", "msgpack"}[g.rand.IntN(3)])
	c.hello("realm1", proto.Entry{Key: "roles", Value: roles(lacks...)})
	p := &player{client: c, lacks: lacks, open: map[proto.ID]*played{}, held: map[proto.ID]*held{}, answered: map[proto.ID]bool{}, regs: map[proto.ID]bool{}}
	g.players = append(g.players, p)
	g.note("%d enters without %v", p.id, lacks)
	for i := range chanceProcedures {
		if g.chance(0.7) {
			g.registerFor(p, i)
		}
	}
}

func (g *game) anyone() *player { return g.players[g.rand.IntN(len(g.players))] }

func (g *game) register() { g.registerFor(g.anyone(), g.rand.IntN(len(chanceProcedures))) }

func (g *game) registerFor(p *player, i int) {
	what := chanceProcedures[i]
	p.request(&proto.Message{Type: proto.Register, URI: what.uri,
		Options: options("invoke", what.invoke, "match", what.match, "forward_timeout", g.chance(0.2), "disclose_caller", g.chance(0.2))})
}

// withdraw ends a registration, from either side.
func (g *game) withdraw() {
	p := g.anyone()
	ids := sortedIDs(p.regs)
	if len(ids) == 0 {
		return
	}
	reg := ids[g.rand.IntN(len(ids))]
	if g.chance(0.5) {
		g.note("%d loses %d", p.id, reg)
		g.r.RevokeRegistration(reg, "com.example.because", p.id)
	} else {
		g.note("%d unregisters %d", p.id, reg)
		p.request(&proto.Message{Type: proto.Unregister, ID: reg})
	}
	delete(p.regs, reg)
}

func (g *game) call() {
	p := g.anyone()
	c := &played{tag: int64(len(g.calls)), by: p, may: map[string]bool{proto.ErrURICanceled: g.going}, parts: map[proto.ID]bool{}}
	g.calls = append(g.calls, c)
	var o proto.Dict
	if c.results = g.chance(0.5); c.results {
		o = o.With("receive_progress", true)
	}
	switch n := g.rand.IntN(10); {
	case n < 4 && !slices.Contains(p.lacks, proto.ProgressiveCallInvocations):
		c.more = true
		o = o.With("progress", true)
		c.may[proto.ErrURIFeatureNotSupported] = true
	case n < 6 && c.results:
		c.all = true
		o = o.With("runmode", "all")
	}
	if !c.all && g.chance(0.2) {
		o = o.With("rkey", fmt.Sprint(g.rand.IntN(5)))
	}
	if g.chance(0.2) {
		o = o.With("timeout", 1+g.rand.IntN(300))
		c.may[proto.ErrURITimeout] = true
	}
	c.uri = chanceProcedures[g.rand.IntN(len(chanceProcedures))].uri
	if g.chance(0.02) {
		c.uri = "com.example.nobody"
	}
	c.id = p.client.call(c.uri, o, c.tag, c.chunks)
	p.open[c.id] = c
	g.note("%d calls %s as %d: tag %d %v", p.id, c.uri, c.id, c.tag, o.Map())
}

// anyCall returns a call that its caller does not know to have ended.
func (g *game) anyCall(fits func(*played) bool) *played {
	var all []*played
	for _, c := range g.calls {
		if slices.Contains(g.players, c.by) && fits(c) {
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[g.rand.IntN(len(all))]
}

// chunk sends the next chunk of a call, at times of one that has ended.
func (g *game) chunk() {
	late := g.chance(0.1)
	if c := g.anyCall(func(c *played) bool { return c.more && (c.ended == "" || late) }); c != nil {
		g.chunkOf(c, g.chance(0.3))
	}
}

func (g *game) chunkOf(c *played, last bool) {
	c.chunks++
	c.more = !last
	c.by.send(&proto.Message{Type: proto.Call, Request: c.id, URI: c.uri, Options: options("progress", c.more)}, c.tag, c.chunks)
	g.note("tag %d: chunk %d, last: %v", c.tag, c.chunks, last)
}

func (g *game) cancel() {
	late := g.chance(0.1)
	if c := g.anyCall(func(c *played) bool { return c.ended == "" || late }); c != nil {
		mode := []string{"", "skip", "kill", "killnowait"}[g.rand.IntN(4)]
		c.may[proto.ErrURICanceled] = true
		c.by.client.cancel(c.id, mode)
		g.note("tag %d: cancel %s", c.tag, mode)
	}
}

// answer says something of an invocation.
func (g *game) answer() {
	p := g.anyone()
	ids := sortedIDs(p.held)
	if len(ids) == 0 {
		return
	}
	h := p.held[ids[g.rand.IntN(len(ids))]]
	switch n := g.rand.IntN(100); {
	case n < 50:
		if h.results {
			h.sent++
			g.yield(p, h, true)
		}
	case n < 80:
		g.yield(p, h, false)
	case n < 92:
		g.fail(p, h, proto.ErrURIUnavailable, proto.ErrURIUnavailable, proto.ErrURINoAvailableCallee)
	default:
		g.fail(p, h, "com.example.error", "com.example.error")
	}
	if g.chance(0.03) {
		p.yield(&proto.Message{Request: ids[0]}, false, -1) // it may be late, and that is not wrong
		if h := p.held[ids[0]]; h != nil {
			h.call.yielded = true
			p.done(h)
		}
	}
}

func (p *player) done(h *held) {
	delete(p.held, h.id)
	p.answered[h.id] = true
}

func (g *game) yield(p *player, h *held, progress bool) {
	if !progress {
		h.call.yielded = true
		p.done(h)
	}
	p.client.yield(&proto.Message{Request: h.id}, progress, h.call.tag, h.sent)
	g.note("%d yields for tag %d, progress: %v", p.id, h.call.tag, progress)
}

func (g *game) fail(p *player, h *held, uri string, may ...string) {
	p.done(h)
	for _, m := range may {
		h.call.may[m] = true
	}
	p.invocationError(&proto.Message{Request: h.id}, uri)
	g.note("%d fails tag %d: %s", p.id, h.call.tag, uri)
}

// die takes a player out of the game and brings another in.
func (g *game) die() {
	i := g.rand.IntN(len(g.players))
	p := g.players[i]
	g.players = slices.Delete(g.players, i, i+1)
	g.going = true
	g.note("%d goes", p.id)
	for _, c := range g.calls {
		c.may[proto.ErrURICanceled] = c.may[proto.ErrURICanceled] || c.ended == ""
	}
	switch g.rand.IntN(5) {
	case 0:
		g.r.Cut(p.id)
	case 1:
		g.r.Kill(p.id, proto.CloseURIKilled)
	case 2:
		p.send(&proto.Message{Type: proto.Goodbye, URI: proto.CloseURICloseRealm})
	case 3:
		p.send(&proto.Message{Type: proto.Abort, URI: proto.CloseURINormal})
	default:
		_ = p.conn.CloseNow()
	}
	g.enter()
}

// look reads what has come, after the router has had its time or in between.
func (g *game) look() {
	if g.chance(0.5) {
		synctest.Wait()
		g.going = false
	}
	for _, p := range g.players {
		for len(p.inbox) > 0 {
			m := p.next()
			if m.err != nil {
				g.t.Fatalf("%d is thrown out: %v", p.id, m.err)
			}
			g.take(p, m.m)
		}
	}
}

func (g *game) take(p *player, m *proto.Message) {
	switch m.Type {
	case proto.Registered:
		p.regs[m.ID] = true
	case proto.Unregistered:
		if id := m.Options.ID("registration"); m.Request == 0 && slices.Contains(p.lacks, proto.RegistrationRevocation) {
			g.t.Errorf("%d is told of %d, and would not understand", p.id, id)
		}
	case proto.Invocation:
		g.takeInvocation(p, m)
	case proto.Interrupt:
		g.takeInterrupt(p, m)
	case proto.Result:
		g.takeResult(p, m)
	case proto.Error:
		if m.RequestType == proto.Call {
			g.takeError(p, m)
		}
	default:
		g.t.Errorf("%d gets %v %s", p.id, m.Type, m.URI)
	}
}

// tagged returns the call that a message belongs to, and its second argument.
func (g *game) tagged(p *player, m *proto.Message) (*played, int64) {
	args, err := p.payload(m).Args()
	if err != nil || len(args) != 2 {
		g.t.Fatalf("%v with %v", m.Type, args)
	}
	return g.calls[args[0].(int64)], args[1].(int64)
}

func (g *game) takeInvocation(p *player, m *proto.Message) {
	c, n := g.tagged(p, m)
	c.seen = true
	h := p.held[m.Request]
	if p.answered[m.Request] {
		if n == 0 {
			g.t.Errorf("tag %d: the id %d is used again", c.tag, m.Request)
		}
		return // a chunk that has crossed the answer
	}
	if h == nil {
		h = &held{call: c, id: m.Request, results: m.Options.Bool("receive_progress"), chunks: -1}
		p.held[m.Request] = h
	}
	if h.chunks++; h.call != c || n != h.chunks {
		g.t.Errorf("tag %d: chunk %d comes as %d of tag %d", c.tag, n, h.chunks, h.call.tag)
	}
	if m.Options.Bool("progress") && (slices.Contains(p.lacks, proto.ProgressiveCallInvocations) || slices.Contains(p.lacks, proto.CallCanceling)) {
		g.t.Errorf("tag %d: %d takes no chunks", c.tag, p.id)
	}
}

func (g *game) takeInterrupt(p *player, m *proto.Message) {
	if slices.Contains(p.lacks, proto.CallCanceling) {
		g.t.Errorf("%d cannot be interrupted", p.id)
	}
	h := p.held[m.Request]
	if h == nil {
		if !p.answered[m.Request] {
			g.t.Errorf("%d never had %d", p.id, m.Request)
		}
		return
	}
	if h.interrupted {
		g.t.Errorf("tag %d: interrupted twice", h.call.tag)
	}
	h.interrupted = true
	if g.chance(0.3) {
		g.fail(p, h, proto.ErrURICanceled) // may be awaited or not
	}
}

// open returns the open call that an answer is for.
func (g *game) open(p *player, m *proto.Message) *played {
	c := p.open[m.Request]
	if c == nil {
		g.t.Fatalf("%v for %d of %d, which has ended", m.Type, m.Request, p.id)
	}
	return c
}

func (g *game) takeResult(p *player, m *proto.Message) {
	c := g.open(p, m)
	progress := m.Options.Bool("progress")
	switch {
	case progress && !c.results:
		g.t.Errorf("tag %d: a progressive result, unasked", c.tag)
	case progress && c.all:
		if from := m.Options.ID("callee"); c.parts[from] {
			g.t.Errorf("tag %d: %d answers again", c.tag, from)
		} else {
			c.parts[from] = true
		}
	case c.all:
		g.end(c, "all")
	case progress:
		of, n := g.tagged(p, m)
		if c.got++; of != c || n != c.got {
			g.t.Errorf("tag %d: result %d of tag %d comes as %d", c.tag, n, of.tag, c.got)
		}
	default:
		if args, _ := p.payload(m).Args(); len(args) == 2 {
			if of, n := g.tagged(p, m); of != c || n != c.got {
				g.t.Errorf("tag %d: the end of tag %d, %d results before it, %d came", c.tag, of.tag, n, c.got)
			}
		}
		if !c.yielded {
			g.t.Errorf("tag %d: nobody has said that", c.tag)
		}
		g.end(c, "result")
	}
}

func (g *game) takeError(p *player, m *proto.Message) {
	c := g.open(p, m)
	if legal := c.may[m.URI] || m.URI == proto.ErrURINoSuchProcedure && !c.seen; !legal {
		g.t.Errorf("tag %d: %s, for no reason", c.tag, m.URI)
	}
	g.end(c, m.URI)
}

func (g *game) end(c *played, how string) {
	c.ended = how
	delete(c.by.open, c.id)
	g.ends[how]++
	g.note("tag %d has ended: %s", c.tag, how)
}

// finish lets everybody who is left answer what is left, and looks whether
// that is all.
func (g *game) finish() {
	for range 20 { // a call may be declined on and on
		synctest.Wait()
		g.look()
		for _, p := range g.players {
			for _, id := range sortedIDs(p.open) {
				if c := p.open[id]; c.more {
					g.chunkOf(c, true)
				}
			}
			for _, id := range sortedIDs(p.held) {
				g.yield(p, p.held[id], false)
			}
		}
	}
	synctest.Wait()
	g.look()
	for _, p := range g.players {
		for id, c := range p.open {
			g.t.Errorf("tag %d, %d of %d, has not ended", c.tag, id, p.id)
		}
	}
	if s := g.r.Stats(); s.Calls+s.Invocations != 0 || len(s.Violations) != 0 {
		g.t.Errorf("left: %+v", s)
	}
	g.r.CutAll()
	synctest.Wait()
	if s := g.r.Stats(); !s.Idle() || s.Callees+s.Sessions+s.Links != 0 {
		g.t.Errorf("left: %+v", s)
	}
}

func sortedIDs[T any](m map[proto.ID]T) []proto.ID {
	var ids []proto.ID
	for id := range m {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
