package main

import (
	"context"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
)

func TestCall(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.handle("com.example.add", func(_ context.Context, inv *wamp.Invocation) error {
		var x, y int
		if err := inv.Scan(&x, &y); err != nil {
			return wamp.Errorf(wamp.ErrInvalidArgument, "%v", err)
		}
		return inv.Return(wamp.Args(x + y))
	})
	b.handle("com.example.echo", func(_ context.Context, inv *wamp.Invocation) error { return inv.Return(inv.Payload) })
	b.handle("com.example.count", func(_ context.Context, inv *wamp.Invocation) error {
		for i := range 3 {
			if err := inv.Progress(wamp.Args(i)); err != nil {
				return err
			}
		}
		return inv.Return(wamp.Args("end"))
	})
	b.expect(b.run("call", "com.example.add", "2", "3"), 0, `{"args":[5]}`+"\n")
	b.expect(b.run("call", "com.example.add", "2", "3", "-o", "raw"), 0, "5\n")
	b.expect(b.run("call", "com.example.add", "2", "3", "--format", "sum {{index .Args 0}}"), 0, "sum 5\n")
	b.expect(b.run("call", "com.example.count", "--progress"), 0,
		`{"progress":true,"args":[0]}`+"\n"+`{"progress":true,"args":[1]}`+"\n"+`{"progress":true,"args":[2]}`+"\n"+`{"args":["end"]}`+"\n")
	b.expect(b.run("call", "com.example.echo", "five", `"5"`, "9007199254740993", `{"$bytes":"AP8="}`, "[1.5,null]", "-k", "deep={\"a\":1}"), 0,
		`{"args":["five","5",9007199254740993,{"$bytes":"AP8="},[1.5,null]],"kwargs":{"deep":{"a":1}}}`+"\n")
	b.expect(b.run("call", "com.example.add", "2", "five"), exitAnswer, "", "wamp.error.invalid_argument", `{"error":"wamp.error.invalid_argument","args":[`)
	b.expect(b.run("call", "com.example.nobody"), exitAnswer, "", "wamp.error.no_such_procedure")
	b.expect(b.run("call"), exitUsage, "", "wamp call --help")
	b.expect(b.run("call", "com.example.add", "--mode", "gently"), exitUsage, "", "kill, killnowait, skip")
	b.expect(b.run("call", "com.example.add", "--realm", "realm2"), exitRefused, "", "no_such_realm")
}

func TestPing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	got := b.run("ping", "-n", "3", "--every", "1ms", "--format", "{{.Seq}}")
	b.expect(got, 0, "1\n2\n3\n")
}
