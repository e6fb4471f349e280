package main

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
)

// measured reads what bench has printed.
func measured(t *testing.T, text string) (sides []benchLine, compared *ratioLine) {
	t.Helper()
	for l := range strings.Lines(text) {
		if strings.HasPrefix(l, `{"side":"wamp/floor"`) {
			compared = new(ratioLine)
			if err := json.Unmarshal([]byte(l), compared); err != nil {
				t.Fatal(err)
			}
			continue
		}
		var s benchLine
		if err := json.Unmarshal([]byte(l), &s); err != nil {
			t.Fatal(err)
		}
		if s.Operations == 0 || s.Rate <= 0 || s.Seconds <= 0 || !(0 < s.P50 && s.P50 <= s.P90 && s.P90 <= s.P99 && s.P99 <= s.P999 && s.P999 <= s.Max) {
			t.Errorf("%q", l)
		}
		sides = append(sides, s)
	}
	return sides, compared
}

// Each kind of work goes through the library and the floor, over each transport and
// serializer, with payloads whose frames have lengths of each form.
func TestBench(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	raw, err := b.router.ListenRawSocket("tcp", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ work, args string }{
		{"call", "--size 0"}, {"call", "--size 300 --serializer json --parallel 4"}, {"call", "--url " + raw + " --size 70000"},
		{"pub", "--size 70000"}, {"pub", "--url " + raw + " --serializer msgpack --parallel 10"}, {"pub", "--rate 500"},
		{"stream", "--size 10"}, {"stream", "--url " + raw + " --serializer json --parallel 2"}, {"stream", "--rate 500 --parallel 2 --serializer msgpack"},
	} {
		args := append([]string{"bench", c.work, "--duration", "100ms"}, strings.Fields(c.args)...)
		got := b.run(args...)
		sides, compared := measured(t, got.out)
		if got.code != 0 || got.errs != "" || len(sides) != 2 || sides[0].Side != "wamp" || sides[1].Side != "floor" || sides[0].Work != c.work ||
			compared == nil || compared.P50 <= 0 || compared.Rate <= 0 {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

// The floor logs in as the library does.
func TestBenchLogin(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	files := b.files(map[string]string{"ticket": "open sesame", "logins.json": `[
		{"method":"ticket","authid":"alice","secret_file":"ticket"}, {"method":"cra","authid":"alice","secret_file":"ticket"},
		{"method":"scram","authid":"alice","secret_file":"ticket"}, {"method":"cryptosign","authid":"alice","keys":["KEY"]}]`})
	key := b.keygen(files("key"))
	b.replace(files("logins.json"), "KEY", key.PublicKey)
	cert, certKey := certificate(t)
	url := b.routerAt("--login", files("logins.json"), "--tls-cert", cert, "--tls-key", certKey)
	for _, login := range [][]string{
		{"--auth", "ticket", "--authid", "alice", "--secret-file", files("ticket")}, {"--auth", "cra", "--authid", "alice", "--secret-file", files("ticket")},
		{"--auth", "scram", "--authid", "alice", "--secret-file", files("ticket")}, {"--key", files("key")},
	} {
		got := b.run(append(login, "bench", "call", "--url", url, "--ca", cert, "--duration", "50ms")...)
		if sides, _ := measured(t, got.out); got.code != 0 || got.errs != "" || len(sides) != 2 {
			t.Errorf("%q: %+v", login, got)
		}
	}
}

func TestBenchOfOthers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var calls, events atomic.Int64
	b.handle("com.example.add", func(_ context.Context, inv *wamp.Invocation) error {
		calls.Add(1)
		return inv.Return(wamp.Args(5))
	})
	if _, err := b.session().SubscribeFunc(context.WithoutCancel(t.Context()), "com.example.news", func(context.Context, wamp.Event) error {
		events.Add(1)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	got := b.run("bench", "call", "--procedure", "com.example.add", "--duration", "50ms", "-o", "raw", "--no-floor")
	if got.code != 0 || calls.Load() == 0 || !strings.HasPrefix(got.out, "wamp ") || strings.Contains(got.out, "floor") {
		t.Errorf("%+v, %d calls", got, calls.Load())
	}
	if got := b.run("bench", "pub", "--topic", "com.example.news", "--duration", "50ms"); got.code != 0 || events.Load() == 0 {
		t.Errorf("%+v, %d events", got, events.Load())
	}
	b.expect(b.run("bench", "call", "--procedure", "com.example.nobody"), exitAnswer, "", "no_such_procedure")
}

// A call that takes long makes late those that should have begun meanwhile.
func TestBenchAtRateCountsFromTheMoment(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var first time.Time
	b.handle("com.example.slow", func(_ context.Context, inv *wamp.Invocation) error {
		switch {
		case first.IsZero():
			first = time.Now()
		case time.Since(first) > time.Second: // behind the warming up
			first = time.Now().Add(time.Hour)
			time.Sleep(800 * time.Millisecond)
		}
		return inv.Return(wamp.Args())
	}, wamp.Concurrency(1))
	got := b.run("bench", "call", "--procedure", "com.example.slow", "--rate", "50", "--parallel", "1", "--duration", "2s", "--no-floor")
	sides, _ := measured(t, got.out)
	if got.code != 0 || len(sides) != 1 || sides[0].Operations != 100 || sides[0].P90 < 100 {
		t.Errorf("%+v", got)
	}
}

func TestBenchSlips(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for flag, values := range map[string][]string{
		"--size": {"-1", "20000000", "x"}, "--parallel": {"0", "-1", "10001"}, "--duration": {"0s", "-1s", "5"}, "--rate": {"0", "-5", "NaN", "Inf", "1e9"},
	} {
		for _, v := range values {
			b.expect(b.run("bench", "call", flag+"="+v), exitUsage, "", flag)
		}
	}
	b.expect(b.run("bench", "fly"), exitUsage, "", "wamp bench --help")
	b.expect(b.run("bench", "call", "x"), exitUsage, "", "wamp bench call --help")
	b.expect(b.run("bench", "pub", "--procedure", "x"), exitUsage, "", "--procedure")
	b.expect(b.run("bench", "call", "--realm", "realm2"), exitRefused, "", "no_such_realm")
	b.expect(b.run("bench", "call", "--url", "ws://127.0.0.1:1/ws"), exitNetwork, "", "refused")
}

// A rate that nobody can keep up with is told.
func TestBenchTooFast(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	got := b.run("bench", "call", "--rate", "10000000", "--duration", "200ms", "--no-floor")
	sides, _ := measured(t, got.out)
	if got.code != 0 || len(sides) != 1 || sides[0].NotBegun == 0 {
		t.Errorf("%+v", got)
	}
	has(t, got.errs, "had not begun in time")
}

// begun starts bench, and waits until it has measured something, however fast the machine
// is: warming up makes one call after the other, so calls beside others are measured ones,
// and 20 workers begin the hundredth when 80 have been counted.
func (b *bench) begun(args ...string) *started {
	b.Helper()
	began := make(chan struct{}, 1)
	var under, beside atomic.Int64
	b.handle("com.example.echo", func(_ context.Context, inv *wamp.Invocation) error {
		defer under.Add(-1)
		if under.Add(1) > 1 && beside.Add(1) == 100 {
			began <- struct{}{}
		}
		time.Sleep(time.Millisecond) // for others to come
		return inv.Return(inv.Payload)
	})
	s := b.start(append([]string{"bench", "call", "--procedure", "com.example.echo", "--duration", "30s", "--parallel", "20"}, args...)...)
	select {
	case <-began:
	case <-time.After(patience):
		b.Fatal("it does not begin")
	}
	return s
}

// What there was before the end is printed.
func TestBenchRouterDies(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.begun()
	b.router.Close()
	got := s.end()
	if sides, _ := measured(t, got.out); got.code != exitNetwork || len(sides) == 0 {
		t.Errorf("%+v", got)
	}
}

func TestBenchInterrupted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.begun()
	s.interrupt()
	got := s.end()
	if sides, _ := measured(t, got.out); got.code != exitInterrupted || len(sides) == 0 {
		t.Errorf("%+v", got)
	}
	has(t, got.errs, "interrupted")
}

func TestBenchMaxTime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	got := b.run("bench", "stream", "--duration", "30s", "--max-time", "4s")
	if sides, _ := measured(t, got.out); got.code != exitTimeout || len(sides) == 0 {
		t.Errorf("%+v", got)
	}
}
