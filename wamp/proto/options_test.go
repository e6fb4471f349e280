package proto_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

func TestCheckOptions(t *testing.T) {
	list := func(v ...any) any { return v }
	dict := map[string]any{}
	for _, tt := range []struct {
		typ       proto.MessageType
		key       string
		good, bad any
		elsewhere proto.MessageType // where the key is not known
	}{
		{proto.Call, "receive_progress", true, int64(1), proto.Publish},
		{proto.Invocation, "receive_progress", false, "true", proto.Publish},
		{proto.Call, "progress", true, int64(1), proto.Publish},
		{proto.Invocation, "progress", true, 1.0, proto.Publish},
		{proto.Result, "progress", true, int64(0), proto.Publish},
		{proto.Yield, "progress", true, "x", proto.Publish},
		{proto.Call, "timeout", int64(0), int64(-1), proto.Publish},
		{proto.Invocation, "timeout", int64(1000), 1.5, proto.Publish},
		{proto.Cancel, "mode", "skip", "stop", proto.Call},
		{proto.Cancel, "mode", "kill", true, proto.Call},
		{proto.Interrupt, "mode", "killnowait", int64(1), proto.Call},
		{proto.Interrupt, "reason", "x", int64(1), proto.Call},
		{proto.Call, "disclose_me", true, int64(1), proto.Register},
		{proto.Publish, "disclose_me", true, int64(1), proto.Register},
		{proto.Register, "disclose_caller", true, int64(1), proto.Call},
		{proto.Register, "forward_timeout", true, int64(1), proto.Call},
		{proto.Register, "match", "wildcard", "exactly", proto.Call},
		{proto.Subscribe, "match", "prefix", int64(1), proto.Call},
		{proto.Register, "invoke", "roundrobin", int64(1), proto.Call},
		{proto.Register, "concurrency", int64(4), "4", proto.Call},
		{proto.Call, "rkey", "k", int64(1), proto.Register},
		{proto.Publish, "rkey", "k", dict, proto.Register},
		{proto.Subscribe, "nkey", "k", int64(1), proto.Register},
		{proto.Call, "runmode", "partition", int64(1), proto.Register},
		{proto.Invocation, "caller", int64(1 << 53), int64(1<<53 + 1), proto.Register},
		{proto.Invocation, "caller_authid", "joe", int64(1), proto.Register},
		{proto.Invocation, "caller_authrole", "user", int64(1), proto.Register},
		{proto.Invocation, "procedure", "a.b", int64(1), proto.Register},
		{proto.Invocation, "trustlevel", int64(0), "0", proto.Register},
		{proto.Event, "trustlevel", int64(3), true, proto.Register},
		{proto.Result, "callee", int64(3), "3", proto.Register},
		{proto.Publish, "acknowledge", true, int64(1), proto.Call},
		{proto.Publish, "exclude_me", false, "x", proto.Call},
		{proto.Publish, "exclude", list(int64(1)), list("1"), proto.Call},
		{proto.Publish, "exclude_authid", list("a"), list(int64(1)), proto.Call},
		{proto.Publish, "exclude_authrole", list(), "a", proto.Call},
		{proto.Publish, "eligible", list(), int64(1), proto.Call},
		{proto.Publish, "eligible", list(int64(1)), list(1.5), proto.Call},
		{proto.Publish, "eligible_authid", list("a"), list(nil), proto.Call},
		{proto.Publish, "eligible_authrole", list("a"), "a", proto.Call},
		{proto.Publish, "retain", true, int64(1), proto.Call},
		{proto.Subscribe, "get_retained", true, int64(1), proto.Call},
		{proto.Event, "retained", true, int64(1), proto.Call},
		{proto.Event, "publisher", int64(1), "1", proto.Call},
		{proto.Event, "publisher_authid", "joe", int64(1), proto.Call},
		{proto.Event, "publisher_authrole", "user", int64(1), proto.Call},
		{proto.Event, "topic", "a.b", int64(1), proto.Call},
		{proto.Unsubscribed, "subscription", int64(1), "1", proto.Call},
		{proto.Unregistered, "registration", int64(1), true, proto.Call},
		{proto.Unregistered, "reason", "x", int64(1), proto.Call},
		{proto.Call, "ppt_scheme", "mqtt", int64(1), proto.Register},
		{proto.Error, "ppt_serializer", "cbor", int64(1), proto.Register},
		{proto.Yield, "ppt_cipher", "x", int64(1), proto.Register},
		{proto.Event, "ppt_keyid", "x", []byte("x"), proto.Register},
		{proto.Hello, "roles", dict, list(), proto.Call},
		{proto.Welcome, "roles", dict, "x", proto.Call},
		{proto.Hello, "authid", "joe", int64(1), proto.Call},
		{proto.Welcome, "authrole", "user", int64(1), proto.Call},
		{proto.Welcome, "authmethod", "ticket", int64(1), proto.Hello},
		{proto.Welcome, "authprovider", "static", int64(1), proto.Hello},
		{proto.Hello, "authmethods", list("ticket"), "ticket", proto.Welcome},
		{proto.Hello, "authextra", dict, "x", proto.Call},
		{proto.Hello, "agent", "me", int64(1), proto.Call},
		{proto.Publish, "enc_algo", "x_mine", "mine", proto.Register},
		{proto.Event, "forward_for", list(dict), list("x"), proto.Hello},
	} {
		name := tt.typ.String() + "." + tt.key
		for _, v := range []any{tt.good, nil} {
			if err := proto.CheckOptions(tt.typ, proto.Dict{{Key: "_other", Value: 1}, {Key: tt.key, Value: v}}); err != nil {
				t.Errorf("%s %v: %v", name, v, err)
			}
		}
		err := proto.CheckOptions(tt.typ, proto.Dict{{Key: tt.key, Value: tt.bad}})
		var option *proto.OptionError
		if !errors.As(err, &option) || option.Key != tt.key || option.Type != tt.typ || option.Want == "" ||
			!strings.Contains(err.Error(), tt.key) {
			t.Errorf("%s %v: %v", name, tt.bad, err)
		}
		if err := proto.CheckOptions(tt.elsewhere, proto.Dict{{Key: tt.key, Value: tt.bad}}); err != nil {
			t.Errorf("%s: refused in %v: %v", tt.key, tt.elsewhere, err)
		}
	}
}

func TestOptionKey(t *testing.T) {
	raw := []byte("receive_progress")
	if n := testing.AllocsPerRun(10, func() {
		if s, ok := proto.OptionKey(raw); !ok || s != "receive_progress" {
			t.Error(s, ok)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if _, ok := proto.OptionKey([]byte("_other")); ok {
		t.Error("_other is known")
	}
}
