//go:build interop

package interop_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
)

const (
	realm    = "realm1"
	patience = 15 * time.Second // for what must happen
	prompt   = 2 * time.Second  // for what must happen at once
)

var (
	kinds  = []string{"ws", "ws-deflate", "wss", "raw", "rawtls", "unix"}
	codecs = []codec.Codec{codec.JSON, codec.MsgPack, codec.CBOR}
)

// rig is what testdata/interop/rig.sh wrote: where the router is.
var rig struct {
	URLs map[string]string `json:"urls"`
	CA   string            `json:"ca"`

	file, source string
	roots        *x509.CertPool
}

func TestMain(m *testing.M) {
	if err := findRig(); err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
	code := m.Run()
	python.stop()
	if err := stopCluster(); err != nil {
		fmt.Fprintln(os.Stderr, "interop: the cluster:", err)
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "interop: goroutines left:", err)
		code = 1
	}
	matrix.print()
	failovers.print()
	os.Exit(code)
}

func findRig() error {
	node := os.Getenv("WAMP_INTEROP")
	if node == "" {
		return fmt.Errorf("WAMP_INTEROP must name the folder of a running router; .ci/interop.sh sets it")
	}
	var err error
	if rig.source, err = filepath.Abs("../../../testdata/interop"); err != nil {
		return err
	}
	rig.file = filepath.Join(node, "rig.json")
	text, err := os.ReadFile(rig.file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &rig); err != nil {
		return err
	}
	ca, err := os.ReadFile(rig.CA)
	if err != nil {
		return err
	}
	rig.roots = x509.NewCertPool()
	if !rig.roots.AppendCertsFromPEM(ca) {
		return fmt.Errorf("%s holds no certificate", rig.CA)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := wamp.Connect(ctx, rig.URLs["ws"], realm)
	if err != nil {
		return fmt.Errorf("the router does not answer: %w", err)
	}
	return s.Close(ctx)
}

// rigScript runs testdata/interop/rig.sh on the router of these tests.
func rigScript(t *testing.T, command string) {
	t.Helper()
	runRig(t, filepath.Dir(rig.file), command)
}

// runRig runs it on the node in a folder.
func runRig(t *testing.T, node, command string, env ...string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(rig.source, "rig.sh"), command)
	cmd.Env = append(append(os.Environ(), "NODE="+node), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("rig.sh %s: %v\n%s", command, err, out)
	}
}

// cell is one transport with one serializer.
type cell struct {
	kind  string
	codec codec.Codec
}

func (c cell) String() string { return c.kind + "/" + c.codec.Name() }

// uri is a name that no other cell uses.
func (c cell) uri(who, name string) string {
	return "com.interop." + who + "." + strings.ReplaceAll(c.kind, "-", "_") + "." + c.codec.Name() + "." + name
}

func (c cell) options() []wamp.Option {
	options := []wamp.Option{wamp.WithSerializers(c.codec), wamp.WithTLS(&tls.Config{RootCAs: rig.roots})}
	if c.kind == "ws-deflate" {
		options = append(options, wamp.WithCompression())
	}
	return options
}

// join connects over the cell. The session must still live at the end of the
// test, and closes in order then, unless the test has closed it.
func (c cell) join(t *testing.T, options ...wamp.Option) *wamp.Session {
	t.Helper()
	s := c.joinRealm(t, realm, options...)
	t.Cleanup(func() { leave(t, s) })
	return s
}

// joinRealm is like join for any realm, and leaves the session to the test.
func (c cell) joinRealm(t *testing.T, realm string, options ...wamp.Option) *wamp.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := wamp.Connect(ctx, rig.URLs[c.kind], realm, append(c.options(), options...)...)
	if err != nil {
		t.Fatalf("%v: connect: %v", c, err)
	}
	return s
}

func leave(t *testing.T, s *wamp.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

func limit(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// matrix collects what passed where, for the table at the end.
var matrix = &table{cells: map[string]map[string]string{}}

type table struct {
	mu            sync.Mutex
	rows, columns []string
	cells         map[string]map[string]string
}

// check runs a test and notes its outcome in the table.
func (m *table) check(t *testing.T, row, column string, f func(*testing.T)) {
	t.Helper()
	m.note(row, column, "-") // what did not run is seen
	ok := t.Run(column, f)
	m.note(row, column, map[bool]string{true: "ok", false: "FAIL"}[ok])
}

func (m *table) note(row, column, verdict string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.rows, row) {
		m.rows = append(m.rows, row)
		m.cells[row] = map[string]string{}
	}
	if !slices.Contains(m.columns, column) {
		m.columns = append(m.columns, column)
	}
	m.cells[row][column] = verdict
}

func (m *table) print() {
	if len(m.rows) == 0 {
		return
	}
	passed, all := 0, 0
	fmt.Printf("\n| transport, serializer | %s |\n|---|%s\n", strings.Join(m.columns, " | "), strings.Repeat("---|", len(m.columns)))
	for _, row := range m.rows {
		fmt.Printf("| %-18s |", row)
		for _, column := range m.columns {
			verdict := m.cells[row][column]
			if verdict == "" {
				verdict = "-"
			}
			all++
			if verdict == "ok" {
				passed++
			}
			fmt.Printf(" %*s |", len([]rune(column)), verdict)
		}
		fmt.Println()
	}
	fmt.Printf("%d of %d passed; out: this library calls or publishes, in: autobahn-python does\n\n", passed, all)
}
