//go:build interop

package interop_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
)

var writeGolden = flag.Bool("golden.write", false, "write what became of the values into testdata/values/crossbar.json")

// goldenRow is what became of a value on the ways that it took, each written as
// the serializer it left in, and the one it arrived in.
type goldenRow struct {
	From  string   `json:"from"`
	Value string   `json:"value"`
	Is    string   `json:"is"`
	Back  string   `json:"back,omitempty"`
	Scans string   `json:"scans,omitempty"`
	Ways  []string `json:"ways"`
}

// golden collects rows, those that say the same in one.
type golden struct{ rows []goldenRow }

func (g *golden) add(r goldenRow, way string) {
	for i := range g.rows {
		if o := &g.rows[i]; o.From == r.From && o.Value == r.Value && o.Is == r.Is && o.Back == r.Back && o.Scans == r.Scans {
			o.Ways = append(o.Ways, way)
			return
		}
	}
	r.Ways = []string{way}
	g.rows = append(g.rows, r)
}

// lines returns the rows, one a line and those of a value behind each other.
func (g *golden) lines(t *testing.T) []string {
	t.Helper()
	first := map[string]int{}
	for i, r := range g.rows {
		if _, met := first[r.From+r.Value]; !met {
			first[r.From+r.Value] = i
		}
	}
	slices.SortStableFunc(g.rows, func(a, b goldenRow) int { return first[a.From+a.Value] - first[b.From+b.Value] })
	var out []string
	for _, r := range g.rows {
		if len(r.Ways) == len(codecs)*len(codecs) {
			r.Ways = []string{"all"}
		}
		var line strings.Builder
		e := json.NewEncoder(&line)
		e.SetEscapeHTML(false)
		if err := e.Encode(r); err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.TrimSpace(line.String()))
	}
	return out
}

// The Go types that are sent.
type (
	goldenName  string
	goldenByte  byte
	goldenOwn   struct{ s string }
	goldenBase  struct{ ID int64 }
	goldenOrder struct {
		goldenBase
		Price  string            `json:"price"`
		Big    int64             `json:"big,string"`
		At     time.Time         `json:"at"`
		Raw    []byte            `json:"raw"`
		Tags   []string          `json:"tags,omitempty"`
		Zero   time.Time         `json:"zero,omitzero"`
		Secret string            `json:"-"`
		Share  float32           `json:"share" cbor:"other"`
		Next   *goldenOrder      `json:"next"`
		More   map[string]string `json:",embed"`
	}
)

func (o goldenOwn) MarshalJSON() ([]byte, error) { return []byte(`{"own":[1,2.0,"` + o.s + `"]}`), nil }

func bigInt(s string) *big.Int {
	n, _ := new(big.Int).SetString(s, 10)
	return n
}

func mustURL(s string) url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return *u
}

type namedValue struct {
	name  string
	value any
}

