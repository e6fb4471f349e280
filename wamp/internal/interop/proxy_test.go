//go:build interop

package interop_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/meta"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// TestWorkerKilled kills a router worker behind a proxy. Crossbar tells its
// clients GOODBYE wamp.close.normal, and goes on to give it every second new
// connection, which it refuses with ABORT wamp.error.authentication_failed. Both
// are losses to a session that had joined before: it dials again until it gets to
// the other worker, with its handles. What was under way has an unknown outcome.
func TestWorkerKilled(t *testing.T) {
	node, urls := startProxy(t)
	const procedure, topic = "com.interop.proxy.proc", "com.interop.proxy.topic"
	type client struct {
		s   *wamp.Session
		log *causes
		was *wamp.Details
		reg *wamp.Service
		sub *wamp.Subscription

		call wamp.Results // under way when it happens
		inv  *wamp.Invocation
	}
	var clients []*client
	workers := map[int][]*client{}
	for i, kind := range []string{"raw", "raw", "ws", "ws", "raw", "ws"} { // the proxy gives them to one and the other in turns
		c := &client{log: &causes{}}
		var err error
		if c.s, err = wamp.Connect(limit(t), urls[kind], realm, wamp.WithSerializers(codecs[i%len(codecs)]), wamp.WithLogger(slog.New(c.log)),
			wamp.WithReconnect(wamp.Backoff{Min: 20 * time.Millisecond, Max: 300 * time.Millisecond})); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { leave(t, c.s) })
		c.was = c.s.Details()
		if c.reg, err = c.s.Handle(context.Background(), fmt.Sprint(procedure, i), func(_ context.Context, inv *wamp.Invocation) error {
			return inv.Return(wamp.Args(i))
		}); err != nil {
			t.Fatal(err)
		}
		c.sub = subscribe(t, c.s, fmt.Sprint(topic, i))
		hung, err := c.s.Register(c.s.Context(), fmt.Sprint(procedure, i, ".hang"))
		if err != nil {
			t.Fatal(err)
		}
		c.call = c.s.Call(limit(t), hung.Procedure(), wamp.Args())
		c.inv = <-hung.Invocations()
		clients = append(clients, c)
		workers[workerOf(t, c.was)] = append(workers[workerOf(t, c.was)], c)
	}
	if len(workers) != 2 {
		t.Fatalf("%d workers, want 2", len(workers))
	}
	dead := workerOf(t, clients[0].was)
	killWorker(t, node, dead)
	goodbyes, refusals := 0, 0
	for i, c := range clients {
		hit := workerOf(t, c.was) == dead
		if hit {
			rejoined(t, c.s, c.was.Session)
		}
		if workerOf(t, c.s.Details()) == dead || !hit && c.s.ID() != c.was.Session {
			t.Errorf("client %d is session %d at worker %d, and was %d at %d", i, c.s.ID(), workerOf(t, c.s.Details()), c.was.Session, workerOf(t, c.was))
		}
		if hit && !c.log.has("wamp: connection lost", proto.CloseURINormal) {
			t.Errorf("client %d was not told wamp.close.normal: %v", i, c.log)
		}
		if !hit {
			if err := c.inv.Return(); err != nil {
				t.Error(err)
			}
		}
		var unknown *wamp.OutcomeUnknown
		if _, err := c.call.Final(); hit != errors.As(err, &unknown) || !hit && err != nil {
			t.Errorf("client %d: the call that was under way: %v", i, err)
		}
		goodbyes += c.log.count("wamp: connection lost", proto.CloseURINormal)
		refusals += c.log.count("wamp: connecting", "authentication_failed")
	}
	if goodbyes < len(workers[dead]) || refusals == 0 {
		t.Errorf("%d GOODBYEs and %d refusals, with %d sessions at the worker", goodbyes, refusals, len(workers[dead]))
	}
	t.Logf("%d of %d sessions were at the worker; %d refusals on their way back", len(workers[dead]), len(clients), refusals)
	// The handles are back, and everybody is at the same worker now.
	for i, c := range clients {
		for k, other := range clients {
			got := -1
			for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
				r, err := other.s.Call(limit(t), c.reg.Procedure(), wamp.Args()).Final()
				if err = errors.Join(err, r.Scan(&got)); err == nil && got == i {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("client %d calls %d: %d, %v", k, i, got, err)
				}
			}
		}
		other := clients[(i+1)%len(clients)].s
		for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
			if id, err := meta.Of(other).LookupSubscription(limit(t), c.sub.Topic(), wamp.Exact); id != 0 && err == nil {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("client %d's subscription is not back", i)
			}
		}
		publish(t, other, c.sub.Topic(), wamp.Args("after"))
		if ev := next(t, c.sub); text(t, ev.Payload) != "after" || ev.AfterGap != (workerOf(t, c.was) == dead) {
			t.Errorf("client %d: %+v", i, ev)
		}
		if c.reg.Err() != nil || c.sub.Err() != nil || c.s.Err() != nil {
			t.Errorf("client %d: %v, %v, %v", i, c.reg.Err(), c.sub.Err(), c.s.Err())
		}
	}
	// To one that never joined the refusal is what it says.
	for i := 0; ; i++ {
		s, err := wamp.Connect(limit(t), urls["raw"], realm, wamp.WithReconnect(wamp.Backoff{Initial: true}))
		if err == nil {
			leave(t, s)
			if i == 10 {
				t.Fatal("nobody is refused")
			}
			continue
		}
		var aborted *wamp.AbortError
		if !errors.As(err, &aborted) || aborted.Reason != proto.ErrURIAuthenticationFailed {
			t.Errorf("the first join: %v", err)
		}
		break
	}
}

