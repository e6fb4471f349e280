package main

import (
	"errors"
	"syscall"

	"golang.org/x/sys/windows"
)

func ignorePipeSignal() {}

// isBrokenPipe reports whether nobody reads a pipe any more.
func isBrokenPipe(err error) bool {
	return errors.Is(err, windows.ERROR_BROKEN_PIPE) || errors.Is(err, windows.ERROR_NO_DATA) || errors.Is(err, syscall.EPIPE)
}
