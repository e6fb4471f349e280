package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// console is a pseudo-terminal with the program in it.
type console struct {
	*bench
	master *os.File
	cmd    *exec.Cmd
	text   syncBuffer
	over   chan struct{} // closed when everything has been read
}

// console runs the program in a terminal. env are variables beside the usual ones.
func (b *bench) console(env []string, args ...string) *console {
	b.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		b.Fatal(err)
	}
	// by the file's own lock, so that reads do not block a thread
	conn, err := master.SyscallConn()
	if err != nil {
		b.Fatal(err)
	}
	var n int
	var bad error
	if err := conn.Control(func(fd uintptr) {
		if bad = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); bad == nil {
			n, bad = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}); err != nil || bad != nil {
		b.Fatal(err, bad)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		b.Fatal(err)
	}
	c := &console{bench: b, master: master, cmd: b.command(args...), over: make(chan struct{})}
	c.cmd.Env = append(c.cmd.Env, env...)
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = slave, slave, slave
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	_ = slave.Close()
	go func() { // ends with the program
		defer close(c.over)
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			_, _ = c.text.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	b.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.over
		_ = master.Close()
	})
	return c
}

// waits until the terminal shows a text.
func (c *console) waits(text string) {
	c.Helper()
	for end := time.Now().Add(patience); !strings.Contains(c.text.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			c.Fatalf("the terminal does not show %q: %q", text, c.text.String())
		}
	}
}

// types is the user at the keyboard.
func (c *console) types(text string) {
	c.Helper()
	if _, err := c.master.WriteString(text); err != nil {
		c.Fatal(err)
	}
}

// answers types a secret, when it has been asked for and the terminal does not show it.
func (c *console) answers(question, text string) {
	c.Helper()
	c.waits(question)
	conn, err := c.master.SyscallConn()
	if err != nil {
		c.Fatal(err)
	}
	for end, echo := time.Now().Add(patience), true; echo; time.Sleep(time.Millisecond) {
		if err := conn.Control(func(fd uintptr) {
			state, err := unix.IoctlGetTermios(int(fd), unix.TCGETS)
			echo = err == nil && state.Lflag&unix.ECHO != 0
		}); err != nil || time.Now().After(end) {
			c.Fatal("the terminal shows what is typed", err)
		}
	}
	c.types(text)
}

// code waits for the end of the program.
func (c *console) code() int {
	c.Helper()
	_ = c.cmd.Wait()
	<-c.over
	return c.cmd.ProcessState.ExitCode()
}
