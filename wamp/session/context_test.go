package session

import (
	"context"
	"errors"
	"testing"
)

// A context that has told that it has ended tells nothing else, also between the two
// steps in which its Done is made: it is there, and not ended yet.
func TestInsideContextStaysEnded(t *testing.T) {
	why := errors.New("why")
	c := &InsideContext{Of: plainInside{}}
	c.Cancel(why)
	if c.Err() == nil {
		t.Fatal("it has not ended")
	}
	ctx, cancel := context.WithCancelCause(c.Of.Base())
	c.made.Store(&insideDone{ctx, cancel})
	if err := c.Err(); err != context.Canceled {
		t.Errorf("Err is %v", err)
	}
	select {
	case <-c.Done():
	default:
		t.Error("Done is open")
	}
	if err := context.Cause(c); err != why {
		t.Errorf("the cause is %v", err)
	}
}

type plainInside struct{}

func (plainInside) Base() context.Context { return context.Background() }