// startProxy starts the node with a proxy, and stops it at the end of the test.
func startProxy(t *testing.T) (node string, urls map[string]string) {
	t.Helper()
	node = filepath.Join(filepath.Dir(rig.file), "proxy")
	runRig(t, node, "start", "KIND=proxy")
	t.Cleanup(func() { runRig(t, node, "stop") })
	return node, urlsOf(t, node)
}

// urlsOf are the addresses of the node in a folder.
func urlsOf(t testing.TB, node string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(node, "rig.json"))
	if err != nil {
		t.Fatal(err)
	}
	var told struct {
		URLs map[string]string `json:"urls"`
	}
	if err := json.Unmarshal(text, &told); err != nil {
		t.Fatal(err)
	}
	return told.URLs
}

// workerOf is the process that a session is at behind the proxy: Crossbar says so
// in WELCOME.
func workerOf(t *testing.T, d *wamp.Details) (pid int) {
	t.Helper()
	if _, err := fmt.Sscan(fmt.Sprint(d.AuthExtra["x_cb_pid"]), &pid); err != nil || pid <= 1 {
		t.Fatalf("no worker in %v", d.AuthExtra)
	}
	return pid
}

// killWorker kills a process of the node, and no other.
func killWorker(t *testing.T, node string, pid int) {
	t.Helper()
	parent, err := os.ReadFile(filepath.Join(node, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	children, err := filepath.Glob("/proc/" + strings.TrimSpace(string(parent)) + "/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range children {
		if list, err := os.ReadFile(file); err == nil && slices.Contains(strings.Fields(string(list)), fmt.Sprint(pid)) {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("process %d is none of the node's", pid)
}

// causes keeps what the log says of losses and attempts.
type causes struct {
	mu   sync.Mutex
	text []string
}

func (c *causes) Enabled(context.Context, slog.Level) bool { return true }
func (c *causes) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c *causes) WithGroup(string) slog.Handler            { return c }

func (c *causes) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = append(c.text, text)
	return nil
}

// count is how many records of that message hold a word.
func (c *causes) count(message, word string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, text := range c.text {
		if strings.HasPrefix(text, message) && strings.Contains(text, word) {
			n++
		}
	}
	return n
}

func (c *causes) has(message, word string) bool { return c.count(message, word) > 0 }

func (c *causes) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.text, "\n")
}
