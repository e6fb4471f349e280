package main

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// screen is standard error: what is written there stands above the progress bar, where
// there is one.
type screen struct {
	mu  sync.Mutex
	to  io.Writer
	bar *progressbar.ProgressBar // nil without
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar == nil {
		return s.to.Write(b)
	}
	_ = s.bar.Clear()
	n, err := s.to.Write(b)
	_ = s.bar.RenderBlank()
	return n, err
}

// isTerminal reports whether a stream of the program is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// bar shows how far long work has come. A nil one shows nothing.
type bar struct{ s *screen }

// bar begins a progress bar where standard error is a terminal, and standard output, which
// would show it by itself, is none. total is what there is to do, -1 if that is not known.
func (t *tool) bar(total int64, what string, options ...progressbar.Option) *bar {
	if isTerminal(t.out) {
		return nil
	}
	return t.barOf(total, what, append([]progressbar.Option{
		progressbar.OptionSetSpinnerChangeInterval(0), // it would write by itself
		progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
	}, options...)...)
}

// barOf is bar where standard output shows nothing before the end, so that it may be a
// terminal too.
func (t *tool) barOf(total int64, what string, options ...progressbar.Option) *bar {
	if t.quiet || !isTerminal(t.errs.to) {
		return nil
	}
	p := progressbar.NewOptions64(total, append([]progressbar.Option{
		progressbar.OptionSetWriter(t.errs.to),
		progressbar.OptionSetDescription(what),
		progressbar.OptionSetWidth(20),
		progressbar.OptionClearOnFinish(),
	}, options...)...)
	t.errs.mu.Lock()
	defer t.errs.mu.Unlock()
	t.errs.bar = p
	return &bar{t.errs}
}

// add moves the bar on.
func (b *bar) add(n int64) { b.do(func(p *progressbar.ProgressBar) { _ = p.Add64(n) }) }

// set moves the bar to where the work is.
func (b *bar) set(n int) { b.do(func(p *progressbar.ProgressBar) { _ = p.Set(n) }) }

// tell changes what the bar says.
func (b *bar) tell(what string) { b.do(func(p *progressbar.ProgressBar) { p.Describe(what) }) }

// done takes the bar away, for good.
func (b *bar) done() {
	b.do(func(p *progressbar.ProgressBar) {
		_ = p.Clear()
		b.s.bar = nil
	})
}

// do does something with a bar that is there.
func (b *bar) do(f func(*progressbar.ProgressBar)) {
	if b == nil {
		return
	}
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	if b.s.bar != nil {
		f(b.s.bar)
	}
}
