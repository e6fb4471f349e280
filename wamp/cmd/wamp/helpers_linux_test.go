package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal: what the program writes there is on the screen.
type terminal struct {
	keys   *os.File // the side of who sits at it
	stream *os.File // the side of the program
	screen syncBuffer
	over   chan struct{} // closed when everything has been read: both sides are closed, or that of the program is
}

// newTerminal opens a pseudo-terminal.
func newTerminal(t *testing.T) *terminal {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	control, err := keys.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var number int
	var failed error
	if err := control.Control(func(fd uintptr) {
		if failed = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); failed == nil {
			number, failed = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
		if failed == nil {
			failed = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 100})
		}
	}); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	stream, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stream.Close() })
	s := &terminal{keys: keys, stream: stream, over: make(chan struct{})}
	go func() { // ends when the terminal is closed
		defer close(s.over)
		b := make([]byte, 4096)
		for {
			n, err := keys.Read(b)
			_, _ = s.screen.Write(b[:n])
			if err != nil {
				return
			}
		}
	}()
	return s
}

// types is what is typed at the terminal.
func (s *terminal) types(t *testing.T, text string) {
	t.Helper()
	if _, err := fmt.Fprint(s.keys, text); err != nil {
		t.Error(err)
	}
}

// owns makes the terminal the one that a command belongs to. Keys such as Ctrl-C are signals
// then.
func (s *terminal) owns(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
	c.ExtraFiles = append(c.ExtraFiles, s.stream)
}

// homeless makes a command one that belongs to no terminal.
func homeless(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
