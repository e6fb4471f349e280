package session

import (
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Some routers keep a short queue of what they have to say to a client, 64
// messages, and throw away what does not fit: answers too. So no more requests
// that wait for an acknowledgement are under way than such a queue can hold:
// one window for handles, one for acknowledged publishes. What is beyond waits
// here, in its order. Calls do not wait: their answers come when they come.

// Windows bound the requests that wait for the router's acknowledgement.
type Windows struct {
	// Handles bounds SUBSCRIBE, REGISTER, UNSUBSCRIBE and UNREGISTER together.
	// Default 32.
	Handles int
	// Publishes bounds PUBLISH with acknowledge. Default 24.
	Publishes int
}

func (w *Windows) setDefaults() {
	if w.Handles <= 0 {
		w.Handles = 32
	}
	if w.Publishes <= 0 {
		w.Publishes = 24
	}
}

// ask is a request about a handle: SUBSCRIBE, REGISTER, UNSUBSCRIBE or
// UNREGISTER.
type ask interface {
	request
	// send appends the message. wanted is false where nobody needs it any more.
	send(c *core) (id proto.ID, wanted bool, err error)
	// refused takes the error by which it could not be sent.
	refused(c *core, err error)
	// silent is called when the router has not acknowledged it in time.
	silent(c *core)
	// topic is the topic that publishes must not go to before it was sent, "" if
	// there is none.
	topicOf() string
	state() *asking
}

// asking is what every ask has.
type asking struct {
	at    *node[ask] // its place in the queue, nil without one
	open  bool       // it has been sent, and takes a place in the window
	id    proto.ID
	seq   uint64
	timer timer
}

func (q *asking) state() *asking         { return q }
func (q *asking) written() (uint64, int) { return q.seq, 0 }

// pending reports whether it waits, to be sent or for an answer.
func (q *asking) pending() bool { return q.at.listed() || q.open }

// handleWindow is the window of asks. Actor only.
type handleWindow struct {
	limit   int
	open    int // sent and not acknowledged
	queue   list[ask]
	topics  map[string]int // how many in the queue name that topic
	pumping bool
	leaving map[leaving]*leaveRequest
}

func (w *handleWindow) init(limit int) {
	w.limit, w.topics, w.leaving = limit, map[string]int{}, map[leaving]*leaveRequest{}
}

// ask sends a request as soon as the window has a place for it.
func (c *core) ask(a ask) {
	w := &c.handleWindow
	a.state().at = w.queue.push(a)
	if topic := a.topicOf(); topic != "" {
		w.topics[topic]++
	}
	c.pumpHandles()
}

// unqueue takes an ask out of the queue.
func (w *handleWindow) unqueue(a ask) {
	q := a.state()
	if !q.at.listed() {
		return
	}
	w.queue.remove(q.at)
	q.at = nil
	if topic := a.topicOf(); topic != "" {
		if w.topics[topic]--; w.topics[topic] == 0 {
			delete(w.topics, topic)
		}
	}
}

// pumpHandles sends what the window has places for.
func (c *core) pumpHandles() {
	w := &c.handleWindow
	if w.pumping { // what is asked for meanwhile is seen by the loop
		return
	}
	w.pumping = true
	sent := false
	for w.open < w.limit && w.queue.len() > 0 && c.state == proto.StateEstablished {
		a := w.queue.first().value
		w.unqueue(a)
		c.sendAsk(a)
		sent = true
	}
	w.pumping = false
	if sent {
		c.pumpPublishes() // one may have waited for a SUBSCRIBE of its topic
	}
}

func (c *core) sendAsk(a ask) {
	id, wanted, err := a.send(c)
	if err != nil {
		a.refused(c, err)
		return
	}
	if !wanted {
		return
	}
	q := a.state()
	q.id, q.seq, q.open = id, c.outSeq, true
	c.handleWindow.open++
	c.requests.Put(id, a)
	c.onWrite(&q.timer, c.cfg.AckTimeout, timerFunc(func(c *core) {
		if c.mayHave(&q.timer) {
			return
		}
		c.free(a)
		a.silent(c)
	}))
}

// mayHave reports whether an acknowledgement that is late may be there: a consumer
// holds the link back. Its timer starts again then.
func (c *core) mayHave(t *timer) bool {
	if c.gates == 0 {
		return false
	}
	c.timers.start(t, c.host.now().Add(c.cfg.AckTimeout))
	return true
}

// free gives the place of an ask in the window back.
func (c *core) free(a ask) {
	q := a.state()
	if !q.open {
		return
	}
	q.open = false
	c.timers.stop(&q.timer)
	c.handleWindow.open--
	c.pumpHandles()
}

// askAfter asks for what the router has given the id of something that was being
// left, and so has ended with it.
func (c *core) askAfter(then *[]ask) {
	all := *then
	*then = nil
	for _, a := range all {
		c.ask(a)
	}
}

// suspend forgets what was asked for on a link that is lost: handles ask again,
// and what was being left is gone with the link.
func (w *handleWindow) suspend(c *core) {
	for w.queue.len() > 0 {
		a := w.queue.first().value
		w.unqueue(a)
		a.suspend(c, nil)
	}
	w.open = 0
}

// refuse is the end of the session.
func (w *handleWindow) refuse(c *core, err error) {
	for w.queue.len() > 0 {
		a := w.queue.first().value
		w.unqueue(a)
		a.lost(c, err)
	}
	w.open = 0
}

// ackWindow is the window of acknowledged publishes. Behind one that waits,
// others to the same topic wait too, acknowledged or not: the order of a topic
// is kept. Actor only.
type ackWindow struct {
	limit   int
	open    int
	queue   list[*Publish]
	topics  map[string]int // how many in the queue go to that topic
	pumping bool
}

func (w *ackWindow) init(limit int) { w.limit, w.topics = limit, map[string]int{} }

// holds reports whether a publish has to wait.
func (c *core) holds(p *Publish) bool {
	return p.windowed() && c.ackWindow.open >= c.ackWindow.limit || c.held(p.URI)
}

// held reports whether every publish to a topic has to wait.
func (c *core) held(topic string) bool {
	w := &c.ackWindow
	return len(w.topics) > 0 && w.topics[topic] > 0 || c.awaits(topic)
}

// awaits reports whether a SUBSCRIBE for a topic waits to be sent.
func (c *core) awaits(topic string) bool {
	h := &c.handleWindow
	return len(h.topics) > 0 && h.topics[topic] > 0
}

// queuePublish lets a publish wait. Its bytes count until it is sent.
func (c *core) queuePublish(p *Publish) {
	w := &c.ackWindow
	p.at = w.queue.push(p)
	w.topics[p.URI]++
	if p.Sink != nil {
		c.watch(p.Ctx, &p.watch, p)
	}
}

// unqueue takes a publish out of the queue. It reports whether it was there.
func (w *ackWindow) unqueue(p *Publish) bool {
	if !p.at.listed() {
		return false
	}
	w.queue.remove(p.at)
	p.at = nil
	if w.topics[p.URI]--; w.topics[p.URI] == 0 {
		delete(w.topics, p.URI)
	}
	return true
}

// pumpPublishes sends what need not wait any more.
func (c *core) pumpPublishes() {
	w := &c.ackWindow
	if w.pumping {
		return
	}
	w.pumping = true
	defer func() { w.pumping = false }()
	for w.queue.len() > 0 && c.state == proto.StateEstablished {
		p := w.queue.first().value
		if p.windowed() && w.open >= w.limit || c.awaits(p.URI) {
			return
		}
		w.unqueue(p)
		c.unwatch(&p.watch)
		p.sendNow(c)
	}
}

// take empties the queue. The bytes of what waited are given back: while there
// is no link nothing more is taken in.
func (w *ackWindow) take() []*Publish {
	clear(w.topics)
	w.open = 0
	all := w.queue.take()
	for _, p := range all {
		p.at = nil
	}
	return all
}

// refuse is the end of the session.
func (w *ackWindow) refuse(err error) {
	for _, p := range w.take() {
		p.refuse(err)
	}
}
