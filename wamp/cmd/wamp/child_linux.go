package main

import "syscall"

// endsWithUs ends a command with this program, also where that is killed.
func endsWithUs(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
