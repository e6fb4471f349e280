package session

import (
	"bytes"
	"runtime"
	"slices"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// largePayloads are payloads of all forms, around the size from which they are not
// copied.
func largePayloads() map[string]codec.Payload {
	text := func(n int) string { return string(bytes.Repeat([]byte{'x'}, n)) }
	return map[string]codec.Payload{
		"small": codec.Args(1, "two"), "at the edge": codec.Args(text(MostCopied - 20)), "beyond it": codec.Args(text(MostCopied + 1)),
		"arguments": codec.Args(text(100_000), 7, []byte(text(50_000))), "keywords": codec.Kwargs(map[string]any{"k": text(100_000)}),
		"both": codec.Args(text(100_000)).With("k", text(30_000)), "unseen": codec.Args([]any{text(100_000)}), "to be escaped": codec.Args(string(bytes.Repeat([]byte{1}, 100_000))),
		"raw": codec.Raw(codec.JSON, []byte(`["`+text(100_000)+`"]`), []byte(`{"k":1}`)),
	}
}

// scribble writes over buffers that have been given back.
func scribble() {
	ones := bytes.Repeat([]byte{0xff}, 1<<19)
	for size := MostCopied; size < 1<<18; size += size / 8 {
		for range 4 {
			b := Roomy(0, size)
			copy(b[:cap(b)], ones)
		}
	}
}

// A large message is sent as a small one would be: a call, its chunks, a publish and an
// answer, and again over another link. What the first link has got is not touched then.
func TestStepLargeMessages(t *testing.T) {
	for _, cd := range []codec.Codec{codec.JSON, codec.MsgPack, codec.CBOR} {
		for name, payload := range largePayloads() {
			buf, n, err := payload.Encode(cd, nil)
			if err != nil {
				t.Fatal(err)
			}
			args, kwargs := buf[:n:n], buf[n:]
			what := cd.Name() + ", " + name
			r := newLifeRig(t)
			r.codec, r.parser = cd, cd.NewParser(codec.Limits{})
			r.core.codec = cd
			check := func(types ...proto.MessageType) (raw [][]byte) {
				t.Helper()
				for i := range r.core.out.Len() {
					raw = append(raw, r.core.out.Message(i))
				}
				for _, m := range r.want(types...) {
					if !bytes.Equal(m.Args, args) && !(len(args) == 0 && len(m.Args) == 1) && !(len(args) == 0 && cd == codec.JSON) || !bytes.Equal(m.Kwargs, kwargs) {
						t.Errorf("%s: %s has %.20q and %.20q, want %.20q and %.20q", what, m.Type, m.Args, m.Kwargs, args, kwargs)
					}
				}
				return raw
			}
			call, s := idempotent(r, "com.example.proc")
			if err := call.Encode(cd, payload); err != nil {
				t.Fatal(err)
			}
			acked := &tape{}
			pub := &Publish{Ctx: t.Context(), URI: "com.example.topic", Sink: acked, Idempotent: true}
			pub.Roomy = codec.Bulk(cd, &payload) > MostCopied
			dst := pub.Scratch[:0]
			if pub.Roomy {
				dst = Roomy(RestRoom, codec.Bulk(cd, &payload))
			}
			m := proto.Message{Type: proto.Publish, URI: pub.URI, Options: proto.Dict{{Key: proto.KeyAcknowledge, Value: true}}}
			if pub.Rest, err = codec.AppendRest(cd, dst, &m, payload); err != nil {
				t.Fatal(err)
			}
			r.do(call)
			r.do(pub)
			first := check(proto.Call, proto.Publish)
			if large := pub.Roomy && !(cd == codec.JSON && len(args) > 0 && len(kwargs) > 0); large != (call.room == usedRoom) || pub.Roomy != (pub.elements != 0) {
				t.Errorf("%s: large %v, but sent without a copy: call %v, publish %v", what, large, call.room == usedRoom, pub.elements != 0)
			}
			was := [][]byte{slices.Clone(first[0]), slices.Clone(first[1])}
			scribble()
			r.lose()
			r.rejoin(routerRoles())
			for i, again := range check(proto.Call, proto.Publish) {
				if !bytes.Equal(again, was[i]) {
					t.Errorf("%s: sent again it is another message: %.50q, was %.50q", what, again, was[i])
				}
				if len(again) > MostCopied && &again[len(again)-1] == &first[i][len(again)-1] {
					t.Errorf("%s: sent again it has the memory of the first", what)
				}
				if !bytes.Equal(first[i], was[i]) {
					t.Errorf("%s: what the first link got has changed", what)
				}
			}
			if len(s.ends)+len(acked.ends) > 0 {
				t.Errorf("%s: ended", what)
			}
		}
	}
}

// An answer stands behind headroom.
func TestStepLargeAnswer(t *testing.T) {
	for _, size := range []int{100, 100_000, 1 << 20} {
		r := newRig(t)
		s := &callee{}
		reg := newReg(t.Context(), s)
		r.do(reg)
		r.feed(proto.Message{Type: proto.Registered, Request: r.want(proto.Register)[0].Request, ID: 5})
		r.feed(proto.Message{Type: proto.Invocation, Request: 1, ID: 5})
		payload := codec.Args(make([]byte, size))
		m := proto.Message{Type: proto.Yield, Request: 1}
		data, err := codec.AppendWith(r.codec, Roomy(transport.Headroom, size), &m, payload)
		if err != nil {
			t.Fatal(err)
		}
		r.do(&answerOp{Inv: s.invs[0], Message: data, Roomy: true})
		if size == 1<<20 { // with its header it is more than the peer takes
			if got := r.want(proto.Error)[0]; got.URI != proto.ErrURIPayloadSizeExceeded {
				t.Errorf("the caller got %s", got.URI)
			}
			continue
		}
		if got := r.core.out.Message(0); &got[0] != &data[transport.Headroom] {
			t.Error("it was copied")
		}
		if got := r.want(proto.Yield)[0]; len(got.Args) < size {
			t.Errorf("%d bytes", len(got.Args))
		}
	}
}

// What was never handed to a link is sent over the next one, behind what is parked.
func TestStepLargeUnwritten(t *testing.T) {
	r := newLifeRig(t)
	payload := codec.Args(make([]byte, 100_000))
	encode := func() *Call {
		call := newCall(t.Context(), &tape{})
		if err := call.Encode(r.codec, payload); err != nil {
			t.Fatal(err)
		}
		return call
	}
	r.do(encode()) // in the batch
	first := slices.Clone(r.core.out.Message(0))
	r.core.linkLost(&LinkError{})
	r.do(encode()) // parked
	if r.core.out.Len() > 0 {
		t.Error("something is left of the old batch")
	}
	r.core.out.Written()
	scribble()
	r.rejoin(routerRoles())
	if got := r.core.out.Message(0); !bytes.Equal(got, first) {
		t.Error("it is another message")
	}
	for _, m := range r.want(proto.Call, proto.Call) {
		if len(m.Args) < 100_000 {
			t.Errorf("%d bytes", len(m.Args))
		}
	}
}

// Options that do not fit into the room are sent all the same.
func TestStepLargeOptions(t *testing.T) {
	for _, n := range []int{10, bodyRoom - 60, bodyRoom - 40, bodyRoom, 10 * bodyRoom} {
		r := newRig(t)
		call := newCall(t.Context(), &tape{})
		call.Options = proto.Dict{{Key: "x_key", Value: string(bytes.Repeat([]byte{'o'}, n))}}
		if err := call.Encode(r.codec, codec.Args(make([]byte, 100_000))); err != nil {
			t.Fatal(err)
		}
		r.do(call)
		if got := r.want(proto.Call)[0]; len(got.Options.Str("x_key")) != n || got.URI != call.URI || len(got.Args) < 100_000 {
			t.Errorf("options of %d bytes: %d, %s, %d", n, len(got.Options.Str("x_key")), got.URI, len(got.Args))
		}
	}
}

// What has been written, and is not to be sent again, gives its memory to the next one.
func TestLargeMemoryIsUsedAgain(t *testing.T) {
	r := newRig(t)
	payload := codec.Args(make([]byte, 1<<19))
	start := allocated()
	const times = 512 // of which the pools of the race detector drop a quarter, by chance
	for range times {
		call := newCall(t.Context(), &tape{})
		if err := call.Encode(r.codec, payload); err != nil {
			t.Fatal(err)
		}
		r.do(call)
		if r.core.out.Len() != 1 {
			t.Fatal("it was not sent")
		}
		r.core.handed()
		r.core.out.Written()
		r.core.out.Reset(keepBatch)
	}
	if n := (allocated() - start) / times; n > 1<<18 {
		t.Errorf("a call with 512 KiB took %d bytes", n)
	}
}

// allocated is how much memory has been allocated.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
