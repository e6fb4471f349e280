package proto_test

import (
	"fmt"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Options and details of messages are a Dict, whose methods return a value as the type
// that it should have, and zero where it is absent or of another one.
func Example() {
	details := proto.Dict{
		{Key: "publisher", Value: int64(1234)},
		{Key: "publisher_authid", Value: "joe"},
		{Key: "retained", Value: true},
	}
	fmt.Println(details.ID("publisher"), details.Str("publisher_authid"), details.Bool("retained"))
	_, there := details.Int("trustlevel")
	fmt.Println(there)
	// Output:
	// 1234 joe true
	// false
}

// With leaves the Dict as it is, which may be shared, and returns another one.
func ExampleDict_With() {
	shared := proto.Dict{{Key: "match", Value: "prefix"}}
	mine := shared.With("get_retained", true)
	fmt.Println(len(shared), len(mine), mine)
	// Output: 1 2 {match get_retained}
}

// Which features a router announced, such as those of the Roles of session.Details.
func ExampleRoles_Has() {
	var roles proto.Roles
	roles.Set(proto.Dealer, proto.FeatureSet(0).Add(proto.CallCanceling, proto.ProgressiveCallResults))
	fmt.Println(roles.Has(proto.Dealer), roles.Has(proto.Broker))
	fmt.Println(roles.Features(proto.Dealer).Has(proto.CallCanceling))
	fmt.Println(roles.Features(proto.Dealer).Names())
	// Output:
	// true false
	// true
	// [call_canceling progressive_call_results]
}

func ExampleParseFeature() {
	feature, known := proto.ParseFeature("event_retention")
	fmt.Println(feature, known, feature == proto.EventRetention)
	_, known = proto.ParseFeature("teleportation")
	fmt.Println(known)
	// Output:
	// event_retention true true
	// false
}

func ExampleCheckURI() {
	for _, uri := range []string{"com.example.add", "com.example.", "com.example add"} {
		fmt.Println(proto.CheckURI(uri))
	}
	// Output:
	// <nil>
	// invalid URI "com.example.": it has an empty component
	// invalid URI "com.example add": it has white space
}

func ExampleMatchURI() {
	fmt.Println(proto.MatchURI("com.example", proto.Prefix, "com.example.kitchen.temperature"))
	fmt.Println(proto.MatchURI("com.example..temperature", proto.Wildcard, "com.example.kitchen.temperature"))
	fmt.Println(proto.MatchURI("com.example..temperature", proto.Wildcard, "com.example.temperature"))
	// Output:
	// true
	// true
	// false
}
