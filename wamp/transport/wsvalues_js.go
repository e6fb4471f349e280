package transport

import (
	"errors"
	"runtime"
	"sync/atomic"
	"syscall/js"
)

// maxOwed is how many bytes JavaScript may keep for values that nobody needs any
// more: only the collector of Go gives them back, and it does not see their size.
const maxOwed = 32 << 20

// caught calls f and returns what JavaScript has thrown.
func caught(f func()) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case js.Error:
			err = errors.New(short(thrown(v.Value)))
		case *js.ValueError: // something is of another type than it has to be
			err = v
		case string: // or not there
			err = errors.New(short(v))
		default:
			panic(v)
		}
	}()
	f()
	return nil
}

// thrown is the text of what JavaScript has thrown, which need not be an Error.
func thrown(v js.Value) string {
	if t := v.Type(); t == js.TypeObject || t == js.TypeFunction {
		if m := v.Get("message"); m.Type() == js.TypeString {
			return "JavaScript error: " + m.String()
		}
	}
	return "JavaScript error: " + v.String()
}

// owed is how many bytes of JavaScript the values have that were done with since the
// collector has run, and owedLimit how many may be.
var (
	owed      atomic.Int64
	owedLimit atomic.Int64
)

// owe notes that a value of n bytes is done with. Where many wait for the collector
// it is run: it would wait for as much of Go's own memory, which may be never. Where
// there is much of that, a run takes long, and more may wait.
func owe(n int) {
	if owed.Add(int64(n)) < max(maxOwed, owedLimit.Load()) {
		return
	}
	owed.Store(0)
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	owedLimit.Store(int64(m.HeapAlloc))
}
