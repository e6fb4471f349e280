package wamp_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// What the dealer lacks fails by its name, before anything is sent.
func TestRPCFeaturesAreNeeded(t *testing.T) {
	call := func(option wamp.CallOption) func(*testing.T, *wamp.Session) error {
		return func(t *testing.T, s *wamp.Session) error {
			_, err := s.Call(t.Context(), "com.example.echo", wamp.Args(), option).Final()
			return err
		}
	}
	register := func(option wamp.RegisterOption) func(*testing.T, *wamp.Session) error {
		return func(t *testing.T, s *wamp.Session) error {
			_, err := s.Register(t.Context(), "com.example.other", option)
			return err
		}
	}
	for feature, use := range map[proto.Feature][]func(*testing.T, *wamp.Session) error{
		proto.ShardedRegistration:      {call(wamp.RoutingKey("k")), call(wamp.RunMode(wamp.All))},
		proto.SharedRegistration:       {register(wamp.Invoke(wamp.First))},
		proto.PatternBasedRegistration: {register(wamp.Match(wamp.Prefix))},
		proto.CallTimeout:              {register(wamp.ForwardTimeout())},
	} {
		synctest.Test(t, func(t *testing.T) {
			var p tap
			r, s, _ := slowRig(t, wamptest.WithFeatures(wamptest.FeaturesWithout(feature)), wamptest.WithHook(p.hook))
			p.take()
			for _, f := range use {
				var missing *wamp.FeatureError
				if err := f(t, s); !errors.As(err, &missing) || missing.Feature != feature || missing.Role != proto.Dealer {
					t.Errorf("%s: %v", feature, err)
				}
			}
			synctest.Wait()
			if sent := p.take(proto.Call, proto.Register); len(sent) > 0 {
				t.Errorf("%s: %d messages were sent", feature, len(sent))
			}
			// A user who knows better says so.
			s = join(t, r, wamp.Assume(feature.String()))
			for _, f := range use {
				var missing *wamp.FeatureError
				if err := f(t, s); errors.As(err, &missing) {
					t.Errorf("%s: assumed, but %v", feature, err)
				}
			}
		})
	}
}
