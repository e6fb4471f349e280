package main

import (
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/connectanum/connectanum-go/wamp/internal/floor"
)

// payload is the arguments of a flood: the small payload, or so many bytes.
func payload(size int) []any {
	if size == 0 {
		return []any{answer}
	}
	return []any{strings.Repeat("x", size)}
}

// frameOf builds one framed message in memory of its own.
func (p *peer) frameOf(typ, id uint64, values ...any) []byte {
	b := p.w.AppendHead(p.f.Begin(nil), 2+len(values), typ, id)
	return p.f.End(p.w.AppendTail(b, values...), 0)
}

// progress is the frame of a progressive result.
func (p *peer) progress(call uint64, size int) []byte {
	return p.frameOf(floor.TypeResult, call, floor.Pairs("progress", true), payload(size))
}

// event is the frame of an event on the last subscription.
func (p *peer) event(size int) []byte {
	return p.frameOf(floor.TypeEvent, p.lastTopic, idPublication, floor.Dict{}, payload(size))
}

// flood sends a frame count times and then the result of the call, beside
// whatever else is answered meanwhile, at most pace a second unless that is 0.
// obeys says that a CANCEL stops it.
func (p *peer) flood(call uint64, count, pace int, obeys bool, frame []byte) {
	stop := new(atomic.Bool)
	p.mu.Lock()
	p.stops[call] = stop
	p.active++
	p.mu.Unlock()
	last := p.frameOf(floor.TypeResult, call, floor.Dict{}, []any{answer})
	p.floods.Go(func() {
		const block = 64 << 10
		per := max(min(block/len(frame), count), 1)
		if pace > 0 {
			per = min(per, max(pace/1000, 1))
		}
		blocks := make([]byte, 0, per*len(frame))
		for range per {
			blocks = append(blocks, frame...)
		}
		start, sent := time.Now(), 0
		for count > 0 && (!obeys || !stop.Load()) {
			if pace > 0 {
				time.Sleep(time.Until(start.Add(time.Duration(sent) * time.Second / time.Duration(pace))))
			}
			n := min(count, per)
			sent += n
			if !p.put(blocks[:n*len(frame)]) {
				return
			}
			count -= n
		}
		p.mu.Lock()
		delete(p.stops, call)
		canceled := stop.Load()
		p.mu.Unlock()
		if !canceled {
			p.put(last)
		}
		p.ended()
	})
}

// ended notes that a flood has been sent, and answers who waits for that.
func (p *peer) ended() {
	p.mu.Lock()
	var idle []uint64
	if p.active--; p.active == 0 {
		idle, p.idle = p.idle, nil
	}
	p.mu.Unlock()
	for _, call := range idle {
		p.put(p.frameOf(floor.TypeResult, call, floor.Dict{}, []any{answer}))
	}
}

// whenIdle answers a call when no flood is under way.
func (p *peer) whenIdle(call uint64) {
	p.mu.Lock()
	wait := p.active > 0
	if wait {
		p.idle = append(p.idle, call)
	}
	p.mu.Unlock()
	if !wait {
		p.send(4, floor.TypeResult, call, p.resultTail)
	}
}

// put writes b between the answers and says whether that went well. A mutex
// alone would let a flood take it again and again.
func (p *peer) put(b []byte) bool {
	for p.answering.Load() > 0 {
		runtime.Gosched()
	}
	p.write.Lock()
	defer p.write.Unlock()
	_, err := p.conn.Write(b)
	return err == nil
}

// cancel answers a CANCEL of a call that is still running.
func (p *peer) cancel(call uint64) {
	p.mu.Lock()
	stop := p.stops[call]
	delete(p.stops, call)
	p.mu.Unlock()
	if stop == nil || stop.Swap(true) {
		return
	}
	start := len(p.out)
	p.out = p.w.AppendHead(p.f.Begin(p.out), 5, floor.TypeError, floor.TypeCall)
	p.out = p.f.End(p.w.AppendTail(p.out, call, floor.Dict{}, "wamp.error.canceled"), start)
}

// invoke sends invocations with ascending ids, beside whatever else is
// answered meanwhile.
func (p *peer) invoke(count int) {
	tail := p.w.AppendTail(nil, p.lastProc, floor.Dict{}, []any{answer})
	first := p.invoked
	p.invoked += uint64(count)
	p.floods.Go(func() {
		var b []byte
		for i := range count {
			start := len(b)
			b = p.w.AppendHead(p.f.Begin(b), 5, floor.TypeInvocation, first+uint64(i)+1)
			b = p.f.End(append(b, tail...), start)
			if len(b) > 64<<10 || i == count-1 {
				if !p.put(b) {
					return
				}
				b = b[:0]
			}
		}
	})
}
