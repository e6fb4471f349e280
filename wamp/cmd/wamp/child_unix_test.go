//go:build unix

package main

import (
	"io"
	"os"
	"testing"
	"time"
)

// What a command has written is read however late, and a pipe that others hold ends when it is
// empty.
func TestPipeOfACommandThatHasEnded(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	p := &pipe{File: r}
	defer p.Close()
	if _, err := io.WriteString(w, "late"); err != nil {
		t.Fatal(err)
	}
	p.over(t.Context())
	time.Sleep(pipeGrace + 100*time.Millisecond)
	read := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(p)
		read <- string(text)
	}()
	if got := wait(t, read); got != "late" {
		t.Errorf("%q was read", got)
	}
}
