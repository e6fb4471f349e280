package session

import (
	"reflect"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Sessions share what their routers say alike of their roles, and nothing else.
func TestWelcomesShareTheirRoles(t *testing.T) {
	roles := func(feature string) map[string]any {
		return map[string]any{"broker": map[string]any{"features": map[string]any{feature: true}}}
	}
	welcome := func(feature string) proto.Dict {
		return proto.Dict{{Key: proto.KeyRealm, Value: "realm1"}, {Key: proto.KeyRoles, Value: roles(feature)}}
	}
	same := func(a, b proto.Dict) bool {
		return reflect.ValueOf(a[1].Value).Pointer() == reflect.ValueOf(b[1].Value).Pointer()
	}
	shared := func(feature string) proto.Dict {
		d := welcome(feature)
		shareRoles(d)
		if !reflect.DeepEqual(d, welcome(feature)) {
			t.Errorf("%s became %v", feature, d)
		}
		return d
	}
	a, b := shared("x"), shared("x")
	c := shared("y")
	d, e := shared("y"), shared("x")
	if !same(a, b) || same(b, c) || !same(c, d) || same(d, e) {
		t.Error("what is alike is not shared, or what is not is")
	}
	large := strings.Repeat("z", mostShared)
	if f, g := shared(large), shared(large); same(f, g) || !same(e, shared("x")) {
		t.Error("what is large was kept")
	}
	shareRoles(proto.Dict{{Key: proto.KeyRoles, Value: nil}})
	shareRoles(nil)
}
