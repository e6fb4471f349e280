package main

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// messageLine is a message of the router as it is printed.
type messageLine struct {
	Time    time.Time      `json:"time"`
	Session uint64         `json:"session,omitempty"` // none before it has joined
	Sent    bool           `json:"sent"`              // to the client; else it came from it
	Type    string         `json:"type"`
	Request uint64         `json:"request,omitempty"`
	ID      uint64         `json:"id,omitempty"` // of a session, subscription, registration
	URI     string         `json:"uri,omitempty"`
	Options map[string]any `json:"options,omitempty"`
	Args    []any          `json:"args,omitempty"`
	Kwargs  map[string]any `json:"kwargs,omitempty"`
	Bytes   int            `json:"bytes,omitempty"` // of a payload that is too long to be printed
}

func (l messageLine) raw() []any {
	way := "->" // to the router
	if l.Sent {
		way = "<-"
	}
	parts := []string{l.Time.Local().Format("15:04:05.000"), fmt.Sprint(l.Session), way, l.Type}
	for _, id := range []uint64{l.Request, l.ID} {
		if id != 0 {
			parts = append(parts, fmt.Sprint(id))
		}
	}
	if l.URI != "" {
		parts = append(parts, l.URI)
	}
	if len(l.Options) > 0 {
		parts = append(parts, compact(l.Options))
	}
	switch {
	case l.Bytes > 0:
		parts = append(parts, fmt.Sprintf("(%d bytes)", l.Bytes))
	case len(l.Kwargs) > 0:
		parts = append(parts, compact(l.Args), compact(l.Kwargs))
	case len(l.Args) > 0:
		parts = append(parts, compact(l.Args))
	}
	return []any{visible(strings.Join(parts, " "))}
}

// longPayload is from how many bytes on a payload is not printed.
const longPayload = 1024

// hidden is what is printed in the place of a secret.
const hidden = "***"

// messageOf makes the line of a message. What a login sends is left out: a ticket is a
// secret, and from a signature a password can be guessed.
func messageOf(x *wamptest.Exchange) messageLine {
	m := x.Message
	l := messageLine{Time: time.Now(), Session: uint64(x.Session), Sent: x.Sent, Type: m.Type.String(),
		Request: uint64(m.Request), ID: uint64(m.ID), URI: m.URI}
	if m.Type == proto.Challenge || m.Type == proto.Authenticate {
		if m.Type == proto.Challenge {
			l.URI = m.Text // the method
		}
		return l
	}
	if len(m.Options) > 0 {
		l.Options = printable(clone(m.Options.Map())).(map[string]any)
		if _, is := l.Options[proto.KeyAuthExtra]; is {
			l.Options[proto.KeyAuthExtra] = hidden
		}
	}
	if size := len(m.Args) + len(m.Kwargs); size > longPayload {
		l.Bytes = size
		return l
	}
	if c, err := contents(codec.Received(x.Codec, m)); err == nil {
		l.Args, l.Kwargs = c.Args, c.Kwargs
	} else {
		l.Bytes = len(m.Args) + len(m.Kwargs)
	}
	return l
}

// clone copies a plain value, whose parts are the router's.
func clone(v any) any {
	switch v := v.(type) {
	case []any:
		c := make([]any, len(v))
		for i := range v {
			c[i] = clone(v[i])
		}
		return c
	case map[string]any:
		c := make(map[string]any, len(v))
		for k := range v {
			c[k] = clone(v[k])
		}
		return c
	}
	return v
}

// messageLog writes what the router has to tell on a goroutine of its own: the router must
// not wait for whoever reads it.
type messageLog struct {
	lines  chan any // a messageLine, or the text of a note
	lost   atomic.Int64
	on     atomic.Bool // messages are printed: the addresses have been
	failed chan error  // capacity 1: nothing more can be printed
	end    chan struct{}
	wg     sync.WaitGroup
}

// startLog starts the log of a router. stop ends it.
func startLog(t *tool) *messageLog {
	log := &messageLog{lines: make(chan any, 4096), failed: make(chan error, 1), end: make(chan struct{})}
	log.wg.Go(func() { log.write(t) }) // ends with stop
	return log
}

// stop writes what is left, as long as that does not wait, and ends the log.
func (log *messageLog) stop() {
	close(log.end)
	done := make(chan struct{})
	go func() { // ends with the writer, or the program
		log.wg.Wait()
		close(done)
	}()
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C: // nobody reads it
	}
}

func (log *messageLog) write(t *tool) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	tell := func() {
		if n := log.lost.Swap(0); n > 0 {
			t.note("wamp: %d messages were not printed: they came faster than they are written", n)
		}
	}
	defer tell()
	for {
		select {
		case l := <-log.lines:
			log.one(t, l)
		case <-tick.C:
			tell()
		case <-log.end:
			for {
				select {
				case l := <-log.lines:
					log.one(t, l)
				default:
					return
				}
			}
		}
	}
}

func (log *messageLog) one(t *tool, l any) {
	switch l := l.(type) {
	case string:
		t.note("wamp: the router: %s", l)
	case messageLine:
		if err := t.printRow(l); err != nil {
			select {
			case log.failed <- err:
			default:
			}
		}
	}
}

func (log *messageLog) put(l any) {
	select {
	case log.lines <- l:
	default:
		log.lost.Add(1)
	}
}

// hook is a wamptest.Hook that lets everything pass.
func (log *messageLog) hook(x *wamptest.Exchange) wamptest.Action {
	if log.on.Load() {
		log.put(messageOf(x))
	}
	return wamptest.Pass()
}

// note takes what the router tells of what it leaves out.
func (log *messageLog) note(text string) { log.put(text) }
