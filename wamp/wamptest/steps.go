package wamptest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Step is one thing that a Script does.
type Step struct {
	name string
	do   func(p *Play) error
}

// Do is a step of one's own. An error fails the test with the step's name and
// ends the play.
func Do(name string, f func(p *Play) error) Step { return Step{name, f} }

// Expect takes the next message of the client, which must be of the type and
// pass the checks.
func Expect(t proto.MessageType, checks ...func(m *proto.Message) error) Step {
	return Do("expect "+t.String(), func(p *Play) error {
		m, err := p.Receive()
		if err != nil {
			return err
		}
		if m.Type != t {
			return fmt.Errorf("got %v %s %v", m.Type, m.URI, m.Options)
		}
		for _, check := range checks {
			if err := check(m); err != nil {
				return err
			}
		}
		return nil
	})
}

// Send sends a message as it is.
func Send(m *proto.Message, payload ...codec.Payload) Step {
	return Do("send "+m.Type.String(), func(p *Play) error { return p.Send(m, payload...) })
}

// Answer sends a message with the request id of the message that was received
// last; for ERROR its type as well.
func Answer(m *proto.Message, payload ...codec.Payload) Step {
	return Do("answer "+m.Type.String(), func(p *Play) error {
		last := p.Last()
		if last == nil {
			return errors.New("there is nothing to answer")
		}
		out := *m
		out.Request = last.Request
		if out.Type == proto.Error {
			out.RequestType = last.Type
		}
		return p.Send(&out, payload...)
	})
}

// SendRaw sends bytes, each slice as one message.
func SendRaw(messages ...[]byte) Step {
	return Do("send bytes", func(p *Play) error {
		for _, m := range messages {
			if err := p.SendRaw(m); err != nil {
				return err
			}
		}
		return nil
	})
}

// Burst does the steps and puts all that they send into one write.
func Burst(steps ...Step) Step {
	names := make([]string, len(steps))
	for i := range steps {
		names[i] = steps[i].name
	}
	return Do("burst of "+strings.Join(names, ", "), func(p *Play) error {
		p.burst = true
		for _, s := range steps {
			if err := s.do(p); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
		p.burst = false
		return p.flush()
	})
}

// Welcome takes HELLO and answers WELCOME, with a session id as SessionID says
// and all the features of Features; details come on top or replace them.
func Welcome(details ...proto.Entry) Step {
	return Do("welcome", func(p *Play) error {
		if err := Expect(proto.Hello).do(p); err != nil {
			return err
		}
		roles := Features()
		d := proto.Dict{{Key: proto.KeyRoles, Value: roles.Dict()}, {Key: proto.KeyRealm, Value: p.Last().URI}}
		for _, e := range details {
			d = d.With(e.Key, e.Value)
		}
		return p.Send(&proto.Message{Type: proto.Welcome, ID: SessionID(p.number), Options: d})
	})
}

// SessionID is the session id that Welcome gives on a script's n-th
// connection, counted from 1.
func SessionID(n int) proto.ID { return proto.ID(1_000_000 + n) }

// Roles is the entry of WELCOME.Details that announces roles, for Welcome.
func Roles(roles proto.Roles) proto.Entry {
	return proto.Entry{Key: proto.KeyRoles, Value: roles.Dict()}
}

// Sleep waits for d.
func Sleep(d time.Duration) Step {
	return Do("sleep "+d.String(), func(p *Play) error {
		if !p.wait(d) {
			return errStopped
		}
		return nil
	})
}

// Silence waits for d, in which nothing may come.
func Silence(d time.Duration) Step {
	return Do("silence for "+d.String(), func(p *Play) error {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case next := <-p.in:
			if next.err != nil {
				return next.err
			}
			return fmt.Errorf("got %v %s", next.message.Type, next.message.URI)
		case <-timer.C:
			return nil
		case <-p.script.stop:
			return errStopped
		}
	})
}

// Then runs f.
func Then(f func()) Step {
	return Do("then", func(*Play) error {
		f()
		return nil
	})
}

// Await waits for a channel, so that a test can hold the script.
func Await(ch <-chan struct{}) Step {
	return Do("await", func(p *Play) error {
		select {
		case <-ch:
			return nil
		case <-p.script.stop:
			return errStopped
		}
	})
}

// Stall stops reading and answering pings, until Unstall.
func Stall() Step { return Do("stall", func(p *Play) error { p.gate.shut(); return nil }) }

// Unstall goes on with reading.
func Unstall() Step { return Do("unstall", func(p *Play) error { p.gate.open(); return nil }) }

// Close closes the connection in order.
func Close() Step {
	return Do("close", func(p *Play) error {
		p.closed = true
		ctx, cancel := context.WithTimeout(context.Background(), endTimeout) //nolint:forbidigo // a script has no context
		defer cancel()
		_ = p.conn.Close(ctx) // whether the client plays along is its own business
		return nil
	})
}

// Cut tears the connection down.
func Cut() Step {
	return Do("cut", func(p *Play) error {
		p.closed = true
		_ = p.conn.CloseNow()
		return nil
	})
}

// ExpectEnd waits until the client has ended the connection, with nothing
// before it.
func ExpectEnd() Step {
	return Do("expect the end", func(p *Play) error {
		m, err := p.Receive()
		switch {
		case err == nil:
			return fmt.Errorf("got %v %s", m.Type, m.URI)
		case m != nil, errors.Is(err, errStopped):
			return err // a broken message, or none
		}
		p.closed = true
		return nil
	})
}
