package session

import (
	"context"
	"slices"
)

// watched is an operation whose context owns it. It is a member of the list of
// its context's group.
type watched struct {
	group      *ctxGroup
	prev, next *watched
	owner      ctxOwner
}

// ctxOwner is told, on the actor, that its context has ended.
type ctxOwner interface {
	ctxEnded(c *core, ctx context.Context)
}

// ctxGroup is all operations of one context: a thousand calls that share a
// context cost one registration with it.
type ctxGroup struct {
	ctx  context.Context
	stop func() bool // unregisters; set by the host
	head *watched
	idle bool // it is in watchers.idle
}

// idleGroups is how many contexts without an operation stay registered, so
// that one call after another under one context does not register each time.
const idleGroups = 8

// watchers holds the groups. Actor only.
type watchers struct {
	groups  map[<-chan struct{}]*ctxGroup
	idle    []*ctxGroup
	entries int
}

func (w *watchers) init() { w.groups = map[<-chan struct{}]*ctxGroup{} }

// add makes the operation end with ctx.
func (c *core) watch(ctx context.Context, e *watched, owner ctxOwner) {
	done := ctx.Done()
	if done == nil {
		return
	}
	w := &c.watches
	g := w.groups[done]
	if g == nil {
		g = &ctxGroup{ctx: ctx}
		w.groups[done] = g
		c.host.watch(g)
	} else if g.idle {
		g.idle = false
		if i := slices.Index(w.idle, g); i >= 0 {
			w.idle = slices.Delete(w.idle, i, i+1)
		}
	}
	e.owner, e.group, e.prev, e.next = owner, g, nil, g.head
	if g.head != nil {
		g.head.prev = e
	}
	g.head = e
	w.entries++
}

// unwatch takes the operation out of its group. It may be called twice.
func (c *core) unwatch(e *watched) {
	g := e.group
	if g == nil {
		return
	}
	w := &c.watches
	w.unlink(g, e)
	if g.head != nil || w.groups[g.ctx.Done()] != g {
		return
	}
	if len(w.idle) == idleGroups {
		old := w.idle[0]
		copy(w.idle, w.idle[1:])
		w.idle = w.idle[:idleGroups-1]
		w.drop(old)
	}
	g.idle = true
	w.idle = append(w.idle, g)
}

func (w *watchers) unlink(g *ctxGroup, e *watched) {
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		g.head = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	}
	e.group, e.prev, e.next, e.owner = nil, nil, nil, nil
	w.entries--
}

func (w *watchers) drop(g *ctxGroup) {
	delete(w.groups, g.ctx.Done())
	if g.stop != nil {
		g.stop()
	}
}

// close lets go of every context and every operation.
func (w *watchers) close() {
	for _, g := range w.groups {
		for g.head != nil {
			w.unlink(g, g.head)
		}
		if g.stop != nil {
			g.stop()
		}
	}
	clear(w.groups)
	w.idle = nil
}

// ctxDone is the control operation of a context that has ended.
type ctxDone struct{ group *ctxGroup }

func (o *ctxDone) refuse(error) {}

func (o *ctxDone) apply(c *core) {
	g := o.group
	w := &c.watches
	if w.groups[g.ctx.Done()] != g {
		return
	}
	delete(w.groups, g.ctx.Done())
	if g.idle {
		if i := slices.Index(w.idle, g); i >= 0 {
			w.idle = slices.Delete(w.idle, i, i+1)
		}
	}
	// Oldest first: the list has the newest at its head.
	var all []ctxOwner
	for g.head != nil {
		e := g.head
		all = append(all, e.owner)
		w.unlink(g, e)
	}
	for i := len(all) - 1; i >= 0; i-- {
		all[i].ctxEnded(c, g.ctx)
	}
}
