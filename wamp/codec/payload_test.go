package codec_test

import (
	"bytes"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// encode encodes p and splits it, nil for what is absent.
func encode(t *testing.T, p codec.Payload, c codec.Codec) (args, kwargs []byte) {
	t.Helper()
	buf, n, err := p.Encode(c, []byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(buf, []byte("before")) {
		t.Fatalf("%q", buf)
	}
	if buf = buf[len("before"):]; n > 0 {
		args = buf[:n]
	}
	if len(buf) > n {
		kwargs = buf[n:]
	}
	return args, kwargs
}

func TestPayloadSize(t *testing.T) {
	if n := unsafe.Sizeof(codec.Payload{}); n > 80 {
		t.Errorf("a Payload has %d bytes", n)
	}
}

func TestPayloadEncode(t *testing.T) {
	type options struct {
		A int `json:"a"`
	}
	var none *options
	for name, tt := range map[string]struct {
		p      codec.Payload
		args   any
		kwargs any
	}{
		"zero":                {codec.Payload{}, nil, nil},
		"no args":             {codec.Args(), nil, nil},
		"args":                {codec.Args(1, "a"), []any{int64(1), "a"}, nil},
		"one nil":             {codec.Args(nil), []any{nil}, nil},
		"kwargs":              {codec.Kwargs(map[string]any{"a": 1}), nil, map[string]any{"a": int64(1)}},
		"kwargs of a struct":  {codec.Kwargs(options{5}), nil, map[string]any{"a": int64(5)}},
		"kwargs of a pointer": {codec.Kwargs(&options{5}), nil, map[string]any{"a": int64(5)}},
		"kwargs of nil":       {codec.Kwargs(none), nil, nil},
		"empty kwargs":        {codec.Kwargs(map[string]any{}), nil, nil},
		"nil kwargs":          {codec.Kwargs(nil), nil, nil},
		"both":                {codec.Args(1).WithKwargs(options{2}), []any{int64(1)}, map[string]any{"a": int64(2)}},
		"with":                {codec.Args(1).With("k", true).With("l", nil), []any{int64(1)}, map[string]any{"k": true, "l": nil}},
		"with on a struct":    {codec.Kwargs(options{2}).With("k", true), nil, map[string]any{"a": int64(2), "k": true}},
		"with on raw":         {rawPayload(t, codec.MsgPack).With("k", true), []any{int64(7)}, map[string]any{"r": "x", "k": true}},
		"raw json":            {rawPayload(t, codec.JSON), []any{int64(7)}, map[string]any{"r": "x"}},
		"raw msgpack":         {rawPayload(t, codec.MsgPack), []any{int64(7)}, map[string]any{"r": "x"}},
		"raw cbor":            {rawPayload(t, codec.CBOR), []any{int64(7)}, map[string]any{"r": "x"}},
		"raw args only":       {codec.Raw(codec.JSON, []byte(`[1]`), nil), []any{int64(1)}, nil},
		"raw kwargs only":     {codec.Raw(codec.JSON, nil, []byte(`{"a":1}`)), nil, map[string]any{"a": int64(1)}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, c codec.Codec) {
				args, kwargs := encode(t, tt.p, c)
				for _, part := range []struct {
					raw  []byte
					want any
				}{{args, tt.args}, {kwargs, tt.kwargs}} {
					if (part.raw == nil) != (part.want == nil) {
						t.Fatalf("raw %q, want %v", part.raw, part.want)
					}
					if part.raw == nil {
						continue
					}
					if got, err := c.Plain(part.raw); err != nil || !reflect.DeepEqual(got, part.want) {
						t.Errorf("got %v, want %v, %v", got, part.want, err)
					}
				}
				// What was received gives the same as what was sent.
				for _, p := range []codec.Payload{tt.p, codec.Received(c, &proto.Message{Args: args, Kwargs: kwargs})} {
					gotArgs, err1 := p.Args()
					gotKwargs, err2 := p.Kwargs()
					list, _ := tt.args.([]any)
					m, _ := tt.kwargs.(map[string]any)
					if err1 != nil || err2 != nil || !reflect.DeepEqual(gotArgs, list) || !reflect.DeepEqual(gotKwargs, m) {
						t.Errorf("got %v %v, want %v %v (%v, %v)", gotArgs, gotKwargs, list, m, err1, err2)
					}
					if p.NArgs() != len(list) {
						t.Errorf("NArgs = %d, want %d", p.NArgs(), len(list))
					}
				}
			})
		})
	}
}

