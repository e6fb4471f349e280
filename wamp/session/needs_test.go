package session

import (
	"errors"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

func TestStepMissingFeatures(t *testing.T) {
	var roles proto.Roles
	roles.Set(proto.Dealer, 0)
	r := newRigWith(t, roles, 1<<20)
	s := &tape{}
	sub := newSub(t.Context(), "com.example.topic", s)
	r.do(sub)
	var f *FeatureError
	if err := <-sub.Ready; !errors.As(err, &f) || !f.NoRole || f.Role != proto.Broker {
		t.Errorf("no broker: %v", err)
	}
	roles.Set(proto.Broker, 0)
	r = newRigWith(t, roles, 1<<20)
	sub = newSub(t.Context(), "com.example", &tape{})
	sub.Match = proto.Prefix
	r.do(sub)
	if err := <-sub.Ready; !errors.As(err, &f) || f.Feature != proto.PatternBasedSubscription {
		t.Errorf("no patterns: %v", err)
	}
	r.want()
}
