package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"time"
)

// options are what the flags say.
type options struct {
	transports  []string
	serializers []string
	only        map[string]bool // nil: all
	sides       []string
	repeat      int
	duration    time.Duration
	short       bool
	growth      bool
	stopped     bool
	pace        int
	cpuprofile  string
	memprofile  string
	md          string
}

// list splits a flag and checks it against what is allowed.
func list(name, text string, allowed ...string) ([]string, error) {
	words := strings.Split(text, ",")
	for _, w := range words {
		if !slices.Contains(allowed, w) {
			return nil, fmt.Errorf("-%s: %q is none of %s", name, w, strings.Join(allowed, ", "))
		}
	}
	return words, nil
}

// givenFlags are the flags that stand on the command line.
func givenFlags() map[string]bool {
	given := make(map[string]bool)
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	return given
}

// parseFlags reads the command line.
func parseFlags() (*options, error) {
	var names []string
	for _, w := range works {
		names = append(names, w.name)
	}
	o := new(options)
	transports := flag.String("transport", "tcp,unix,ws", "transports")
	serializers := flag.String("serializer", "cbor,msgpack,json", "serializers of the library's side")
	sides := flag.String("side", "floor,wamp", "who takes part")
	only := flag.String("only", "", "work to do, of "+strings.Join(names, ",")+" (default all)")
	flag.IntVar(&o.repeat, "repeat", 5, "runs of each kind of work")
	flag.DurationVar(&o.duration, "duration", time.Second, "length of a run")
	flag.BoolVar(&o.short, "short", false, "a quick look: 3 runs of 200 ms, and no long curves")
	flag.BoolVar(&o.growth, "growth", false, "measure how cost grows instead")
	flag.BoolVar(&o.stopped, "stopped", false, "measure memory with a stopped consumer instead")
	flag.IntVar(&o.pace, "pace", 250_000, "with -stopped: chunks sent a second, 0 for as fast as can be")
	flag.StringVar(&o.cpuprofile, "cpuprofile", "", "write a CPU profile of this process to a file")
	flag.StringVar(&o.memprofile, "memprofile", "", "write what this process allocated to a file")
	flag.StringVar(&o.md, "md", "", "write the report to a file too")
	flag.Parse()
	if given := givenFlags(); o.short {
		if !given["repeat"] {
			o.repeat = 3
		}
		if !given["duration"] {
			o.duration = 200 * time.Millisecond
		}
	}
	var err error
	if o.transports, err = list("transport", *transports, transportTCP, transportUnix, transportWeb); err != nil {
		return nil, err
	}
	if o.serializers, err = list("serializer", *serializers, "cbor", "msgpack", "json"); err != nil {
		return nil, err
	}
	if o.sides, err = list("side", *sides, "floor", "wamp"); err != nil {
		return nil, err
	}
	if *only != "" {
		chosen, err := list("only", *only, names...)
		if err != nil {
			return nil, err
		}
		o.only = make(map[string]bool)
		for _, name := range chosen {
			o.only[name] = true
		}
	}
	return o, nil
}

func main() {
	err := error(nil)
	if len(os.Args) == 2 && os.Args[1] == serverFlag {
		err = serverMain()
	} else {
		err = clientMain()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// clientMain is the measuring process.
func clientMain() error {
	o, err := parseFlags()
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	p, err := startProcess()
	if err != nil {
		return err
	}
	defer p.stop()
	stopProfiles, err := startProfiles(o)
	if err != nil {
		return err
	}
	var report bytes.Buffer
	out := io.MultiWriter(os.Stdout, &report)
	fmt.Fprintf(out, "%s\n\n", machine())
	err = run(ctx, o, p, out)
	if err = errors.Join(err, stopProfiles()); err != nil {
		return err
	}
	if o.md != "" {
		return os.WriteFile(o.md, report.Bytes(), 0o644)
	}
	return nil
}

// startProfiles starts the profiles that were asked for. stop writes them.
func startProfiles(o *options) (stop func() error, err error) {
	var cpu *os.File
	if o.cpuprofile != "" {
		if cpu, err = os.Create(o.cpuprofile); err != nil {
			return nil, err
		}
		if err := pprof.StartCPUProfile(cpu); err != nil {
			return nil, err
		}
	}
	if o.memprofile != "" {
		runtime.MemProfileRate = 4096
	}
	return func() error {
		if cpu != nil {
			pprof.StopCPUProfile()
			if err := cpu.Close(); err != nil {
				return err
			}
		}
		if o.memprofile == "" {
			return nil
		}
		f, err := os.Create(o.memprofile)
		if err != nil {
			return err
		}
		return errors.Join(pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
	}, nil
}

// run does what was asked for.
func run(ctx context.Context, o *options, p *process, out io.Writer) error {
	if o.growth {
		return growth(ctx, o, p, out)
	}
	if o.stopped {
		return stopped(ctx, o, p, out)
	}
	var sides []side
	for _, s := range allSides(o) {
		if slices.Contains(o.sides, s.name) {
			sides = append(sides, s)
		}
	}
	c, err := compare(ctx, o, p, sides)
	if err != nil {
		return err
	}
	c.report(out, o)
	return nil
}
