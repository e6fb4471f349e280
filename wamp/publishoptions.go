package wamp

import (
	"fmt"
	"unicode/utf8"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// PublishOption is an option of [Session.Publish].
type PublishOption interface{ applyPublish(*publishConfig) error }

type publishOption func(*publishConfig) error

func (o publishOption) applyPublish(c *publishConfig) error { return o(c) }

// PublishStreamOption is an option of [Session.PublishStream], [Session.PublishFunc],
// [PublishStream] and [PublishFunc]. It applies to every event.
type PublishStreamOption interface{ applyStream(*publishConfig) error }

type streamOption func(*publishConfig) error

func (o streamOption) applyStream(c *publishConfig) error { return o(c) }

// TestamentOption is an option of [Session.AddTestament].
type TestamentOption interface{ applyTestament(*publishConfig) error }

// EventOption is an option of all ways to publish an event.
type EventOption interface {
	PublishOption
	PublishStreamOption
	TestamentOption
}

type eventOption func(*publishConfig) error

func (o eventOption) applyPublish(c *publishConfig) error   { return o(c) }
func (o eventOption) applyStream(c *publishConfig) error    { return o(c) }
func (o eventOption) applyTestament(c *publishConfig) error { return o(c) }

// sending is the option that sends a value under a key. option is its name.
func sending(key string, value any, option string) eventOption {
	return func(c *publishConfig) error { c.operation().set(key, value, option); return nil }
}

// Acknowledge asks the broker to acknowledge the publish. The [Acks] then
// receives exactly one element.
func Acknowledge() PublishOption {
	return publishOption(func(c *publishConfig) error { c.ack = true; return nil })
}

// ExcludeMe sets whether the publisher is left out when it has subscribed to
// the topic itself. By the WAMP specification it is. ExcludeMe(false) sends it
// the event too, and needs the broker's publisher_exclusion.
//
// See the WAMP specification, "Publisher Exclusion".
func ExcludeMe(on bool) EventOption { return sending(proto.KeyExcludeMe, on, "ExcludeMe(false)") }

// checkText refuses what no router takes as a string.
func checkText(option, text string) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("%s: %q is not valid UTF-8", option, proto.Short(text))
	}
	return nil
}

// list is one of the black and white lists. check reports what is wrong with one of
// its elements.
func list[T any](name, key string, elements []T, check func(option string, v T) error) EventOption {
	elements = append([]T{}, elements...)
	return eventOption(func(c *publishConfig) error {
		for _, v := range elements {
			if err := check(name, v); err != nil {
				return err
			}
		}
		c.operation().set(key, elements, name)
		return nil
	})
}

func checkSession(option string, id ID) error {
	if !id.Valid() {
		return fmt.Errorf("%s: %d is no session id", option, id)
	}
	return nil
}

// Retain asks the broker to retain the event for later subscribers that ask for
// it by [GetRetained]. The newest event of each topic is retained. It needs the
// broker's event_retention.
//
// See the WAMP specification, "Event Retention".
func Retain() EventOption { return sending(proto.KeyRetain, true, "Retain") }

// Exclude withholds the event from these sessions. If several lists are given,
// a session gets the event only if all of them allow it. The lists need the
// broker's subscriber_blackwhite_listing.
//
// See the WAMP specification, "Subscriber Black- and Whitelisting".
func Exclude(sessions ...ID) EventOption {
	return list("Exclude", proto.KeyExclude, sessions, checkSession)
}

// ExcludeAuthID withholds the event from sessions with these authids. See
// [Exclude].
func ExcludeAuthID(ids ...string) EventOption {
	return list("ExcludeAuthID", proto.KeyExcludeAuthID, ids, checkText)
}

// ExcludeAuthRole withholds the event from sessions with these authroles. See
// [Exclude].
func ExcludeAuthRole(roles ...string) EventOption {
	return list("ExcludeAuthRole", proto.KeyExcludeAuthRole, roles, checkText)
}

// Eligible sends the event to these sessions only. An empty list means nobody,
// but Crossbar takes it for an absent list. See [Exclude].
func Eligible(sessions ...ID) EventOption {
	return list("Eligible", proto.KeyEligible, sessions, checkSession)
}

// EligibleAuthID sends the event to sessions with these authids only. See
// [Exclude].
func EligibleAuthID(ids ...string) EventOption {
	return list("EligibleAuthID", proto.KeyEligibleAuthID, ids, checkText)
}

// EligibleAuthRole sends the event to sessions with these authroles only. See
// [Exclude].
func EligibleAuthRole(roles ...string) EventOption {
	return list("EligibleAuthRole", proto.KeyEligibleAuthRole, roles, checkText)
}

// maxWindow is the largest window: its places take memory before they are used.
const maxWindow = 1 << 20

// Window sets how many publishes of a stream may wait for their acknowledgement
// at once, apart from the session's window ([WithWindow]), which is shared by
// default. It is at most 1,048,576. Some routers drop answers when more than 64 of them
// wait to be written: use a window of hundreds only with routers that are known not to do
// so.
func Window(n int) PublishStreamOption {
	return streamOption(func(c *publishConfig) error {
		if n < 1 || n > maxWindow {
			return fmt.Errorf("Window: %d is not between 1 and %d", n, maxWindow)
		}
		c.window = n
		return nil
	})
}

// GoOn continues a stream of publishes after one that failed. By default the
// stream stops there. The end of the session or of ctx stops it in any case.
func GoOn() PublishStreamOption {
	return streamOption(func(c *publishConfig) error { c.goOn = true; return nil })
}
