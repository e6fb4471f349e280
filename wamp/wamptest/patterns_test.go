package wamptest_test

import (
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// The example table of the text, to the letter and with what it leaves out.
func TestPatternPrecedence(t *testing.T) {
	type row struct{ uri, match string }
	text := []row{
		{"a1.b2.c3.d4.e55", "exact"}, {"a1.b2.c3", "prefix"}, {"a1.b2.c3.d4", "prefix"}, {"a1.b2..d4.e5", "wildcard"},
		{"a1.b2.c33..e5", "wildcard"}, {"a1.b2..d4.e5..g7", "wildcard"}, {"a1.b2..d4..f6.g7", "wildcard"},
	}
	for _, tt := range []struct {
		name string
		rows []row
		call string
		want int // -1: no_such_procedure
	}{
		{"exact", text, "a1.b2.c3.d4.e55", 0},
		{"prefix", text, "a1.b2.c3.d98.e74", 1},
		{"the longest prefix", text, "a1.b2.c3.d4.e325", 2},
		{"wildcard", text, "a1.b2.c55.d4.e5", 3},
		{"the wildcard with the longer head, but for a prefix of characters", text, "a1.b2.c33.d4.e5", 1},
		{"so without that prefix", append([]row{{"x", "exact"}, {"y", "exact"}}, text[2:]...), "a1.b2.c33.d4.e5", 4},
		{"the wildcard with the longer second part", text, "a1.b2.c88.d4.e5.f6.g7", 5},
		{"nothing", text, "a2.b2.c2.d2.e2", -1},
		{"a wildcard needs as many components", text, "a1.b2.c55.d4.e5.f6", -1},

		{"exact beats all", []row{{"", "prefix"}, {"a.b", "prefix"}, {"a.", "wildcard"}, {"a.b", "exact"}}, "a.b", 3},
		{"any prefix beats any wildcard", []row{{"a.b.", "wildcard"}, {"", "prefix"}}, "a.b.c", 1},
		{"a prefix ends anywhere", []row{{"a.bc", "prefix"}}, "a.bcd", 0},
		{"a prefix with a dot does not", []row{{"a.bc.", "prefix"}}, "a.bcd", -1},
		{"a prefix is itself", []row{{"a.b", "prefix"}}, "a.b", 0},
		{"the head counts first", []row{{"..c.d", "wildcard"}, {"a...", "wildcard"}}, "a.b.c.d", 1},
		{"then the second part", []row{{"a..c..e", "wildcard"}, {"a..c.d.", "wildcard"}}, "a.b.c.d.e", 1},
		{"then the third", []row{{"a..c...f", "wildcard"}, {"a..c..e.", "wildcard"}}, "a.b.c.d.e.f", 1},
		{"all wild", []row{{"..", "wildcard"}}, "a.b.c", 0},
		{"a component that is wild is not empty", []row{{"a.", "wildcard"}}, "a", -1},
		{"what is reserved is nobody's", []row{{"", "prefix"}, {"..", "wildcard"}}, "wamp.session.counts", -1},
		{"what only looks reserved is not", []row{{"", "prefix"}}, "wampum.count", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for turned := range 2 { // the order of registering does not matter
				bubble(t, func(t *testing.T, r *wamptest.Router) {
					c := join(t, r)
					regs := map[proto.ID]int{}
					for i := range tt.rows {
						if turned == 1 {
							i = len(tt.rows) - 1 - i
						}
						regs[c.register(tt.rows[i].uri, "match", tt.rows[i].match)] = i
					}
					id := c.call(tt.call, nil)
					if tt.want < 0 {
						c.expectError(proto.Call, id, proto.ErrURINoSuchProcedure)
						return
					}
					inv := c.expect(proto.Invocation)
					if got := regs[inv.ID]; got != tt.want {
						t.Errorf("goes to %v, want %v", tt.rows[got], tt.rows[tt.want])
					}
					if p := inv.Options.Str("procedure"); tt.rows[tt.want].match == "exact" && p != "" || tt.rows[tt.want].match != "exact" && p != tt.call {
						t.Errorf("procedure %q", p)
					}
				})
			}
		})
	}
}

// When the best pattern goes, the next best one has the calls; each has its own
// callees and its own policy.
func TestPatternsFallBack(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		regs := []proto.ID{c.register("a.b.c"), c.register("a.b", "match", "prefix", "invoke", "roundrobin"),
			c.register("a", "match", "prefix"), c.register("a..c", "match", "wildcard", "invoke", "last")}
		for _, reg := range regs {
			c.call("a.b.c", nil)
			inv := c.expect(proto.Invocation)
			if inv.ID != reg {
				t.Errorf("goes to %d, want %d", inv.ID, reg)
			}
			c.yield(inv, false)
			c.expect(proto.Result)
			c.request(&proto.Message{Type: proto.Unregister, ID: reg})
			c.expect(proto.Unregistered)
		}
		c.expectError(proto.Call, c.call("a.b.c", nil), proto.ErrURINoSuchProcedure)
		settled(t, r, c)
	})
}

func TestPatternsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		for _, tt := range []struct{ uri, match, want string }{
			{"com.example", "prefix", proto.ErrURIOptionNotAllowed}, {"com..example", "wildcard", proto.ErrURIOptionNotAllowed},
		} {
			m := &proto.Message{Type: proto.Register, URI: tt.uri, Options: options("match", tt.match)}
			c.expectError(proto.Register, c.request(m), tt.want)
		}
		c.register("com.example", "match", "exact")
	}, wamptest.WithFeatures(wamptest.FeaturesWithout(proto.PatternBasedRegistration)))
}
