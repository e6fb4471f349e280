//go:build interop

package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
)

func TestLsAtCrossbar(t *testing.T) {
	for _, kind := range []string{"ws", "raw"} {
		t.Run(kind, func(t *testing.T) {
			b := atCrossbar(t, kind)
			s := b.peopled()
			defer s.Close(context.WithoutCancel(t.Context()))
			got := b.run("ls", "procedures", "com.*", "--format", "{{.URI}} {{.Match}} {{.Invoke}}", "-q")
			b.expect(got, 0, "com..one wildcard roundrobin\ncom.example.add exact single\ncom.example.any. prefix single\n")
			got = b.run("ls", "topics", "com.example.news*", "--format", "{{.URI}} {{.Match}}", "-q")
			b.expect(got, 0, "com.example.news exact\ncom.example.news. prefix\n") // Crossbar lists no wildcards of topics
			got = b.run("ls", "sessions", "-q")
			has(t, got.out, fmt.Sprintf(`{"kind":"session","id":%d,"authid":%q`, s.ID(), s.Details().AuthID))
			got = b.run("describe", "com.example.any.more")
			has(t, got.out, `"uri":"com.example.any.","match":"prefix"`, fmt.Sprintf(`"callees":[{"kind":"session","id":%d,"authid":`, s.ID()))
			got = b.run("describe", "com.example.news.late")
			has(t, got.out, `"uri":"com.example.news.","match":"prefix"`, fmt.Sprintf(`"subscribers":[{"kind":"session","id":%d,`, s.ID()))
			b.expect(b.run("describe", "com.example.nobody"), exitAnswer, "", "nobody has registered")
			has(t, b.run("describe", fmt.Sprint(s.ID())).out, `"details":{`)
		})
	}
}

func TestFollowAtCrossbar(t *testing.T) {
	b := atCrossbar(t, "ws")
	s := b.session()
	f := b.start("ls", "--follow", "--format", "{{.Change}} {{.Kind}} {{.URI}} {{.ID}}")
	f.probed(s, "com.example.probe", "added topic com.example.probe")
	reg, err := s.Handle(t.Context(), "com.example.followed", benchEcho)
	if err != nil {
		t.Fatal(err)
	}
	f.lineWith("added procedure com.example.followed")
	if err := reg.Unregister(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.lineWith("removed procedure com.example.followed")
	other, err := wamp.Connect(t.Context(), b.url, "realm1")
	if err != nil {
		t.Fatal(err)
	}
	f.lineWith(fmt.Sprintf("added session  %d", other.ID()))
	b.expect(b.run("kill", fmt.Sprint(other.ID()), "-o", "raw"), 0, "1\n")
	f.lineWith(fmt.Sprintf("removed session  %d", other.ID()))
	f.interrupt()
	if got := f.end(); got.code != exitInterrupted {
		t.Errorf("%+v", got)
	}
}

func TestTraceAtCrossbar(t *testing.T) {
	b := atCrossbar(t, "raw")
	tr := b.traced("--format", "{{.Event}} {{.Kind}} {{.URI}} {{.AuthID}} {{if .By}}{{.By}}{{end}}")
	s, err := wamp.Connect(t.Context(), b.url, "realm1")
	if err != nil {
		t.Fatal(err)
	}
	tr.lineWith("join session", s.Details().AuthID)
	if _, err := s.Handle(t.Context(), "com.example.traced", benchEcho); err != nil {
		t.Fatal(err)
	}
	for _, event := range []string{"create", "register"} {
		tr.lineWith(event+" procedure com.example.traced", fmt.Sprint(s.ID()))
	}
	authid := s.Details().AuthID
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var unregistered, left bool
	for !unregistered || !left { // in whichever order; Crossbar tells only the id of who leaves
		l := tr.line()
		unregistered = unregistered || strings.HasPrefix(l, "unregister procedure com.example.traced ")
		left = left || strings.HasPrefix(l, "leave session  "+authid+" ")
	}
}

func TestBenchAtCrossbar(t *testing.T) {
	for _, kind := range []string{"ws", "raw"} {
		for _, args := range []string{"call", "call --size 70000 --parallel 4", "pub --serializer json", "pub --rate 200", "stream", "stream --rate 200 --serializer msgpack"} {
			t.Run(kind+" "+args, func(t *testing.T) {
				b := atCrossbar(t, kind)
				got := b.run(append([]string{"bench", "--duration", "500ms"}, strings.Fields(args)...)...)
				sides, compared := measured(t, got.out)
				if got.code != 0 || len(sides) != 2 || compared == nil || got.errs != "" {
					t.Errorf("%+v", got)
				}
				t.Logf("%s", got.out)
			})
		}
	}
}
