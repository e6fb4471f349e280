package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
)

// Bounds of what a command says: a line of its standard output is a payload, one of standard
// error is for reading.
const (
	mostResult = 16 << 20
	mostText   = 64 << 10
)

// pipeGrace is how long the pipes of a command may stay open when it has ended: what it has
// started may hold them for ever.
const pipeGrace = time.Second

// children are the commands that run.
type children struct {
	mu      sync.Mutex
	running map[*exec.Cmd]bool
	all     sync.WaitGroup
}

// start starts a command that killAll knows of.
func (c *children) start(cmd *exec.Cmd) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	if c.running == nil {
		c.running = map[*exec.Cmd]bool{}
	}
	c.running[cmd] = true
	c.all.Add(1)
	return nil
}

// wait waits for the end of a command, and ends what it has left behind.
func (c *children) wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = killGroup(cmd.Process)
	delete(c.running, cmd)
	c.all.Done()
	return err
}

// count is how many run.
func (c *children) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.running)
}

// kill ends a command that still runs.
func (c *children) kill(cmd *exec.Cmd) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running[cmd] {
		_ = killGroup(cmd.Process)
	}
}

// killAll ends all at once, and lets no other begin.
func (c *children) killAll() {
	c.mu.Lock() // and never unlocked: the program ends
	for cmd := range c.running {
		_ = killGroup(cmd.Process)
	}
}

// child is a command that answers an invocation.
type child struct {
	t    *tool
	inv  *wamp.Invocation
	cmd  *exec.Cmd
	raw  bool // lines are text, whatever they look like
	each bool // every line is a progressive result

	last []byte // line on standard error; of the goroutine that reads it, until that has ended

	mu    sync.Mutex
	wrong error // what it did wrong first, or what was wrong with its input
}

// invocationLine is a payload as a command gets it.
type invocationLine struct{ content }

// run runs the command to its end, and answers the invocation.
func (c *child) run(ctx context.Context) error {
	var ends [3][2]*os.File // standard input, output, error: where it is read and written
	for i := range ends {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		defer r.Close()
		defer w.Close()
		ends[i] = [2]*os.File{r, w}
	}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = ends[0][0], ends[1][1], ends[2][1]
	err := c.t.children.start(c.cmd)
	for _, theirs := range []*os.File{ends[0][0], ends[1][1], ends[2][1]} {
		_ = theirs.Close()
	}
	if err != nil {
		c.t.note("wamp: %v", err)
		return wamp.Errorf(wamp.ErrRuntimeError, "the command cannot be started")
	}
	out, errs := &pipe{File: ends[1][0]}, &pipe{File: ends[2][0]}
	waited := make(chan struct{})
	go func() { // ends with the command
		defer close(waited)
		_ = c.t.children.wait(c.cmd)
		out.over(ctx)
		errs.over(ctx)
	}()
	go c.feed(ends[0][1])
	told := make(chan struct{})
	go func() { // ends with the pipe
		defer close(told)
		c.tell(errs)
	}()
	final, has := c.results(out)
	<-told
	<-waited
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.wrong != nil:
		return c.wrong
	case c.cmd.ProcessState.Success() && has:
		return c.inv.Return(final)
	case c.cmd.ProcessState.Success():
		return c.inv.Return()
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return c.failure()
}

// pipe is what a command writes. When it has ended, what is in the pipe is read, and what
// others write who hold it for as long as they write all the time.
type pipe struct {
	*os.File
	ended atomic.Bool
}

// over says that the command has ended. What is read then is read for as long as ctx lives.
func (p *pipe) over(ctx context.Context) {
	p.ended.Store(true)
	if p.SetReadDeadline(time.Now().Add(pipeGrace)) != nil { // no deadlines on this system
		time.AfterFunc(pipeGrace, func() { _ = p.Close() })
	}
	context.AfterFunc(ctx, func() { time.AfterFunc(pipeGrace, func() { _ = p.Close() }) })
}

func (p *pipe) Read(b []byte) (int, error) {
	if p.ended.Load() {
		_ = p.SetReadDeadline(time.Now().Add(pipeGrace))
	}
	return p.File.Read(b)
}