// goldenSent are the values that Go sends.
func goldenSent() []namedValue {
	at := time.Date(2023, 11, 14, 22, 13, 20, 5_000_001, time.UTC)
	return []namedValue{
		{"nil", nil}, {"true", true}, {"false", false}, {"int", 42}, {"int8", int8(-128)}, {"int of 2^53+1", 1<<53 + 1}, {"int64, the least", int64(math.MinInt64)}, {"uint64, the largest", uint64(math.MaxUint64)},
		{"named int", time.Month(7)}, {"time.Duration", 1500 * time.Millisecond},
		{"big.Int of 42", big.NewInt(42)}, {"big.Int of 2^64-1", bigInt("18446744073709551615")}, {"big.Int of 2^64", bigInt("18446744073709551616")}, {"big.Int of -2^70", bigInt("-1180591620717411303424")},
		{"float64 of 7", 7.0}, {"float64 of 1.5", 1.5}, {"float64 of -0", math.Copysign(0, -1)}, {"float64 of 2^53", 0x1p53}, {"float64 of 2^63", 0x1p63}, {"float64 of 1e300", 1e300}, {"float64 of 5e-324", 5e-324},
		{"float32 of 0.1", float32(0.1)}, {"NaN", math.NaN()}, {"infinity", math.Inf(1)}, {"minus infinity", math.Inf(-1)},
		{"string", "ü😀𝄞\n\"\\</>\u2028"}, {"empty string", ""}, {"named string", goldenName("x")}, {"string with U+0000 first", "\x00AQI="}, {"string with U+0000", "a\x00b"}, {"string that is no UTF-8", "a\xff"},
		{"[]byte", []byte{1, 2, 255}}, {"empty []byte", []byte{}}, {"nil []byte", []byte(nil)}, {"[3]byte", [3]byte{1, 2, 3}}, {"[]goldenByte", []goldenByte{1, 2}},
		{"time.Time", at}, {"time.Time in another zone", at.In(time.FixedZone("", 3600))}, {"zero time.Time", time.Time{}},
		{"json.Number of an integer", json.Number("12345678901234567890")}, {"json.Number of a fraction", json.Number("1.10")}, {"json.Number of 1e3", json.Number("1e3")}, {"empty json.Number", json.Number("")},
		{"json.RawMessage", json.RawMessage(`{"a":[1,7.0,-0,1e3,123456789012345678901234567890,null,"\u00fc\ud83d\ude00"],"b":"\u0000AQI="}`)}, {"broken json.RawMessage", json.RawMessage(`{`)},
		{"url.URL", mustURL("http://h/a%20b?x=1")}, {"url.URL with a password", mustURL("http://u:p@h/")}, {"text marshaler", netip.MustParseAddr("192.0.2.1")}, {"JSON marshaler", goldenOwn{"x"}},
		{"[]int", []int{1, 2}}, {"empty []int", []int{}}, {"nil []int", []int(nil)}, {"[2]float64", [2]float64{1, 2.5}}, {"[]any", []any{1, 7.0, "x", nil, []byte{1}, []any{}}},
		{"map[string]any", map[string]any{"a": map[string]any{"b": []any{uint64(1 << 63), 1.0}}}}, {"nil map", map[string]int(nil)}, {"empty map", map[string]int{}},
		{"map[int]string", map[int]string{-1: "x", 1 << 60: "y"}}, {"map[netip.Addr]int", map[netip.Addr]int{netip.MustParseAddr("::1"): 1}}, {"map[float64]int", map[float64]int{1: 1}}, {"map[bool]int", map[bool]int{true: 1}},
		{"struct", goldenOrder{goldenBase: goldenBase{1<<53 + 1}, Price: "1.10", Big: math.MaxInt64, At: at, Raw: []byte{7}, Secret: "s", Share: 0.1, Next: &goldenOrder{}, More: map[string]string{"more": "x"}}},
		{"struct{}", struct{}{}}, {"pointer", &at}, {"nil pointer", (*int)(nil)}, {"error", errors.New("bad")}, {"func", func() {}}, {"complex", 1i},
	}
}

// goldenTargets are what Python's values are scanned into, besides a plain value.
var goldenTargets = map[string][]any{
	"None": {1, "", []byte(nil), (*int)(nil)}, "int": {int8(0), uint64(0), 0.0, big.Int{}, json.Number(""), time.Time{}, ""}, "minus one": {uint64(0)}, "2^53+1": {int64(0), 0.0}, "2^63-1": {int64(0)}, "2^64-1": {int64(0), uint64(0)},
	"2^64": {uint64(0), big.Int{}, 0.0}, "2^70": {big.Int{}, ""}, "-2^70": {big.Int{}}, "float 7.0": {0, big.Int{}, json.Number("")}, "float 1.5": {0, float32(0)}, "float -0.0": {0, 0.0}, "float 1e300": {float32(0), int64(0)},
	"float 2^63": {int64(0), uint64(0)}, "milliseconds": {int64(0), time.Time{}}, "seconds": {0.0, time.Time{}}, "NaN": {0.0, 0}, "inf": {0.0}, "str": {goldenName(""), []byte(nil), 0, []string(nil)}, "bytes": {[]byte(nil), [3]byte{}, [2]byte{}, ""},
	"empty bytes": {[]byte(nil)}, "bytearray": {[]byte(nil)}, "list": {[]any(nil), [4]any{}, [2]any{}, struct{}{}}, "tuple": {[]any(nil)}, "dict": {map[string]any(nil), struct{ A any }{}, []int(nil)},
	"set": {[]int(nil)}, "dict of int keys": {map[int]any(nil), map[string]any(nil)}, "nested int keys": {map[string]map[uint8]string(nil)},
	"Decimal": {0.0, "", json.Number(""), 0}, "Decimal, large": {big.Int{}, 0.0}, "datetime": {time.Time{}, ""}, "datetime, another zone": {time.Time{}}, "datetime without a zone": {time.Time{}}, "date": {time.Time{}, ""}, "UUID": {"", [16]byte{}}, "str with U+0000 first": {"", []byte(nil)},
}

