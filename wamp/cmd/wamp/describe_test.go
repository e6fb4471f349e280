package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.peopled()
	who := fmt.Sprintf(`{"kind":"session","id":%d,"authid":`, s.ID())
	got := b.run("describe", "com.example.add")
	has(t, got.out, `{"kind":"procedure","id":`, `"uri":"com.example.add","match":"exact","invoke":"single","created":"2`, `"callees":[`+who)
	if strings.Count(got.out, "\n") != 1 || got.code != 0 {
		t.Errorf("%+v", got)
	}
	for uri, want := range map[string][]string{
		"com.example.any.more":  {"procedure com.example.any. prefix 1 0"}, // what a call goes to
		"com.example.any.":      {"procedure com.example.any. prefix 1 0"}, // the pattern itself
		"com..one":              {"procedure com..one wildcard 1 0"},
		"com.x.one":             {"procedure com..one wildcard 1 0"},
		"com.example.news":      {"topic com.example.news exact 0 1"},
		"com.example.news.late": {"topic com.example.news. prefix 0 1"},
		"com..late":             {"topic com..late wildcard 0 1"},
	} {
		got := b.run("describe", uri, "--format", "{{.Kind}} {{.URI}} {{.Match}} {{len .Callees}} {{len .Subscribers}}")
		b.expect(got, 0, strings.Join(want, "\n")+"\n")
	}
	got = b.run("describe", "com.example.add", "-o", "pretty")
	has(t, got.out, "procedure  com.example.add\n", "match      exact\n", "invoke     single\n", fmt.Sprintf("callees    %d ", s.ID()))

	got = b.run("describe", fmt.Sprint(s.ID()))
	var l descriptionLine
	if err := json.Unmarshal([]byte(got.out), &l); err != nil || l.ID != uint64(s.ID()) || l.AuthRole != "anonymous" || l.Details["transport"] == nil {
		t.Errorf("%+v, %v", got, err)
	}
	has(t, b.run("describe", fmt.Sprint(s.ID()), "-o", "pretty").out, "  transport ", `{"protocol":"wamp.2.`)
}

func TestDescribeSlips(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.expect(b.run("describe", "com.example.nobody"), exitAnswer, "", "nobody has registered or subscribed")
	b.expect(b.run("describe", "12345"), exitAnswer, "", "wamp.error.no_such_session")
	b.expect(b.run("describe", "a b"), exitAnswer, "", "nobody has registered")
	b.expect(b.run("describe"), exitUsage, "", "wamp describe --help")
	d := denied(t, proto.MetaSessionGet).refusing(wamp.ErrNotAuthorized)
	got := d.run("describe", "com.example.denied")
	has(t, got.out, fmt.Sprintf(`"callees":[{"kind":"session","id":%d}]`, d.peer.ID()))
	d = denied(t, proto.MetaRegistrationMatch).refusing(wamp.ErrNotAuthorized)
	d.expect(d.run("describe", "com.example.denied"), exitAnswer, "", "not_authorized")
}