func rawPayload(t *testing.T, c codec.Codec) codec.Payload {
	t.Helper()
	return codec.Raw(c, appendValue(t, c, []any{7}), appendValue(t, c, map[string]any{"r": "x"}))
}

// What is sent in the serializer it came in goes through byte by byte.
func TestPayloadPassThrough(t *testing.T) {
	args, kwargs := []byte(` [ 1.50, "\u0041" ] `), []byte(`{ }`)
	p := codec.Raw(codec.JSON, args, kwargs)
	gotArgs, gotKwargs := encode(t, p, codec.JSON)
	if !bytes.Equal(gotArgs, args) || !bytes.Equal(gotKwargs, kwargs) {
		t.Errorf("%q %q", gotArgs, gotKwargs)
	}
	if p.Codec() != codec.JSON || p.Size() != len(args)+len(kwargs) ||
		!bytes.Equal(p.RawArgs(), args) || !bytes.Equal(p.RawKwargs(), kwargs) {
		t.Errorf("%+v", p)
	}
	// A payload that was cut in two is not copied.
	both := []byte(`[1]{"a":2}`)
	p = codec.Raw(codec.JSON, both[:3], both[3:])
	if &p.RawArgs()[0] != &both[0] || &p.RawKwargs()[0] != &both[3] {
		t.Errorf("%+v was copied", p)
	}
	if q := codec.Args(1); q.Codec() != nil || q.Size() != 0 || q.RawArgs() != nil || q.RawKwargs() != nil {
		t.Errorf("%+v", q)
	}
}

func TestPayloadEncodeFails(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		for name, p := range map[string]codec.Payload{
			"argument":       codec.Args(1, make(chan int)),
			"kwargs":         codec.Args(1).With("c", make(chan int)),
			"no dict":        codec.Args(1).WithKwargs(5),
			"a list":         codec.Kwargs([]any{1}),
			"struct, with":   codec.Kwargs(struct{ C chan int }{}).With("k", 1),
			"broken raw":     codec.Raw(other(c), []byte{0xff}, nil),
			"broken, with":   codec.Raw(c, nil, []byte{0xc1, 0xff}).With("k", 1),
			"broken, kwargs": codec.Raw(c, []byte{0xc1, 0xff}, nil).WithKwargs(map[string]any{"k": 1}),
		} {
			if buf, n, err := p.Encode(c, []byte("dst")); err == nil || string(buf) != "dst" || n != 0 {
				t.Errorf("%s: %q, %d, %v", name, buf, n, err)
			}
			if err := p.Scan(new(any)); err == nil {
				t.Errorf("%s: Scan said nothing", name)
			}
		}
	})
}

func other(c codec.Codec) codec.Codec {
	if c == codec.CBOR {
		return codec.JSON
	}
	return codec.CBOR
}

// Neither the map of the user nor another payload changes by With.
func TestPayloadIsNotChanged(t *testing.T) {
	m := map[string]any{"a": 1}
	p := codec.Args(1).WithKwargs(m)
	q := p.With("b", 2)
	r := q.With("a", 3)
	for i, tt := range []struct {
		p    codec.Payload
		want map[string]any
	}{
		{p, map[string]any{"a": int64(1)}}, {q, map[string]any{"a": int64(1), "b": int64(2)}},
		{r, map[string]any{"a": int64(3), "b": int64(2)}},
	} {
		if got, err := tt.p.Kwargs(); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%d: %v, %v", i, got, err)
		}
	}
	if len(m) != 1 || m["a"] != 1 {
		t.Errorf("the user's map is %v", m)
	}
	if last := p.Last(); !last.IsLast() || p.IsLast() || !last.With("x", 1).IsLast() || !last.WithKwargs(nil).IsLast() {
		t.Error("the mark of the last chunk is wrong")
	}
}