// told says what a value is, with its type.
func told(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case string:
		return "string " + strconv.Quote(v)
	case []byte:
		return fmt.Sprintf("[]byte %x", v)
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, told(e))
		}
		return "[]any [" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		var parts []string
		for k, e := range v {
			parts = append(parts, strconv.Quote(k)+": "+told(e))
		}
		slices.Sort(parts)
		return "map[string]any {" + strings.Join(parts, ", ") + "}"
	case codec.Tag:
		return fmt.Sprintf("codec.Tag %d %s", v.Number, told(v.Content))
	case float64:
		return "float64 " + strconv.FormatFloat(v, 'g', -1, 64)
	}
	return fmt.Sprintf("%T %v", v, v)
}

// scanned scans a payload into the targets that there are for a value.
func scanned(p wamp.Payload, name string) string {
	var out []string
	for _, zero := range goldenTargets[name] {
		target := reflect.New(reflect.TypeOf(zero))
		err := p.Scan(target.Interface())
		text := fmt.Sprint(target.Elem())
		switch v := target.Interface().(type) {
		case *time.Time:
			text = v.Format(time.RFC3339Nano)
		case fmt.Stringer:
			text = v.String()
		case *string:
			text = strconv.Quote(*v)
		}
		if err != nil {
			out = append(out, err.Error())
		} else {
			out = append(out, fmt.Sprintf("%T %s", zero, text))
		}
	}
	return strings.Join(out, "; ")
}

func toldPayload(p wamp.Payload) string {
	args, err := p.Args()
	switch {
	case err != nil:
		return "error: " + err.Error()
	case len(args) != 1:
		return fmt.Sprintf("%d arguments", len(args))
	}
	return told(args[0])
}

// outcome is what came of a value, and what became of it in the targets.
type outcome struct{ is, scans string }

// goldenPair is a session of each side, made again where a value has ended one.
type goldenPair struct {
	ours, theirs cell
	s            *wamp.Session
	p            *partner
	name         atomic.Value // of what Python sends
	n            int
}

// uri is a name that no other session uses.
func (g *goldenPair) uri() string {
	return fmt.Sprintf("com.interop.golden.%s.%s.%d.", g.ours.codec.Name(), g.theirs.codec.Name(), g.n)
}

func (g *goldenPair) join(t *testing.T) {
	t.Helper()
	g.n++
	g.s = g.ours.joinRealm(t, realm)
	g.p = &partner{name: g.uri(), prefix: g.uri() + "py."}
	python.ask(t, "join", g.p.name, request{"kind": g.theirs.kind, "codec": g.theirs.codec.Name(), "offer": g.p.prefix})
	if _, err := g.s.Handle(context.Background(), g.uri()+"go", func(_ context.Context, inv *wamp.Invocation) error {
		got := taken(inv.Payload, g.name.Load().(string))
		return inv.Return(wamp.Args(got.is + scansAfter + got.scans))
	}, wamp.Concurrency(1)); err != nil {
		t.Fatal(err)
	}
}

const scansAfter = " | "

func taken(p wamp.Payload, name string) outcome { return outcome{toldPayload(p), scanned(p, name)} }

// leave ends both sides, whatever has become of them.
func (g *goldenPair) leave(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), prompt)
	defer cancel()
	_ = g.s.Close(ctx) // it may have ended
	g.p.ask(t, "drop", nil)
}

