package proto_test

import (
	"slices"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// The key table must agree with itself: engine, options and test router rely on it.
func TestKeyTable(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range proto.KeyTable() {
		if seen[row.Key] {
			t.Errorf("%s has two rows", row.Key)
		}
		seen[row.Key] = true
		if len(row.In) == 0 {
			t.Errorf("%s stands in no message", row.Key)
		}
		for i, n := range row.Needs {
			name := n.In.String() + "." + row.Key
			router := n.Role == proto.Broker || n.Role == proto.Dealer
			if !slices.Contains(row.In, n.In) || !router || n.Lack < proto.Ignore || n.Lack > proto.Emulate {
				t.Errorf("%s: %+v", name, n)
			}
			if tr := n.In.Traits(); tr.FromClient == 0 {
				t.Errorf("%s: a client does not send it", name)
			}
			if n.Default != nil && !row.Fits(n.Default) {
				t.Errorf("%s: %v is no value of the key", name, n.Default)
			}
			if slices.ContainsFunc(row.Needs[:i], func(o proto.KeyNeed) bool { return o.In == n.In }) {
				t.Errorf("%s needs two features", name)
			}
			if got, ok := proto.NeedOf(n.In, row.Key); !ok || got != n {
				t.Errorf("%s: %+v, %v", name, got, ok)
			}
		}
	}
}

func TestNeed(t *testing.T) {
	var none proto.FeatureSet
	for _, tt := range []struct {
		in    proto.MessageType
		key   string
		value any
		has   proto.FeatureSet
		unmet bool
	}{
		{proto.Publish, proto.KeyExcludeMe, true, none, false}, {proto.Publish, proto.KeyExcludeMe, false, none, true},
		{proto.Publish, proto.KeyExcludeMe, false, none.Add(proto.PublisherExclusion), false},
		{proto.Publish, proto.KeyRetain, true, none, true}, {proto.Publish, proto.KeyRetain, false, none, false},
		{proto.Publish, proto.KeyEligible, []proto.ID{}, none, true}, {proto.Publish, proto.KeyEligible, []any{}, none.Add(proto.SubscriberBlackwhiteListing), false},
		{proto.Register, proto.KeyMatch, "exact", none, false}, {proto.Register, proto.KeyMatch, "prefix", none.Add(proto.PatternBasedSubscription), true},
	} {
		if n, ok := proto.NeedOf(tt.in, tt.key); !ok || n.Unmet(tt.value, tt.has) != tt.unmet {
			t.Errorf("%v.%s %v: %+v, %v", tt.in, tt.key, tt.value, n, ok)
		}
	}
	for _, tt := range []struct {
		in  proto.MessageType
		key string
	}{{proto.Publish, proto.KeyAcknowledge}, {proto.Register, proto.KeyRetain}, {proto.Event, proto.KeyPPTScheme}, {proto.Call, "_other"}} {
		if n, ok := proto.NeedOf(tt.in, tt.key); ok {
			t.Errorf("%v.%s needs %+v", tt.in, tt.key, n)
		}
	}
	if keys := proto.IntegerKeys(); !slices.Contains(keys, proto.KeyTimeout) || !slices.Contains(keys, proto.KeyExclude) ||
		!slices.Contains(keys, proto.KeyCaller) || slices.Contains(keys, proto.KeyTopic) {
		t.Error(keys)
	}
}

func TestCancelMode(t *testing.T) {
	for m, name := range map[proto.CancelMode]string{proto.KillNoWait: "killnowait", proto.Kill: "kill", proto.Skip: "skip"} {
		if got, known := proto.ParseCancelMode(name); m.String() != name || got != m || !known {
			t.Errorf("%v, %v, %v", m, got, known)
		}
	}
	for _, name := range []string{"", "stop"} {
		if got, known := proto.ParseCancelMode(name); got != proto.KillNoWait || known {
			t.Errorf("%q: %v, %v", name, got, known)
		}
	}
}

// Who answers what is said by Traits.Reply alone, and a message type with a code
// beyond all others needs a row and nothing else.
func TestAnswers(t *testing.T) {
	for _, tr := range proto.AllTraits() {
		if tr.Reply != 0 && tr.Reply.Answers() != tr.Type {
			t.Errorf("%v answers %v, not %v", tr.Reply, tr.Reply.Answers(), tr.Type)
		}
		if r := tr.Type.Answers(); r != 0 && r.Traits().Reply != tr.Type {
			t.Errorf("%v answers %v, whose reply is %v", tr.Type, r, r.Traits().Reply)
		}
	}
	for _, code := range []proto.MessageType{0, proto.Event, proto.Hello, proto.LastType() + 1, 65535} {
		if r := code.Answers(); r != 0 {
			t.Errorf("%v answers %v", code, r)
		}
	}
	ask, answer := proto.LastType()+10, proto.LastType()+230
	more := append(slices.Clone(proto.AllTraits()), proto.Traits{Type: ask, Name: "ASK", Reply: answer, ErrorTo: true}, proto.Traits{Type: answer, Name: "ANSWER"})
	if code, answers := proto.LargestOf(more); code != int(answer) || answers != ask {
		t.Errorf("%d answers %v", code, answers)
	}
}
