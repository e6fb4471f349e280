package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// forPage is how long the page has for everything.
const forPage = 4 * time.Minute

// page starts docs/examples/browser, opens the page in Chromium, cuts its connection, and
// looks at what the page then says of itself. Each fact has a line; one that is missing
// is an error.
//
//	-server FILE        the program of docs/examples/browser
//	-router URL         its router, else one in its process
//	-direct             the page connects to the router itself, as one of another origin
//	-screenshot FILE    a picture of the page at its end
//	-once               nothing is cut: the server prints what the page shows, and ends
func page(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("page", flag.ContinueOnError)
	program := flags.String("server", "", "program of docs/examples/browser")
	router := flags.String("router", "", "router, by default one in the server's process")
	direct := flags.Bool("direct", false, "the page connects to the router itself")
	picture := flags.String("screenshot", "", "file for a picture of the page")
	once := flags.Bool("once", false, "the server prints what the page shows, and ends")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, forPage)
	defer cancel()
	if *once {
		return printed(ctx, *program)
	}
	address, callee, stop, err := startServer(ctx, *program, *router)
	if err != nil {
		return err
	}
	defer stop()
	// The page reaches its router through a relay that can be cut; where that is behind the
	// server of the page, all of it.
	from, path := address, "/"
	if *direct {
		from = *router
	}
	to, err := url.Parse(from)
	if err != nil {
		return err
	}
	relay, err := newRelay(to.Host)
	if err != nil {
		return err
	}
	defer relay.close()
	if *direct {
		path = "/?router=" + url.QueryEscape("ws://"+relay.address()+to.Path)
	} else {
		address = "http://" + relay.address()
	}
	tab, err := openChromium(ctx, strings.TrimSuffix(address, "/")+path)
	if err != nil {
		return err
	}
	defer tab.close()
	return (&visit{tab: tab, relay: relay, callee: callee, picture: *picture}).run(ctx)
}

// printed has Chromium look at the page of a server that ends by itself, and passes on what
// that prints.
func printed(ctx context.Context, program string) error {
	cmd := exec.CommandContext(ctx, program, "-once", "-listen", "127.0.0.1:0")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}

	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		fmt.Println(lines.Text())
		if rest, is := strings.CutPrefix(lines.Text(), "serving "); is {
			address, _, _ := strings.Cut(rest, ",")
			tab, err := openChromium(ctx, address)
			if err != nil {
				end(cmd, func() { _ = cmd.Process.Signal(os.Interrupt) })
				return err
			}
			defer tab.close()
		}
	}
	return errors.Join(lines.Err(), cmd.Wait())
}

// startServer starts the server of the page. It ends with ctx, or by stop.
func startServer(ctx context.Context, program, router string) (address string, said *output, stop func(), err error) {
	args := []string{"-listen", "127.0.0.1:0"}
	if router != "" {
		args = append(args, "-router", router)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, nil, err
	}
	stop = func() { end(cmd, func() { _ = cmd.Process.Signal(os.Interrupt) }) }
	said = new(output)
	go said.read(stdout, "server: ") // ends with the server
	line, err := said.wait(ctx, "serving ")
	if err != nil {
		stop()
		return "", nil, nil, fmt.Errorf("the server: %w", err)
	}
	address, _, _ = strings.Cut(strings.TrimPrefix(line, "serving "), ",")
	return address, said, stop, nil
}

// end ends a program, in order where it can.
func end(cmd *exec.Cmd, ask func()) {
	kill := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
	ask()
	_ = cmd.Wait()
	kill.Stop()
}

// visit is one look at the page.
type visit struct {
	tab     *tab
	relay   *relay
	callee  *output
	picture string
	shown   int // lines
}

// facts are what the page says when all is well.
var facts = []string{
	`^joined:    session \d+ over wamp\.2\.cbor, in \d+ ms$`,
	`^stream:    1000 results in \d+ ms$`,
	`^cancelled: after 5 results, and the callee was interrupted$`,
	`^event:     hello, page$`,
	`^waiting: `,
	`^lost:      .+$`,
	`^back:      session \d+$`,
	`^event:     hello again$`,
	`^stream:    1000 results in \d+ ms$`,
	`^done$`,
}

