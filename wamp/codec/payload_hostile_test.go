package codec_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/big"
	"runtime"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

// hostileArgs are arguments, and the same list as the only one of another list.
type hostileArgs struct {
	codec.Payload
	one codec.Payload
}

// hostile are arguments of about size bytes that cost whoever decodes them as much as
// can be.
func hostile(size int) map[string]hostileArgs {
	out := map[string]hostileArgs{}
	add := func(name string, c codec.Codec, args []byte) {
		out[c.Name()+"/"+name] = hostileArgs{codec.Raw(c, args, nil), codec.Raw(c, wrap(c, args), nil)}
	}
	fill := func(s string) string { return strings.Repeat(s, max(1, (size-16)/len(s))) }
	list := func(c codec.Codec, n int, s string) []byte {
		first := byte(0x9a)
		if c == codec.MsgPack {
			first = 0xdd
		}
		return append(binary.BigEndian.AppendUint32([]byte{first}, uint32(n)), s...)
	}

	add("digits", codec.JSON, []byte("["+fill("1")+"]"))
	add("numbers", codec.JSON, []byte("["+fill("1e5,")+"0]"))
	add("long integers", codec.JSON, []byte("["+fill(strings.Repeat("9", 1000)+",")+"0]"))
	add("escapes", codec.JSON, []byte(`["`+fill(`\u00e9`)+`"]`))
	add("surrogates", codec.JSON, []byte(`["`+fill(`\ud800`)+`"]`))
	add("quotes", codec.JSON, []byte(`["`+fill(`\"`)+`"]`))
	add("binary", codec.JSON, []byte("["+fill(`"\u0000AQ==",`)+"0]"))
	add("tiny dicts", codec.JSON, []byte("["+fill("{},")+"0]"))
	add("dicts of one", codec.JSON, []byte("["+fill(`{"a":1},`)+"0]"))
	add("deep", codec.JSON, []byte(strings.Repeat("[", size/2)+strings.Repeat("]", size/2)))
	add("deep enough", codec.JSON, []byte("["+fill(strings.Repeat("[", 120)+strings.Repeat("]", 120)+",")+"0]"))
	add("spaces", codec.JSON, []byte("["+fill(" ")+"0]"))
	add("one dict", codec.JSON, append(append([]byte("[{"), manyKeys(size)...), `"":0}]`...))

	for name, s := range map[string]string{"tiny dicts": "\xa0", "dicts of one": "\xa1\x61a\x01", "bignums": "\xc2\x41\x01", "decimals": "\xc4\x82\x20\x01", "times": "\xc1\x1a\x51\x4b\x67\xb0",
		"unknown tags": "\xd8\x2a\x01", "nulls": "\xf6", "floats": "\xf9\x3c\x00", "empty text": "\x60", "bytes": "\x41\x01", "indefinite lists": "\x9f\xff", "indefinite text": "\x7f\x61a\xff",
		"deep enough": strings.Repeat("\x81", 120) + "\x80"} {
		add(name, codec.CBOR, list(codec.CBOR, len(fill(s))/len(s), fill(s)))
	}
	add("chunks", codec.CBOR, []byte("\x81\x7f"+fill("\x61a")+"\xff"))
	add("empty chunks", codec.CBOR, []byte("\x81\x5f"+fill("\x40")+"\xff"))
	add("tags", codec.CBOR, []byte("\x81"+fill("\xc1")+"\x01"))
	add("deep", codec.CBOR, []byte(fill("\x81")+"\x80"))
	add("one bignum", codec.CBOR, append(binary.BigEndian.AppendUint32([]byte{0x81, 0xc2, 0x5a}, uint32(size)), bytes.Repeat([]byte{0x77}, size)...))
	add("one decimal", codec.CBOR, append(binary.BigEndian.AppendUint32([]byte{0x81, 0xc4, 0x82, 0x20, 0xc2, 0x5a}, uint32(size)), bytes.Repeat([]byte{0x77}, size)...))

	for name, s := range map[string]string{"tiny dicts": "\x80", "dicts of one": "\x81\xa1a\x01", "times": "\xd6\xff\x51\x4b\x67\xb0", "extensions": "\xd4\x05\x01", "nulls": "\xc0", "floats": "\xca\x3f\x80\x00\x00",
		"empty text": "\xa0", "bytes": "\xc4\x01\x01", "deep enough": strings.Repeat("\x91", 120) + "\x90"} {
		add(name, codec.MsgPack, list(codec.MsgPack, len(fill(s))/len(s), fill(s)))
	}
	add("deep", codec.MsgPack, []byte(fill("\x91")+"\x90"))
	return out
}

func manyKeys(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, `"%d":0,`, i)
	}
	return b.String()
}

// hostileTargets are what the arguments are decoded into.
func hostileTargets() map[string]func() any {
	return map[string]func() any{
		"any": func() any { return new(any) }, "plain": func() any { return new([]record10) }, "wide": func() any { return new([]generic[any]) }, "string": func() any { return new(string) },
		"big": func() any { return new([]*big.Int) }, "ints": func() any { return new([]int8) }, "bytes": func() any { return new([]blob) }, "raw": func() any { return new(wholeRaw) }, "map": func() any { return new(map[label]any) },
		"text": func() any { return new([]textKey) }, "rat": func() any { return new([]big.Rat) },
	}
}

type wholeRaw struct {
	marshals
}

// BenchmarkHostile says what a mebibyte costs. ns/op is for all of the targets.
func BenchmarkHostile(b *testing.B) {
	for name, p := range hostile(1 << 20) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(p.Size()))
			for b.Loop() {
				_, _ = p.Args()
			}
		})
	}
}

// Hostile payloads cost what they are long, wherever they go. They are so long that
// even what is only copied again for each of its parts takes more than the time that
// there is.
func TestHostileIsLinear(t *testing.T) {
	size := 1 << 19
	if racing {
		size = 1 << 16
	}
	for name, p := range hostile(size) {
		atOnce(t, name, func() { _, _ = p.Args() })
		for target, fresh := range hostileTargets() {
			atOnce(t, name+" into "+target, func() { _ = p.Scan(fresh()) })
			if atOnce(t, "a list of "+name+" into "+target, func() { _ = p.one.Scan(fresh()) }); t.Failed() {
				return // each of the others may take as long
			}
		}
	}
}

// What plain values take stays below 25 times what came, or is bounded.
func TestHostileMemory(t *testing.T) {
	const size = 10 << 20
	for name, p := range hostile(size) {
		if !strings.Contains(name, "dict") {
			continue // the others take less
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		v, err := p.Args()
		runtime.GC()
		runtime.ReadMemStats(&after)
		times := float64(int64(after.HeapAlloc)-int64(before.HeapAlloc)) / float64(p.Size())
		t.Logf("%s: %.1f times (%v)", name, times, err != nil)
		if taken := int64(after.HeapAlloc) - int64(before.HeapAlloc); taken > 25*size && taken > codec.MaxPlain {
			t.Errorf("%s: %.1f times its size", name, times)
		}
		runtime.KeepAlive(v)
	}
}
