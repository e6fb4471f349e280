package main

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
)

// What is printed is what was given, through every serializer: it can be given again.
func TestValuesGoRound(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"5": "5", "-5": "-5", "1.0": "1.0", "-0.0": "-0.0", "1.5e3": "1500.0", "1e300": "1e+300", "5e-324": "5e-324",
		"9007199254740993": "9007199254740993", "18446744073709551615": "18446744073709551615", "-9223372036854775808": "-9223372036854775808",
		"true": "true", "null": "null", `"5"`: `"5"`, "five": `"five"`, "": `""`, "NaN": `"NaN"`, "05": `"05"`, "{": `"{"`, "[1,": `"[1,"`,
		"5 6": `"5 6"`, ` 5 `: `5`, `{"a":{"b":[1,2.0]}}`: `{"a":{"b":[1,2.0]}}`, `<&>`: `"<&>"`, `{"$bytes":"AP8="}`: `{"$bytes":"AP8="}`,
		`[{"$bytes":""}]`: `[{"$bytes":""}]`, `{"$bytes":5}`: `{"$bytes":5}`, `{"$bytes":"AP8=","x":1}`: `{"$bytes":"AP8=","x":1}`,
		`"\ud83d\ude00"`: `"😀"`, `"\u0001"`: `"\u0001"`,
	} {
		for _, c := range codec.All() {
			v, err := value(given)
			if err != nil {
				t.Errorf("%s: %v", given, err)
				continue
			}
			args, _, err := wamp.Args(v).Encode(c, nil)
			if err != nil {
				t.Errorf("%s in %s: %v", given, c.Name(), err)
				continue
			}
			got, err := contents(wamp.Raw(c, args, nil))
			if err != nil {
				t.Errorf("%s in %s: %v", given, c.Name(), err)
				continue
			}
			if text := compact(got.Args[0]); text != want {
				t.Errorf("%s in %s is printed as %s", given, c.Name(), text)
			}
			if again, err := value(compact(got.Args[0])); err != nil || compact(printable(again)) != want {
				t.Errorf("%s in %s is then %v, %v", given, c.Name(), again, err)
			}
		}
	}
}

// JSON that cannot be sent is no string.
func TestValuesThatCannotBeSent(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"a":1,"a":2}`, `{"$bytes":"?"}`, `[{"$bytes":"A"}]`, "1e400", strings.Repeat("[", 200) + strings.Repeat("]", 200), "\"\xff\""} {
		if v, err := value(text); err == nil {
			t.Errorf("%.40s is %v", text, v)
		}
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]any{
		`"NaN"`: math.NaN(), `"+Inf"`: math.Inf(1), `"-Inf"`: math.Inf(-1),
		`{"$tag":1000,"$value":[{"$bytes":"AQ=="}]}`: codec.Tag{Number: 1000, Content: []any{[]byte{1}}},
	} {
		if got := compact(printable(v)); got != want {
			t.Errorf("%v is %s", v, got)
		}
	}
	// a bignum, which is larger than what encoding/json knows
	got, err := contents(wamp.Raw(codec.CBOR, append([]byte{0x81, 0xc2, 0x4a}, bytes.Repeat([]byte{0xff}, 10)...), nil))
	if err != nil || compact(got) != `{"args":[1208925819614629174706175]}` {
		t.Error(compact(got), err)
	}
	if got, err := contents(wamp.Raw(codec.CBOR, []byte{0x81, 0xa1, 0x01, 0x02}, nil)); err != nil || compact(got) != `{"args":[{"1":2}]}` {
		t.Error("a key that is a number:", compact(got), err)
	}
}

func TestPayloadOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                       `{"args":[""]}`,
		"{}":                                     `{"args":[{}]}`,
		`{"args":[1,2]}`:                         `{"args":[1,2]}`,
		`{"args":null}`:                          `{"args":[]}`,
		`{"kwargs":{"a":1.0}}`:                   `{"args":[],"kwargs":{"a":1.0}}`,
		`{"args":[1],"kwargs":{},"x":1}`:         `{"args":[{"args":[1],"kwargs":{},"x":1}]}`,
		`{"args":[{"$bytes":"AP8="}]}`:           `{"args":[{"$bytes":"AP8="}]}`,
		`[1,2]`:                                  `{"args":[[1,2]]}`,
		`{"args":5}`:                             "args is not a list",
		`{"kwargs":[]}`:                          "kwargs is not a dict",
		`{"args":[1],"args":[2]}`:                "args",
		`{"args":[],"kwargs":{"$bytes":"AP8="}}`: "kwargs is not a dict",
	} {
		p, err := payloadOf(text)
		var got string
		if err != nil {
			got = err.Error()
		} else if c, err := contents(p); err != nil {
			got = err.Error()
		} else {
			got = compact(c)
		}
		if got != want && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("%s is %s, and not %s", text, got, want)
		}
	}
}

// What an argument looks like to the shell is no matter.
func TestArgumentsThatLookLikeOthers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.handle("com.example.echo", func(_ context.Context, inv *wamp.Invocation) error { return inv.Return(inv.Payload) })
	b.expect(b.run("call", "com.example.echo", "--", "-5", "--stdin", "-o"), 0, `{"args":[-5,"--stdin","-o"]}`+"\n")
	b.expect(b.run("call", "com.example.echo", "-5"), exitUsage, "", "wamp call --help")
	b.expect(b.run("call", "com.example.echo", "-k", "a=1", "--kwarg", "b=x=y", "-k", "c="), 0, `{"args":[],"kwargs":{"a":1,"b":"x=y","c":""}}`+"\n")
	b.expect(b.run("call", "com.example.echo", "-k", "a=1", "-k", "a=2"), exitUsage, "", `the key "a" was given twice`)
	b.expect(b.run("call", "com.example.echo", "-k", "a"), exitUsage, "", "KEY=VALUE")
	b.expect(b.run("call", "com.example.echo", `{"a":1,"a":2}`), exitUsage, "", "argument")
	b.expect(b.run("call", "com.example.echo", "\xff"), exitFault, "", "UTF-8")
	b.expect(b.run("call", "com.example.echo", `{"$bytes":"AP8K"}`, "x", "1.0", "-o", "raw"), 0, "\x00\xff\n\nx\n1.0\n")
	b.expect(b.run("call", "com.example.echo", "1", "-o", "pretty"), 0, "{\n  \"args\": [\n    1\n  ]\n}\n")
	b.expect(b.run("call", "com.example.echo", "1", "2.0", `{"a":"<"}`, "--format", `{{printf "%d %.2f" (index .Args 0) (index .Args 1)}} {{json .Args}}`), 0,
		`1 2.00 [1,2.0,{"a":"<"}]`+"\n")
	b.expect(b.run("call", "com.example.echo", "--format", "{{.Nothing}}"), exitUsage, "", "Nothing")
	b.expect(b.run("call", "com.example.echo", "--format", "{{"), exitUsage, "", "--format")
	b.expect(b.run("call", "com.example.echo", "-o", "xml"), exitUsage, "", "json, raw, pretty")
}
