//go:build interop

package interop_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
)

// python is the autobahn-python peer, testdata/interop/peer.py, started when
// it is first asked.
var python = &peer{}

type peer struct {
	once    sync.Once
	err     error
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	readers sync.WaitGroup

	mu      sync.Mutex
	id      int
	waiting map[int]chan []byte
	ended   error
	stderr  tail
}

// tail keeps the last lines of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if most := 1 << 14; len(t.text) > most {
		t.text = t.text[len(t.text)-most:]
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

func (p *peer) start() error {
	crossbar := os.Getenv("CROSSBAR")
	if crossbar == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return err
		}
		crossbar = filepath.Join(cache, "wamp-interop", "venv", "bin", "crossbar")
	}
	p.cmd = exec.Command(filepath.Join(filepath.Dir(crossbar), "python"), filepath.Join(rig.source, "peer.py"), rig.file)
	p.cmd.Stderr = &p.stderr
	p.waiting = map[int]chan []byte{}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewReaderSize(stdout, 1<<20)
	ready := make(chan error, 1)
	p.readers.Go(func() {
		line, err := lines.ReadString('\n')
		if err == nil && line != "READY\n" {
			err = fmt.Errorf("peer.py said %q, not READY", line)
		}
		ready <- err
		if err == nil {
			p.read(lines)
		}
	})
	select {
	case err = <-ready:
	case <-time.After(30 * time.Second):
		err = errors.New("peer.py is not ready after 30 s")
	}
	if err != nil {
		_ = p.cmd.Process.Kill()
		return fmt.Errorf("%w\n%s", err, p.stderr.String())
	}
	return nil
}

func (p *peer) read(lines *bufio.Reader) {
	for {
		line, err := lines.ReadBytes('\n')
		p.mu.Lock()
		if err != nil {
			p.ended = fmt.Errorf("peer.py has ended: %w", err)
			for id, ch := range p.waiting {
				delete(p.waiting, id)
				close(ch)
			}
			p.mu.Unlock()
			return
		}
		var head struct{ ID int }
		if json.Unmarshal(line, &head) == nil {
			if ch := p.waiting[head.ID]; ch != nil {
				delete(p.waiting, head.ID)
				ch <- line
			}
		}
		p.mu.Unlock()
	}
}

// stop ends the peer: it leaves when its stdin is closed.
func (p *peer) stop() {
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	_ = p.stdin.Close()
	late := time.AfterFunc(5*time.Second, func() { _ = p.cmd.Process.Kill() })
	p.readers.Wait()
	_ = p.cmd.Wait()
	late.Stop()
}

// request is a command for peer.py, which lists them.
type request map[string]any

// reply is its answer; each command fills some of it.
type reply struct {
	OK         bool
	Error      string
	Session    uint64
	AuthID     string
	Protocol   string
	Reason     string // leave
	Goodbye    string // left
	Progress   []message
	Result     *message
	Failed     *message
	Silent     bool
	MS         int
	N          int
	Bad        []string
	Events     []message
	IDs        []uint64 `json:"publications"`
	Subscribed uint64   `json:"subscription"`
	Stopped    []string
	Calls      int
	Running    int `json:"invocations"`
	Said       string
	Names      []string
	Interrupt  []struct {
		Mode, Reason *string
	} `json:"interrupts"`
}

// message is an application payload as peer.py saw it, with what came beside.
type message struct {
	URI    string
	Topic  string
	Args   []tagged
	Kwargs map[string]tagged

	Publication       wamp.ID
	Publisher         wamp.ID
	PublisherAuthID   string `json:"publisher_authid"`
	PublisherAuthRole string `json:"publisher_authrole"`
	Retained          bool
	Sealed            string
}

// begin sends a command; the function it returns waits for the answer.
func (p *peer) begin(t *testing.T, cmd, session string, req request) func() reply {
	t.Helper()
	if p.once.Do(func() { p.err = p.start() }); p.err != nil {
		t.Fatal(p.err)
	}
	if req == nil {
		req = request{}
	}
	ch := make(chan []byte, 1)
	p.mu.Lock()
	p.id++
	req["id"], req["cmd"], req["session"] = p.id, cmd, session
	line, err := json.Marshal(req)
	if err == nil && p.ended != nil {
		err = p.ended
	}
	if err == nil {
		p.waiting[p.id] = ch
		_, err = p.stdin.Write(append(line, '\n'))
	}
	p.mu.Unlock()
	if err != nil {
		t.Fatalf("peer.py: %v\n%s", err, p.stderr.String())
	}
	return func() reply {
		t.Helper()
		select {
		case line, ok := <-ch:
			if !ok {
				t.Fatalf("peer.py has ended\n%s", p.stderr.String())
			}
			var r reply
			if err := json.Unmarshal(line, &r); err != nil {
				t.Fatalf("peer.py: %v: %.300s", err, line)
			}
			if !r.OK {
				t.Fatalf("peer.py: %s: %s", cmd, r.Error)
			}
			return r
		case <-time.After(60 * time.Second):
			t.Fatalf("peer.py: %s: no answer\n%s", cmd, lastLines(p.stderr.String(), 20))
		}
		panic("not reached")
	}
}

func (p *peer) ask(t *testing.T, cmd, session string, req request) reply {
	t.Helper()
	return p.begin(t, cmd, session, req)()
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// partner is a session of the peer.
type partner struct {
	name     string
	id       wamp.ID
	authid   string
	protocol string // of a WebSocket
	prefix   string // of its procedures
	gone     bool   // the test has let it go
}

// joinPartner joins the peer over the cell and lets it offer its procedures.
// It leaves at the end of the test.
func joinPartner(t *testing.T, c cell) *partner {
	t.Helper()
	prefix := c.uri("py", "")
	p := newPartner(t, c, "", request{"offer": prefix})
	p.prefix = prefix
	return p
}

// newPartner joins one more session of the peer, with what is asked for. It
// leaves at the end of the test, unless it has left before.
func newPartner(t *testing.T, c cell, name string, req request) *partner {
	t.Helper()
	p := &partner{name: t.Name() + name}
	join := request{"kind": c.kind, "codec": c.codec.Name()}
	maps.Copy(join, req)
	d := python.ask(t, "join", p.name, join)
	p.id, p.authid, p.protocol = wamp.ID(d.Session), d.AuthID, d.Protocol
	t.Cleanup(func() {
		if !p.gone {
			p.leave(t)
		}
	})
	return p
}

func (p *partner) leave(t *testing.T) {
	t.Helper()
	p.gone = true
	p.ask(t, "leave", nil)
}

func (p *partner) ask(t *testing.T, cmd string, req request) reply {
	t.Helper()
	return python.ask(t, cmd, p.name, req)
}

// begin is ask without waiting for the answer, which the function it returns
// does.
func (p *partner) begin(t *testing.T, cmd string, req request) func() reply {
	t.Helper()
	return python.begin(t, cmd, p.name, req)
}

// events takes the first events of a topic, all of which must come.
func (p *partner) events(t *testing.T, topic string, n int) []message {
	t.Helper()
	got := p.ask(t, "events", request{"topic": topic, "count": n, "wait": patience.Seconds()}).Events
	if len(got) < n {
		t.Fatalf("%s: the peer got %d events, want %d", topic, len(got), n)
	}
	return got
}

// running waits until so many invocations run at the peer.
func (p *partner) running(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		got := p.ask(t, "stats", nil).Running
		if got == n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d invocations run at the peer, want %d", got, n)
		}
	}
}