func (g *goldenPair) again(t *testing.T) {
	t.Helper()
	g.leave(t)
	g.join(t)
}

// call calls Python, and says what came of that if it has no result. Another call goes
// behind it: where that is answered and the first is not, it never will be.
func (g *goldenPair) call(t *testing.T, procedure string, v any) (p wamp.Payload, failed string) {
	t.Helper()
	ctx, cancel := context.WithCancel(limit(t))
	defer cancel()
	first := g.s.Call(ctx, g.p.prefix+procedure, wamp.Args(v))
	_, _ = g.s.Call(limit(t), g.p.prefix+"see", wamp.Args(nil)).Final()
	cancel()
	r, err := first.Final()
	var unsent *codec.EncodeError
	var answer *wamp.Error
	switch {
	case err == nil:
		return r.Payload, ""
	case errors.As(err, &unsent):
		return p, "not sent: " + strings.TrimPrefix(unsent.Error(), g.ours.codec.Name()+": ")
	case errors.As(err, &answer):
		failed = answer.URI
	case errors.Is(err, context.Canceled) && g.s.Err() == nil:
		failed = "no answer"
	default:
		failed = "lost"
	}
	if failed == "lost" || failed == "wamp.error.canceled" { // one's own link, or that of the other
		g.again(t)
	}
	return p, failed
}

// sent says what Python sees of a value, and what comes back.
func (g *goldenPair) sent(t *testing.T, v any) (sees, back string) {
	t.Helper()
	r, failed := g.call(t, "see", v)
	if failed != "" {
		return failed, ""
	}
	if err := r.Scan(&sees); err != nil {
		t.Error(err)
	}
	if r, back = g.call(t, "same", v); back == "" {
		back = toldPayload(r)
	}
	return sees, back
}

// given says what Go gets of one of Python's values, as argument and as result.
func (g *goldenPair) given(t *testing.T, name string) (argument, result outcome) {
	t.Helper()
	g.name.Store(name)
	d := g.p.ask(t, "give", request{"uri": g.uri() + "go", "name": name})
	argument.is, argument.scans, _ = strings.Cut(d.Said, scansAfter)
	if argument.is == "lost" || argument.is == "wamp.error.canceled" {
		g.again(t)
	}
	r, failed := g.call(t, "give", name)
	if failed != "" {
		return argument, outcome{is: failed}
	}
	return argument, taken(r, name)
}

// What becomes of a value on its way through the router, from each serializer to each
// other, is what testdata/values has, and docs/values.md tells.
func TestGoldenValues(t *testing.T) {
	var g golden
	names := python.ask(t, "names", "", nil).Names
	for _, ours := range codecs {
		for _, theirs := range codecs {
			pair := &goldenPair{ours: cell{"raw", ours}, theirs: cell{"raw", theirs}}
			pair.join(t)
			for _, v := range goldenSent() {
				sees, back := pair.sent(t, v.value)
				g.add(goldenRow{From: "Go", Value: v.name, Is: sees, Back: back}, ours.Name()+">"+theirs.Name())
			}
			for _, name := range names {
				argument, result := pair.given(t, name)
				from := "Python"
				way := theirs.Name() + ">" + ours.Name()
				if argument != result {
					from = "Python, as argument"
					g.add(goldenRow{From: "Python, as result", Value: name, Is: result.is, Scans: result.scans}, way)
				}
				g.add(goldenRow{From: from, Value: name, Is: argument.is, Scans: argument.scans}, way)
			}
			pair.leave(t)
		}
	}
	got := g.lines(t)
	file := filepath.Join(rig.source, "..", "values", "crossbar.json")
	text := "[\n" + strings.Join(got, ",\n") + "\n]\n"
	if *writeGolden {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(data)) {
		want = append(want, strings.TrimSuffix(strings.TrimSpace(line), ","))
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("new: %s", line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) && len(line) > 1 {
			t.Errorf("gone: %s", line)
		}
	}
	t.Logf("%d values of Go, %d of Python, %d rows", len(goldenSent()), len(names), len(got))
}
