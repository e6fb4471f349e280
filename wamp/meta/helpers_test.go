package meta_test

import "github.com/connectanum/connectanum-go/wamp/internal/sessiontest"

// What the tests of other packages do too.
var (
	join      = sessiontest.Join
	joinAs    = sessiontest.JoinAs
	named     = sessiontest.Named
	closeIt   = sessiontest.Close
	handle    = sessiontest.Handle
	subscribe = sessiontest.Subscribe
	echo      = sessiontest.Echo
	quick     = sessiontest.Quick

	serializers = sessiontest.Serializers
)
