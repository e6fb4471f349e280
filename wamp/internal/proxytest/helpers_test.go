package proxytest_test

import "github.com/connectanum/connectanum-go/wamp/internal/sessiontest"

// What the tests of other packages do too.
const patience = sessiontest.Patience

var (
	closeIt   = sessiontest.Close
	handle    = sessiontest.Handle
	subscribe = sessiontest.Subscribe
	echo      = sessiontest.Echo
	countTo   = sessiontest.CountTo
	within    = sessiontest.Within
)
