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
	t := &tool{in: in, out: out, errs: errs}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() { // ends with the program
		for n := 0; ; n++ {
			select {
			case <-signals:
				if t.lent.Load() {
					continue
				}
				if n > 0 {
					os.Exit(exitInterrupted)
				}
				cancel(errInterrupted)
			case <-ctx.Done():
				if context.Cause(ctx) != errInterrupted {
					return
				}
				<-signals
				os.Exit(exitInterrupted)
			}
		}
	}()
	root := t.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	return t.ended(ctx, root.ExecuteContext(ctx))
}
