//go:build unix

package main

import (
	"os"
	"os/exec"
	"syscall"
)

// ofOwn makes a command the first one of a process group, so that signals reach those that it
// starts, and none that is meant for this program reaches it.
func ofOwn(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	endsWithUs(cmd.SysProcAttr)
}

// interruptGroup sends SIGINT to a command and those that it has started.
func interruptGroup(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGINT) }

// killGroup sends SIGKILL to them.
func killGroup(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGKILL) }
