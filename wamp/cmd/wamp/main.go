package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is the program, and returns its exit code. The first signal ends what is going on in
// order: a call is cancelled, and the callee interrupted. The second one ends the program.
func run(args []string, in io.Reader, out, errs io.Writer) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	t := &tool{in: in, out: out, errs: &screen{to: errs}, interrupt: func() { cancel(errInterrupted) }}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup has said so, and programs that are run here obey it too
		signal.Notify(signals, syscall.SIGHUP)
	}
	if signal.Ignored(os.Interrupt) { // as shells start what they leave in the background; programs that are run here do not
		signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	} else {
		signal.Notify(signals, os.Interrupt)
	}
	defer signal.Stop(signals)
	go func() { // ends with the program
		for n := 0; ; {
			<-signals
			if t.lent.Load() {
				continue
			}
			if n++; n > 1 {
				t.children.killAll()
				os.Exit(exitInterrupted)
			}
			cancel(errInterrupted)
		}
	}()
	ignorePipeSignal()
	root := t.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(t.errs)
	return t.ended(ctx, root.ExecuteContext(ctx))
}
