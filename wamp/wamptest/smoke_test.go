package wamptest_test

import (
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func TestSmoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		a, b := join(t, r), join(t, r)
		a.register("com.example.add")
		id := b.call("com.example.add", nil, 1, 2)
		inv := a.expect(proto.Invocation)
		a.yield(inv, false, 3)
		res := b.expect(proto.Result)
		if res.Request != id || b.arg(res) != int64(3) {
			t.Fatal(res)
		}
		a.subscribe("com.example.t")
		b.request(&proto.Message{Type: proto.Publish, URI: "com.example.t", Options: options("acknowledge", true)}, "hi")
		b.expect(proto.Published)
		if e := a.expect(proto.Event); a.arg(e) != "hi" {
			t.Fatal(e)
		}
		b.send(&proto.Message{Type: proto.Goodbye, URI: proto.CloseURICloseRealm})
		b.expect(proto.Goodbye)
		t.Logf("%+v", r.Stats())
	})
}