func (v *visit) run(ctx context.Context) error {
	if err := v.until(ctx, "waiting"); err != nil {
		return err
	}
	v.relay.cut()
	if err := v.until(ctx, "done"); err != nil {
		return err
	}
	lines, err := v.lines(ctx)
	if err != nil {
		return err
	}
	for i, fact := range facts {
		if i >= len(lines) || !regexp.MustCompile(fact).MatchString(lines[i]) {
			return fmt.Errorf("line %d of the page is not %s", i+1, fact)
		}
	}
	if len(lines) != len(facts) {
		return fmt.Errorf("the page has %d lines", len(lines))
	}
	if _, err := v.callee.wait(ctx, "callee: ended after "); err != nil {
		return fmt.Errorf("the callee was not interrupted: %w", err)
	}
	if v.picture == "" {
		return nil
	}
	return v.tab.screenshot(ctx, v.picture)
}

// until waits until the page has a line that begins so.
func (v *visit) until(ctx context.Context, word string) error {
	for {
		lines, told := v.lines(ctx)
		// A page that is being loaded may take another place in the middle of the question.
		if refused := (*refusal)(nil); told != nil && !errors.As(told, &refused) {
			return told
		}
		for ; v.shown < len(lines); v.shown++ {
			line := lines[v.shown]
			fmt.Println("page:  ", line)
			if strings.HasPrefix(line, "failed") || strings.HasPrefix(line, "not loaded") {
				return errors.New("the page failed")
			}
		}
		for _, line := range lines {
			if strings.HasPrefix(line, word) {
				return nil
			}
		}
		if err := pause(ctx); err != nil {
			return errors.Join(fmt.Errorf("the page has not come to %q: %w", word, err), told)
		}
	}
}

func (v *visit) lines(ctx context.Context) ([]string, error) {
	var text string
	if err := v.tab.evaluate(ctx, `document.getElementById("lines")?.textContent ?? ""`, &text); err != nil {
		return nil, err
	}
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' }), nil
}

func pause(ctx context.Context) error {
	t := time.NewTimer(50 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// output are the lines of a program.
type output struct {
	mu    sync.Mutex
	all   []string
	ended bool
}

func (o *output) read(r io.Reader, prefix string) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if prefix != "" {
			fmt.Println(prefix + lines.Text())
		}
		o.mu.Lock()
		o.all = append(o.all, lines.Text())
		o.mu.Unlock()
	}
	o.mu.Lock()
	o.ended = true
	o.mu.Unlock()
}

// wait waits for a line that has word in it.
func (o *output) wait(ctx context.Context, word string) (string, error) {
	for {
		o.mu.Lock()
		all, ended := o.all, o.ended
		o.mu.Unlock()
		for _, line := range all {
			if strings.Contains(line, word) {
				return line, nil
			}
		}
		if ended {
			return "", errors.New("it has ended")
		}
		if err := pause(ctx); err != nil {
			return "", err
		}
	}
}

// relay hands connections on to a server, until they are cut.
type relay struct {
	ln    net.Listener
	to    string
	mu    sync.Mutex
	conns []net.Conn
}

func newRelay(to string) (*relay, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait for anybody
	if err != nil {
		return nil, err
	}
	r := &relay{ln: ln, to: to}
	go r.accept() // ends with close
	return r, nil
}

func (r *relay) address() string { return r.ln.Addr().String() }

func (r *relay) accept() {
	for {
		near, err := r.ln.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", r.to) //nolint:noctx // on loopback
		if err != nil {
			_ = near.Close()
			continue
		}
		r.mu.Lock()
		r.conns = append(r.conns, near, far)
		r.mu.Unlock()
		go copyAll(near, far) // both end with either side
		go copyAll(far, near)
	}
}

func copyAll(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_, _ = to.Close(), from.Close()
}

// cut hangs up on all.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.conns = nil
}

func (r *relay) close() {
	_ = r.ln.Close()
	r.cut()
}

