//go:build interop

package interop_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
)

// cluster is what testdata/interop/cluster.sh starts: nodes a and b, whose realm is joined by
// links, and p, a proxy before two linked workers. It is started when a test asks for it, and
// ends with the tests.
var cluster struct {
	mu     sync.Mutex
	folder string // "" before it is started
	urls   map[string]map[string]string
	broken map[string]bool // nodes that are to be started anew before they are used again
}

// clusterURL starts the cluster where it does not run, and returns an address: kind is ws or raw.
func clusterURL(t testing.TB, node, kind string) string {
	t.Helper()
	cluster.mu.Lock()
	defer cluster.mu.Unlock()
	if cluster.folder == "" {
		cluster.folder = filepath.Join(filepath.Dir(rig.file), "cluster")
		clusterScript(t, "start")
		cluster.urls = map[string]map[string]string{}
		for _, name := range []string{"a", "b", "p"} {
			cluster.urls[name] = urlsOf(t, filepath.Join(cluster.folder, name))
		}
	}
	if cluster.broken[node] {
		delete(cluster.broken, node)
		clusterScript(t, "stop", node)
		clusterScript(t, "start", node)
	}
	return cluster.urls[node][kind]
}

// breakNode says that a node is not whole any more.
func breakNode(node string) {
	cluster.mu.Lock()
	defer cluster.mu.Unlock()
	if cluster.broken == nil {
		cluster.broken = map[string]bool{}
	}
	cluster.broken[node] = true
}

// stopCluster is for the end of the tests.
func stopCluster() error {
	if cluster.folder == "" {
		return nil
	}
	return clusterCommand("stop").Run()
}

func clusterCommand(command string, nodes ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(rig.source, "cluster.sh"), append([]string{command}, nodes...)...)
	cmd.Env = append(os.Environ(), "CLUSTER="+cluster.folder)
	return cmd
}

// clusterScript runs cluster.sh.
func clusterScript(t testing.TB, command string, nodes ...string) {
	t.Helper()
	if out, err := clusterCommand(command, nodes...).CombinedOutput(); err != nil {
		t.Fatalf("cluster.sh %s %v: %v\n%s", command, nodes, err, out)
	}
}

// processes are a node's: its controller, and those that it has started.
func processes(t *testing.T, node string) (pids []int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(cluster.folder, node, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	for next := []string{strings.TrimSpace(string(text))}; len(next) > 0; next = next[1:] {
		var pid int
		if _, err := fmt.Sscan(next[0], &pid); err != nil || pid <= 1 {
			t.Fatalf("no process %q", next[0])
		}
		pids = append(pids, pid)
		tasks, err := filepath.Glob("/proc/" + next[0] + "/task/*/children")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range tasks {
			if list, err := os.ReadFile(file); err == nil {
				next = append(next, strings.Fields(string(list))...)
			}
		}
	}
	return pids
}

// killNode kills all processes of a node by SIGKILL, and returns when it did.
func killNode(t *testing.T, node string) time.Time {
	t.Helper()
	pids := processes(t, node)
	at := time.Now()
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
	if err := os.Remove(filepath.Join(cluster.folder, node, "pid")); err != nil {
		t.Error(err)
	}
	return at
}

// member is a session of the cluster.
func member(t testing.TB, urls []string, options ...wamp.Option) *wamp.Session {
	t.Helper()
	s := newMember(t, urls, options...)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func newMember(t testing.TB, urls []string, options ...wamp.Option) *wamp.Session {
	t.Helper()
	s, err := wamp.Connect(t.Context(), urls[0], realm, append([]wamp.Option{wamp.WithURLs(false, urls[1:]...),
		wamp.WithReconnect(wamp.Backoff{})}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// known waits until a procedure can be called from a session's node.
func known(t testing.TB, s *wamp.Session, procedure string) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var id *wamp.ID
		if id, err = wamp.Call[*wamp.ID](t.Context(), s, "wamp.registration.lookup", wamp.Args(procedure)); err == nil && id != nil {
			return
		}
	}
	t.Fatalf("%s is not known: %v", procedure, err)
}
