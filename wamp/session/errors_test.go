package session

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Whatever is wrapped in what, the text begins with one prefix, and what is inside is found.
func TestErrorsHaveOnePrefix(t *testing.T) {
	lost := &LinkError{Err: io.ErrUnexpectedEOF}
	aborted := &AbortError{Reason: proto.ErrURINoSuchRealm}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	refused := (&joiner{state: proto.StateChallenged}).perhapsRefused(lost)
	c := &core{}
	c.requests.Put(1, &Call{seq: 1})
	c.sentSeq = 1
	big := &blame{}
	big.tooBig(c, lost)
	for want, err := range map[string]error{
		"wamp: gave up after 1 attempt to reconnect: connection lost: unexpected EOF":                                                                        &GaveUpError{Attempts: 1, Err: lost},
		"wamp: session closed: connection lost: unexpected EOF (1 message was not delivered)":                                                                &ClosedError{Reason: lost, Undelivered: 1},
		"wamp: not connected: connection lost: unexpected EOF":                                                                                               notConnected(lost),
		"wamp: context canceled while not connected: 3 attempts, the last one: connection lost: unexpected EOF":                                              attemptsError(ctx, 3, lost, lost),
		"wamp: login: the router closed the connection behind our answer to its challenge: the login may have been refused: connection lost: unexpected EOF": refused,
		"wamp: outcome unknown: payload too big: the router closed the connection for a message of about ":                                                   big.err,
		"wamp: login: no login was accepted: connection lost: unexpected EOF; the router aborted: wamp.error.no_such_realm": &LoginError{
			Err: &authn.TurnsError{Errs: []error{&wrapped{lost, bare(lost)}, &wrapped{aborted, bare(aborted)}}}},
	} {
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Count(err.Error(), "wamp: ") != 1 {
			t.Errorf("want %q, got %v", want, err)
		}
		if !Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%v hides its reason", err)
		}
	}
}
