package main

import (
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// console is a pseudo-terminal with the program in it.
type console struct {
	*bench
	*terminal
	cmd *exec.Cmd
}

// console runs the program in a terminal. env are variables beside the usual ones.
func (b *bench) console(env []string, args ...string) *console {
	b.Helper()
	c := &console{bench: b, terminal: newTerminal(b.T), cmd: b.command(args...)}
	c.cmd.Env = append(c.cmd.Env, env...)
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = c.stream, c.stream, c.stream
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	_ = c.stream.Close() // the program's is the last one
	b.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.over
	})
	return c
}

// waits until the terminal shows a text.
func (c *console) waits(text string) {
	c.Helper()
	c.screen.waitFor(c, text)
}

// types is the user at the keyboard.
func (c *console) types(text string) {
	c.Helper()
	c.terminal.types(c.T, text)
}

// answers types a secret, when it has been asked for and the terminal does not show it.
func (c *console) answers(question, text string) {
	c.Helper()
	c.waits(question)
	conn, err := c.keys.SyscallConn()
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
