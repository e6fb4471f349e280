package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/connectanum/connectanum-go/wamp/internal/floor"
)

// client is what one side of the comparison can do. A third side embeds unable
// and has the methods of what it can; the procedures and topics are the
// server's (server.go).
type client interface {
	// call makes one call of procCall and looks at its result.
	call(ctx context.Context) error
	// echo sends so many bytes and gets them back.
	echo(ctx context.Context, text string) error
	// results makes one call that is answered with n progressive results, and
	// decodes them if scan is set.
	results(ctx context.Context, n int, scan bool) error
	// subscribe prepares for events, with so many consumers.
	subscribe(ctx context.Context, consumers int) error
	// events asks for n events and takes them with all consumers, and decodes
	// them if scan is set.
	events(ctx context.Context, n int, scan bool) error
	// register prepares for invocations, and answers them from then on.
	register(ctx context.Context) error
	// invocations asks for n invocations and returns when all have been
	// answered.
	invocations(ctx context.Context, n int) error
	// publish publishes one event, unacknowledged.
	publish(ctx context.Context) error
	// acked publishes one event and waits for its acknowledgement.
	acked(ctx context.Context) error
	// stream publishes n events and takes their acknowledgements, with window
	// events in flight.
	stream(ctx context.Context, n int) error
	// published returns when the router has read all publishes, and says how
	// many there were.
	published(ctx context.Context) (int, error)
	// close ends the session.
	close() error
}

// oneCaller is a client that has a way of its own to call for one result. The
// others do call.
type oneCaller interface {
	one(ctx context.Context) error
}

// one makes one call for one result, in the way that the client is best at.
func one(c client, ctx context.Context) error {
	if c, has := c.(oneCaller); has {
		return c.one(ctx)
	}
	return c.call(ctx)
}

// errUnable ends work that a side cannot do or that cannot be done here. Its
// figures are absent then.
var errUnable = errors.New("cannot be done")

// unable is a client that can do nothing, for others to embed.
type unable struct{}

func (unable) call(context.Context) error               { return errUnable }
func (unable) echo(context.Context, string) error       { return errUnable }
func (unable) results(context.Context, int, bool) error { return errUnable }
func (unable) subscribe(context.Context, int) error     { return errUnable }
func (unable) events(context.Context, int, bool) error  { return errUnable }
func (unable) register(context.Context) error           { return errUnable }
func (unable) invocations(context.Context, int) error   { return errUnable }
func (unable) publish(context.Context) error            { return errUnable }
func (unable) acked(context.Context) error              { return errUnable }
func (unable) stream(context.Context, int) error        { return errUnable }
func (unable) published(context.Context) (int, error)   { return 0, errUnable }
func (unable) close() error                             { return nil }

// wire is a serializer of the floor and of the server.
type wire = floor.Wire

// side is one client that takes part in the comparison.
type side struct {
	name  string
	wires []string // the serializers it is measured with; ratios are of the first
	// dial connects and joins. address is a host and port, or the file of a
	// Unix socket; addressURL makes a URL of it.
	dial func(ctx context.Context, transport, address string, w wire) (client, error)
}

// thirdSides are those beside the floor and this library.
var thirdSides []side

// register adds a third side. It is called by init, in a file that only a
// build tag brings in.
func register(s side) { thirdSides = append(thirdSides, s) }

// The two sides that are always there.
const (
	sideFloor = "floor"
	sideOurs  = "wamp"
)

// allSides are the clients that can be compared; serializers are this
// library's.
func allSides(serializers []string) []side {
	all := []side{floorSide(), {name: sideOurs, wires: serializers, dial: dialOurs}}
	return append(all, thirdSides...)
}

// chosenSides are those with the given names.
func chosenSides(names, serializers []string) (chosen []side) {
	for _, s := range allSides(serializers) {
		if slices.Contains(names, s.name) {
			chosen = append(chosen, s)
		}
	}
	return chosen
}

// addressURL is the URL of a transport of the server.
func addressURL(transport, address string) string {
	switch transport {
	case transportTCP:
		return "tcp://" + address
	case transportUnix:
		return "unix://" + address
	case transportWeb:
		return "ws://" + address + "/ws"
	}
	panic(fmt.Sprintf("bench: no transport %q", transport))
}
