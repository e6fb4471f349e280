// Package client has the names that nexus.go uses.
package client

import (
	"context"
	"time"

	"github.com/gammazero/nexus/v3/transport/serialize"
	"github.com/gammazero/nexus/v3/wamp"
)

type (
	Client struct{}

	Config struct {
		Realm           string
		Logger          interface{ Printf(string, ...any) }
		ResponseTimeout time.Duration
		Serialization   serialize.Serialization
	}

	InvokeResult struct {
		Args wamp.List
		Err  wamp.URI
	}

	EventHandler      func(*wamp.Event)
	ProgressHandler   func(*wamp.Result)
	InvocationHandler func(context.Context, *wamp.Invocation) InvokeResult
)

func ConnectNet(context.Context, string, Config) (*Client, error) { panic("stub") }

func (*Client) Call(context.Context, string, wamp.Dict, wamp.List, wamp.Dict, ProgressHandler) (*wamp.Result, error) {
	panic("stub")
}
func (*Client) Subscribe(string, EventHandler, wamp.Dict) error       { panic("stub") }
func (*Client) Register(string, InvocationHandler, wamp.Dict) error   { panic("stub") }
func (*Client) Publish(string, wamp.Dict, wamp.List, wamp.Dict) error { panic("stub") }
func (*Client) Close() error                                          { panic("stub") }