func TestScan(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		sent := codec.Args(1, "two", true, 4.5, []byte("five"), map[string]any{"six": 6}, []any{7}, nil).With("k", "v")
		args, kwargs := encode(t, sent, c)
		for name, p := range map[string]codec.Payload{"sent": sent, "received": codec.Raw(c, args, kwargs)} {
			var (
				i    int
				s    string
				b    bool
				f    float64
				data []byte
				m    map[string]int
				l    []int
				ptr  *int
			)
			if err := p.Scan(&i, &s, &b, &f, &data, &m, &l, &ptr); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if i != 1 || s != "two" || !b || f != 4.5 || string(data) != "five" || m["six"] != 6 || len(l) != 1 || l[0] != 7 || ptr != nil {
				t.Errorf("%s: %v %v %v %v %q %v %v %v", name, i, s, b, f, data, m, l, ptr)
			}
			var late any
			if err := p.Scan(nil, nil, nil, nil, nil, nil, &late); err != nil || !reflect.DeepEqual(late, []any{int64(7)}) {
				t.Errorf("%s: with targets left out: %v, %v", name, late, err)
			}
			if err := p.Scan(); err != nil {
				t.Errorf("%s: no targets: %v", name, err)
			}
			var kw struct {
				K string `json:"k"`
			}
			if err := p.ScanKw(&kw); err != nil || kw.K != "v" {
				t.Errorf("%s: %+v, %v", name, kw, err)
			}
			var kwMap map[string]any
			if err := p.ScanKw(&kwMap); err != nil || kwMap["k"] != "v" {
				t.Errorf("%s: %v, %v", name, kwMap, err)
			}

			var scan *codec.ScanError
			if err := p.Scan(&i, &i); !errors.As(err, &scan) || scan.Index != 1 || scan.Type != "*int" ||
				!strings.Contains(err.Error(), "args[1]") || !strings.Contains(err.Error(), "string") {
				t.Errorf("%s: wrong type: %v", name, err)
			}
			if err := p.Scan(nil, nil, nil, nil, nil, nil, nil, nil, &i); !errors.Is(err, codec.ErrMissing) ||
				!errors.As(err, &scan) || scan.Index != 8 {
				t.Errorf("%s: more targets: %v", name, err)
			}
			if err := p.ScanKw(&struct {
				K int `json:"k"`
			}{}); !errors.As(err, &scan) || scan.Index != -1 || !strings.Contains(err.Error(), "kwargs") {
				t.Errorf("%s: wrong kwargs: %v", name, err)
			}
			for _, bad := range []any{5, struct{}{}, (*record)(nil)} {
				if err := p.Scan(bad); !errors.As(err, &scan) {
					t.Errorf("%s: target %T: %v", name, bad, err)
				}
			}
		}
		if err := (codec.Payload{}).Scan(new(int)); !errors.Is(err, codec.ErrMissing) {
			t.Errorf("empty: %v", err)
		}
		if err := (codec.Payload{}).ScanKw(new(record)); err != nil {
			t.Errorf("empty: %v", err)
		}
		dict := codec.Raw(c, appendValue(t, c, map[string]any{}), appendValue(t, c, []any{1}))
		if err := dict.Scan(new(int)); err == nil || dict.NArgs() != 0 {
			t.Errorf("a dict for arguments: %v", err)
		}
		if err := dict.ScanKw(new(map[string]any)); err == nil {
			t.Error("a list for keyword arguments was accepted")
		}
	})
}

// Typed scanning is the fast path: it takes memory for strings and bytes only.
func TestScanAllocations(t *testing.T) {
	each(t, func(t *testing.T, c codec.Codec) {
		p := codec.Raw(c, appendValue(t, c, []any{1, -2, uint64(1 << 63), true, 0.5}), nil)
		var (
			i int
			n int64
			u uint64
			b bool
			f float64
		)
		targets := []any{&i, &n, &u, &b, &f}
		if got := testing.AllocsPerRun(100, func() {
			if err := p.Scan(targets...); err != nil {
				t.Fatal(err)
			}
		}); got > 1 && c == codec.JSON || got > 0 && c != codec.JSON {
			t.Errorf("%v allocations", got)
		}
		if i != 1 || n != -2 || u != 1<<63 || !b || f != 0.5 {
			t.Error(i, n, u, b, f)
		}
	})
}

// A payload whose opening has panicked, or ended its goroutine, is not an empty
// one from then on.
func TestSealedPanics(t *testing.T) {
	p := codec.Sealed(func() (codec.Payload, error) { panic("a bug of the codec") })
	for range 2 {
		var panicked *codec.PanicError
		if list, err := p.Args(); !errors.As(err, &panicked) || panicked.Value != "a bug of the codec" || len(panicked.Stack) == 0 {
			t.Errorf("%v, %v", list, err)
		}
	}
	p = codec.Sealed(func() (codec.Payload, error) { runtime.Goexit(); return codec.Payload{}, nil })
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = p.Args()
	}()
	<-done
	if list, err := p.Args(); err == nil {
		t.Errorf("%v without an error", list)
	}
}
