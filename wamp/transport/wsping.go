package transport

import (
	"context"
	"net"
	"sync"
)

// pinger sends pings by a function that ends with the pong and not before, or
// with the connection. So one ping at most is under way, and who comes
// meanwhile shares the next one.
type pinger struct {
	send func() error
	crew *crew

	mu    sync.Mutex // guards the rest, never held across a call that blocks
	begun int        // pings
	cur   *onePing   // the one under way, nil if none is
}

type onePing struct {
	n    int // 1 is the first
	done chan struct{}
	err  error // after done
}

// ping returns nil when the pong of a ping has come that was begun after the
// call, or when ctx ends and that of an earlier one has come meanwhile.
func (p *pinger) ping(ctx context.Context, closed <-chan struct{}) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.mu.Lock()
	before := p.begun
	p.mu.Unlock()
	alive := false
	for {
		select {
		case <-closed:
			return net.ErrClosed
		default:
		}
		one := p.join()
		select {
		case <-one.done:
			switch {
			case one.err == nil && one.n > before:
				return nil
			case one.err == nil:
				alive = true
				continue
			}
			select {
			case <-closed:
				return net.ErrClosed
			default:
				return one.err
			}
		case <-ctx.Done():
			if alive {
				return nil
			}
			return ctx.Err()
		case <-closed:
			return net.ErrClosed
		}
	}
}

// join returns the ping that is under way, or begins one.
func (p *pinger) join() *onePing {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cur != nil {
		return p.cur
	}
	p.begun++
	one := &onePing{n: p.begun, done: make(chan struct{})}
	p.cur = one
	p.crew.start(p.send, func(err error) { // ends with the pong or the connection
		p.mu.Lock()
		p.cur, one.err = nil, err
		p.mu.Unlock()
		close(one.done)
	})
	return one
}
