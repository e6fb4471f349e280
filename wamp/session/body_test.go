package session

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

// The operations are allocated once for each call, publish and invocation: what
// they grow by is paid by all of them. The bounds are size classes of the
// allocator together with what package wamp has around them.
func TestSizes(t *testing.T) {
	for _, tt := range []struct {
		name       string
		size, most uintptr
	}{
		{"Call", unsafe.Sizeof(Call{}), 464},
		{"Publish", unsafe.Sizeof(Publish{}), 384},
		{"Invocation", unsafe.Sizeof(Invocation{}), 80},
		{"posting", unsafe.Sizeof(posting{}), 56},
		{"Chunk", unsafe.Sizeof(Chunk{}), 208},
	} {
		if tt.size > tt.most {
			t.Errorf("a %s has %d bytes, more than %d", tt.name, tt.size, tt.most)
		}
	}
}

// What an operation costs of the outbound bound is its URI, its payload and a
// little more.
func TestBodyCost(t *testing.T) {
	call := &Call{URI: "com.example", Body: Body{Args: make([]byte, 10), Kwargs: make([]byte, 20)}}
	whole := &Call{URI: "com.example"}
	whole.SetRest(make([]byte, 18))
	for _, tt := range []struct {
		name       string
		size, want int
	}{
		{"call", call.size(), 11 + 30 + 32},
		{"call that is encoded", whole.size(), 11 + 7 + 32},
		{"chunk", (&Chunk{Call: call, Body: Body{Args: make([]byte, 7)}}).size(), 11 + 7 + 32},
		{"publish", (&Publish{URI: "com.example", Rest: make([]byte, 18)}).size(), 11 + 7 + 32},
		{"publish with room", (&Publish{URI: "com.example", Rest: make([]byte, RestRoom+18), Roomy: true}).size(), 11 + 7 + 32},
		{"answer", (&Answer{Message: make([]byte, 7)}).cost(), 7 + 32},
		{"answer with room", (&Answer{Message: make([]byte, 4+7), Roomy: true}).cost(), 7 + 32},
	} {
		if tt.size != tt.want {
			t.Errorf("a %s costs %d, not %d", tt.name, tt.size, tt.want)
		}
	}
}

// A small payload is encoded into the operation itself.
func TestBodyEncode(t *testing.T) {
	small := codec.Args(1, "two").With("k", true)
	for _, tt := range []struct {
		name         string
		payload      codec.Payload
		args, kwargs string
		inside       bool
	}{
		{"nothing", codec.Payload{}, "", "", false},
		{"arguments", codec.Args(1, "two"), `[1,"two"]`, "", true},
		{"both", small, `[1,"two"]`, `{"k":true}`, true},
		{"large", codec.Args(strings.Repeat("x", 130)), `["` + strings.Repeat("x", 130) + `"]`, "", false},
	} {
		b := &Body{Args: []byte("old"), Kwargs: []byte("old")}
		if err := b.Encode(codec.JSON, tt.payload); err != nil || string(b.Args) != tt.args || string(b.Kwargs) != tt.kwargs {
			t.Errorf("%s: %q, %q, %v", tt.name, b.Args, b.Kwargs, err)
		}
		if inside := len(b.Args) > 0 && &b.Args[0] == &b.Scratch[0]; inside != tt.inside {
			t.Errorf("%s: inside %v", tt.name, inside)
		}
	}
	b := &Body{Args: []byte("old")}
	if err := b.Encode(codec.JSON, codec.Args(func() {})); err == nil || b.Args != nil {
		t.Errorf("a function: %q, %v", b.Args, err)
	}
}

// Operations are given back when the actor does not need them any more, sent or
// refused, and once.
func TestStepOperationsAreGivenBack(t *testing.T) {
	r := newRig(t)
	call := newCall(t.Context(), &tape{})
	call.More = true
	r.do(call)
	r.sent()
	chunked := 0
	chunk := func() *Chunk {
		k := &Chunk{Call: call}
		k.Done = func(*Chunk) { chunked++ }
		return k
	}
	r.do(chunk())
	chunk().refuse(ErrDraining)
	if chunked != 2 {
		t.Errorf("given back: %d chunks", chunked)
	}
}

// What comes out of a pool has nothing of what was put in.
func TestPool(t *testing.T) {
	p := NewPool[Chunk]()
	for range 100 {
		a := p.Get()
		if a.Done != nil || a.Args != nil || a.Last || a.Scratch != [127]byte{} {
			t.Fatalf("it has %+v", a)
		}
		a.Done, a.Last, a.Args, a.Scratch[3] = p.Put, true, a.Scratch[:4], 7
		a.release()
	}
	if n := testing.AllocsPerRun(100, func() {
		a := p.Get()
		a.Done = p.Put
		a.release()
	}); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}
