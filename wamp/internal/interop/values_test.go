//go:build interop

package interop_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/connectanum/connectanum-go/wamp"
)

// tagged is a value in the form of testdata/interop: no type is lost in the
// JSON of the control channel. peer.py says how it is made.
type tagged struct {
	T  string          `json:"t"`
	V  json.RawMessage `json:"v,omitempty"`
	N  int             `json:"n,omitempty"`
	Of string          `json:"of,omitempty"`
}

const long = 4096 // above it peer.py reports a hash

// tag makes the tagged form of a plain value of the library.
func tag(v any) tagged {
	raw := func(v any) json.RawMessage {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return text
	}
	switch v := v.(type) {
	case nil:
		return tagged{T: "null"}
	case bool:
		return tagged{T: "bool", V: raw(v)}
	case int, int64, uint64:
		return tagged{T: "int", V: raw(fmt.Sprint(v))}
	case float64:
		return tagged{T: "float", V: raw(strconv.FormatFloat(v, 'g', -1, 64))}
	case string:
		if n := utf8.RuneCountInString(v); n > long {
			sum := sha256.Sum256([]byte(v))
			return tagged{T: "sha256", Of: "str", N: n, V: raw(hex.EncodeToString(sum[:]))}
		}
		return tagged{T: "str", V: raw(v)}
	case []byte:
		if len(v) > long {
			sum := sha256.Sum256(v)
			return tagged{T: "sha256", Of: "bytes", N: len(v), V: raw(hex.EncodeToString(sum[:]))}
		}
		return tagged{T: "bytes", V: raw(hex.EncodeToString(v))}
	case []any:
		list := []tagged{}
		for _, x := range v {
			list = append(list, tag(x))
		}
		return tagged{T: "list", V: raw(list)}
	case map[string]any:
		m := map[string]tagged{}
		for k, x := range v {
			m[k] = tag(x)
		}
		return tagged{T: "map", V: raw(m)}
	}
	return tagged{T: fmt.Sprintf("%T", v), V: raw(fmt.Sprint(v))}
}

// untag makes the plain value of a tagged one.
func untag(x tagged) (any, error) {
	text := func() (s string, err error) { return s, json.Unmarshal(x.V, &s) }
	switch x.T {
	case "null":
		return nil, nil
	case "bool":
		var b bool
		return b, json.Unmarshal(x.V, &b)
	case "str":
		return text()
	case "int":
		s, err := text()
		if err != nil {
			return nil, err
		}
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return i, nil
		}
		return strconv.ParseUint(s, 10, 64)
	case "float":
		s, err := text()
		if err != nil {
			return nil, err
		}
		return strconv.ParseFloat(s, 64)
	case "bytes":
		s, err := text()
		if err != nil {
			return nil, err
		}
		return hex.DecodeString(s)
	case "blob":
		return blob(x.N), nil
	case "text":
		return prose(x.N), nil
	case "list":
		var list []tagged
		if err := json.Unmarshal(x.V, &list); err != nil {
			return nil, err
		}
		out := []any{}
		for _, y := range list {
			v, err := untag(y)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case "map":
		var m map[string]tagged
		if err := json.Unmarshal(x.V, &m); err != nil {
			return nil, err
		}
		out := map[string]any{}
		for k, y := range m {
			v, err := untag(y)
			if err != nil {
				return nil, err
			}
			out[k] = v
		}
		return out, nil
	}
	return nil, fmt.Errorf("no such tag: %s", x.T)
}

func tagAll(values ...any) []tagged {
	out := []tagged{}
	for _, v := range values {
		out = append(out, tag(v))
	}
	return out
}

// blob and prose are the made-up bytes and characters of peer.py.
func blob(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

func prose(n int) string {
	alphabet := []rune("abcdefghijklmnopqrstuvwxyz äöü€𝄞")
	var b strings.Builder
	for i := range n {
		b.WriteRune(alphabet[(i*5+i/32)%32])
	}
	return b.String()
}

// sameTagged compares what the peer saw with what it should have seen.
func sameTagged(got, want tagged) bool {
	if got.T == "float" && want.T == "float" { // Python and Go print floats differently
		a, errA := untag(got)
		b, errB := untag(want)
		x, okX := a.(float64)
		y, okY := b.(float64)
		return errA == nil && errB == nil && okX && okY && math.Float64bits(x) == math.Float64bits(y)
	}
	if got.T != want.T || got.N != want.N || got.Of != want.Of {
		return false
	}
	switch want.T {
	case "list":
		var a, b []tagged
		return json.Unmarshal(got.V, &a) == nil && json.Unmarshal(want.V, &b) == nil && slices.EqualFunc(a, b, sameTagged)
	case "map":
		var a, b map[string]tagged
		return json.Unmarshal(got.V, &a) == nil && json.Unmarshal(want.V, &b) == nil && maps.EqualFunc(a, b, sameTagged)
	}
	var a, b any
	if len(got.V) > 0 && json.Unmarshal(got.V, &a) != nil || len(want.V) > 0 && json.Unmarshal(want.V, &b) != nil {
		return false
	}
	return a == b
}

func sameMessage(got message, args []any, kwargs map[string]any) bool {
	want := tagAll(args...)
	wantKw := map[string]tagged{}
	for k, v := range kwargs {
		wantKw[k] = tag(v)
	}
	return slices.EqualFunc(got.Args, want, sameTagged) && maps.EqualFunc(got.Kwargs, wantKw, sameTagged)
}

// sample is a value of payloads.json.
type sample struct {
	name  string
	value any
}

func samples(t *testing.T) []sample {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(rig.source, "payloads.json"))
	if err != nil {
		t.Fatal(err)
	}
	var entries []struct {
		Name  string
		Value tagged
	}
	if err := json.Unmarshal(text, &entries); err != nil {
		t.Fatal(err)
	}
	var out []sample
	everything := []any{}
	for _, e := range entries {
		v, err := untag(e.Value)
		if err != nil {
			t.Fatalf("payloads.json: %s: %v", e.Name, err)
		}
		out = append(out, sample{e.Name, v})
		everything = append(everything, v)
	}
	return append(out, sample{"everything", everything})
}

// samePayload compares a received payload with what it should hold, as plain
// values, types included.
func samePayload(p wamp.Payload, args []any, kwargs map[string]any) error {
	gotArgs, err := p.Args()
	if err != nil {
		return err
	}
	gotKwargs, err := p.Kwargs()
	if err != nil {
		return err
	}
	if len(gotArgs)+len(args) > 0 && !reflect.DeepEqual(gotArgs, args) {
		return fmt.Errorf("args %.200s, want %.200s", show(gotArgs), show(args))
	}
	if len(gotKwargs)+len(kwargs) > 0 && !reflect.DeepEqual(gotKwargs, kwargs) {
		return fmt.Errorf("kwargs %.200s, want %.200s", show(gotKwargs), show(kwargs))
	}
	return nil
}

// show prints a value with its types.
func show(v any) string { return fmt.Sprintf("%#v", v) }