// feed writes the payloads of the caller to the command: each is a line of JSON, or what -o
// and --format make of it. A command that has closed its input gets no more, and the caller is
// not held up.
func (c *child) feed(to io.WriteCloser) {
	defer func() { _ = to.Close() }()
	closed := false
	for p := range c.inv.Chunks() {
		if closed {
			continue
		}
		content, err := contents(p)
		var text []byte
		if err == nil {
			text, err = c.t.show.text(invocationLine{content})
		}
		if err != nil {
			c.fail(wamp.Errorf(wamp.ErrInvalidArgument, "%v", err))
			return
		}
		if _, err := to.Write(text); err != nil {
			closed = true
		}
	}
}

// tell passes on what the command says on standard error, and remembers the last line.
func (c *child) tell(from io.Reader) {
	r := bufio.NewReaderSize(from, mostText)
	for {
		line, err := r.ReadSlice('\n')
		if text := bytes.TrimRight(line, "\r\n"); len(text) > 0 {
			fmt.Fprintf(c.t.errs, "%s\n", text)
			c.last = append(c.last[:0], text...)
		}
		if err != nil && err != bufio.ErrBufferFull {
			return
		}
	}
}

// results sends the lines of the command as progressive results as they come, but for the last
// one, which is returned: whether a line is that is known with the next one.
func (c *child) results(from io.Reader) (held wamp.Payload, has bool) {
	r := bufio.NewReaderSize(from, 64<<10)
	for n := 1; ; n++ {
		line, err := readLine(r, mostResult)
		if errors.Is(err, errLongLine) {
			c.fail(wamp.Errorf(wamp.ErrPayloadSizeExceeded, "line %d of the command's output: %v", n, err))
		}
		if err != nil {
			return held, has
		}
		p, progress, err := c.result(string(line))
		if err != nil {
			c.fail(wamp.Errorf(wamp.ErrRuntimeError, "line %d of the command's output: %v", n, err))
			return held, has
		}
		if has {
			_ = c.inv.Progress(held) // an error says that the invocation has ended, as ctx does
			held, has = wamp.Payload{}, false
		}
		if progress || c.each {
			_ = c.inv.Progress(p)
			continue
		}
		held, has = p, true
	}
}

// result is what a line stands for: as one of standard input does elsewhere, and a JSON object
// with "progress" too is what wamp call prints, and not held back.
func (c *child) result(text string) (p wamp.Payload, progress bool, err error) {
	if c.raw {
		return wamp.Args(text), false, nil
	}
	v, err := value(text)
	if err != nil {
		return p, false, err
	}
	m, ok := v.(map[string]any)
	if !ok || !only(m, "args", "kwargs", "progress") {
		return wamp.Args(v), false, nil
	}
	progress, ok = m["progress"].(bool)
	if !ok && m["progress"] != nil {
		return wamp.Args(v), false, nil
	}
	p, err = wholePayload(m)
	return p, progress, err
}

// fail ends the command, and answers with an error.
func (c *child) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wrong == nil {
		c.wrong = err
	}
	c.t.note("wamp: %s: %v", c.inv.Procedure(), err)
	c.t.children.kill(c.cmd)
}

// failure is the error of a command that has failed: what it says of itself as the last line of
// standard error, as wamp call does, or that line as the text of wamp.error.runtime_error.
func (c *child) failure() error {
	var said struct {
		Error  string          `json:"error"`
		Args   json.RawMessage `json:"args"`
		Kwargs json.RawMessage `json:"kwargs"`
	}
	if json.Unmarshal(c.last, &said) == nil && said.Error != "" {
		if v, err := fromJSON(string(c.last)); err == nil {
			m := v.(map[string]any)
			if p, err := wholePayload(m); err == nil {
				return wamp.NewError(said.Error, p)
			}
		}
	}
	state := c.cmd.ProcessState
	text := string(c.last)
	if text == "" {
		text = state.String()
	}
	return wamp.NewError("wamp.error.runtime_error", wamp.Args(text).With("exit_code", state.ExitCode()).With("ended", state.String()))
}
