package wamp_test

import (
	"github.com/connectanum/connectanum-go/wamp/internal/sessiontest"
)

// What the tests of other packages do too.
type (
	m      = []any          // a message as the list that it is on the wire
	d      = map[string]any // a dict in it
	logged = sessiontest.Log
)

const patience = sessiontest.Patience

var (
	join        = sessiontest.Join
	joinAs      = sessiontest.JoinAs
	named       = sessiontest.Named
	connect     = sessiontest.Connect
	fails       = sessiontest.Fails
	webScript   = sessiontest.WebScript
	say         = sessiontest.Say
	behind      = sessiontest.Behind
	ticketLogin = sessiontest.TicketLogin
	closeIt     = sessiontest.Close
	handle      = sessiontest.Handle
	subscribe   = sessiontest.Subscribe
	echo        = sessiontest.Echo
	countTo     = sessiontest.CountTo
	hung        = sessiontest.Hung
	quick       = sessiontest.Quick
	within      = sessiontest.Within
	endsWithin  = sessiontest.EndsWithin
	alive       = sessiontest.Alive
	empty       = sessiontest.Empty
	number      = sessiontest.Number
	publish     = sessiontest.Publish
	waiting     = sessiontest.Waiting
	feeding     = sessiontest.Feeding
	allAcks     = sessiontest.AllAcks
	lastErr     = sessiontest.LastErr

	serializers = sessiontest.Serializers
)

// value is a value that came without an error.
func value[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