// tab is a page of a Chromium of our own, driven over its DevTools.
type tab struct {
	cmd     *exec.Cmd
	profile string
	ws      *websocket.Conn
	session string
	id      int
}

// openChromium opens a page in a new Chromium, which ends with ctx.
func openChromium(ctx context.Context, address string) (*tab, error) {
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		return nil, errors.New("chromium is needed and not there")
	}
	profile, err := os.MkdirTemp("", "chromium")
	if err != nil {
		return nil, err
	}
	t := &tab{profile: profile}
	// no sandbox: it would need more rights than a container gives, and the page is ours
	t.cmd = exec.CommandContext(ctx, program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--window-size=760,560", "--hide-scrollbars", "--remote-debugging-port=0", "--user-data-dir="+profile, "about:blank")
	stderr, err := t.cmd.StderrPipe()
	if err == nil {
		err = t.cmd.Start()
	}
	if err != nil {
		_ = os.RemoveAll(profile)
		return nil, err
	}
	if err := t.attach(ctx, stderr, address); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func (t *tab) attach(ctx context.Context, stderr io.Reader, address string) error {
	said := new(output)
	go said.read(stderr, "") // ends with Chromium
	line, err := said.wait(ctx, "DevTools listening on ")
	if err != nil {
		return fmt.Errorf("chromium: %w: %s", err, strings.Join(said.all, "; "))
	}
	_, endpoint, _ := strings.Cut(line, "DevTools listening on ")
	if t.ws, _, err = websocket.Dial(ctx, endpoint, nil); err != nil {
		return err
	}
	t.ws.SetReadLimit(16 << 20)
	var target struct{ TargetID string }
	if err := t.call(ctx, "Target.createTarget", map[string]any{"url": address}, &target); err != nil {
		return err
	}
	var attached struct{ SessionID string }
	if err := t.call(ctx, "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached); err != nil {
		return err
	}
	t.session = attached.SessionID
	return nil
}

// refusal is an error of the DevTools.
type refusal struct{ method, message string }

func (r *refusal) Error() string { return r.method + ": " + r.message }

// call calls a method of the DevTools.
func (t *tab) call(ctx context.Context, method string, params map[string]any, result any) error {
	t.id++
	request := map[string]any{"id": t.id, "method": method, "params": params}
	if t.session != "" {
		request["sessionId"] = t.session
	}
	data, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if err := t.ws.Write(ctx, websocket.MessageText, data); err != nil {
		return err
	}
	for {
		_, data, err := t.ws.Read(ctx)
		if err != nil {
			return fmt.Errorf("chromium: %w", err)
		}
		var answer struct {
			ID     int
			Error  *struct{ Message string }
			Result json.RawMessage
		}
		if err := json.Unmarshal(data, &answer); err != nil {
			return err
		}
		switch {
		case answer.ID != t.id: // an event
		case answer.Error != nil:
			return &refusal{method, answer.Error.Message}
		default:
			return json.Unmarshal(answer.Result, result)
		}
	}
}

// evaluate has the page evaluate an expression.
func (t *tab) evaluate(ctx context.Context, expression string, value any) error {
	var got struct {
		Result struct{ Value json.RawMessage }
	}
	if err := t.call(ctx, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &got); err != nil {
		return err
	}
	return json.Unmarshal(got.Result.Value, value)
}

// screenshot writes a picture of the page.
func (t *tab) screenshot(ctx context.Context, file string) error {
	var got struct{ Data string }
	if err := t.call(ctx, "Page.captureScreenshot", map[string]any{"format": "png"}, &got); err != nil {
		return err
	}
	data, err := base64.StdEncoding.DecodeString(got.Data)
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

// close ends Chromium, in order where it can.
func (t *tab) close() {
	end(t.cmd, func() {
		if t.ws == nil {
			_ = t.cmd.Process.Kill()
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		t.session = ""
		_ = t.call(ctx, "Browser.close", nil, new(any))
		_ = t.ws.CloseNow()
	})
	_ = os.RemoveAll(t.profile)
}
