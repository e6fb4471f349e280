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
	sessions    int
	md          string
	raw         string
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
	var names, sideNames []string
	for _, w := range works {
		names = append(names, w.name)
	}
	for _, s := range allSides(nil) {
		sideNames = append(sideNames, s.name)
	}
	usual := "tcp,unix,ws"
	if runtime.GOOS == "windows" { // has Unix sockets, but other names for their files
		usual = "tcp,ws"
	}
	o := new(options)
	transports := flag.String("transport", usual, "transports")
	serializers := flag.String("serializer", "cbor,msgpack,json", "serializers of the library's side")
	sides := flag.String("side", strings.Join(sideNames, ","), "who takes part")
	only := flag.String("only", "", "work to do, of "+strings.Join(names, ",")+" (default all)")
	flag.IntVar(&o.repeat, "repeat", 5, "runs of each kind of work")
	flag.DurationVar(&o.duration, "duration", time.Second, "length of a run")
	flag.BoolVar(&o.short, "short", false, "a quick look: 3 runs of 200 ms, and no long curves")
	flag.BoolVar(&o.growth, "growth", false, "measure how cost grows instead")
	flag.BoolVar(&o.stopped, "stopped", false, "measure memory with a stopped consumer instead")
	flag.IntVar(&o.pace, "pace", 250_000, "with -stopped: chunks sent a second, 0 for as fast as can be")
	flag.StringVar(&o.cpuprofile, "cpuprofile", "", "write a CPU profile of this process to a file")
	flag.StringVar(&o.memprofile, "memprofile", "", "write what this process allocated to a file")
	flag.StringVar(&o.md, "md", "", "write the report to a file too, between its markers if the file is there")
	flag.StringVar(&o.raw, "raw", "", "write the figures of each run to a file, as CSV")
	flag.IntVar(&o.sessions, "sessions", 1000, "idle sessions")
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
	if o.sides, err = list("side", *sides, sideNames...); err != nil {
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
	var page *section
	if o.md != "" { // before hours of measuring
		if page, err = findSection(o.md, o.mode()); err != nil {
			return err
		}
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
	var report, figures bytes.Buffer
	out := io.MultiWriter(os.Stdout, &report)
	fmt.Fprintf(out, "%s\n\n", machine())
	raw := newRaw(&figures, machine())
	err = run(ctx, o, p, out, raw)
	if err = errors.Join(err, stopProfiles(), raw.flush()); err != nil {
		return err
	}
	if o.raw != "" {
		if err := os.WriteFile(o.raw, figures.Bytes(), 0o644); err != nil {
			return err
		}
	}
	if page != nil {
		return page.write(o.md, report.String())
	}
	return nil
}

// mode names the part of a page that is written.
func (o *options) mode() string {
	switch {
	case o.growth:
		return "growth"
	case o.stopped:
		return "stopped"
	}
	return "comparison"
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
func run(ctx context.Context, o *options, p *process, out io.Writer, raw *rawWriter) error {
	for _, t := range o.transports {
		if p.addresses[t] == "" {
			return fmt.Errorf("bench: -transport %s: this system has none", t)
		}
	}
	if o.growth {
		return growth(ctx, o, p, out, raw)
	}
	if o.stopped {
		return stopped(ctx, o, p, out, raw)
	}
	c, err := compare(ctx, o, p, chosenSides(o.sides, o.serializers))
	if err != nil {
		return err
	}
	c.report(out, o)
	c.raw(raw)
	return nil
}
