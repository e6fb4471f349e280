package transport

import (
	"fmt"
	"runtime"
)

// inBrowser is set where connections are those of JavaScript: in a browser, or in a
// runtime such as Node.
const inBrowser = runtime.GOOS == "js"

// notThere names the first thing that address and options ask for and a browser does
// not have, "" if there is none.
func notThere(a *Address, o *DialOptions) string {
	switch {
	case a.framing != framedWeb || a.Network != "tcp":
		return "an address with " + a.Scheme + "://"
	case o.TLS != nil:
		return "DialOptions.TLS"
	case o.Dial != nil:
		return "DialOptions.Dial"
	}
	return o.WebSocket.notThere()
}

func (o *WebSocketOptions) notThere() string {
	const of = "WebSocketOptions."
	switch {
	case len(o.Header) > 0:
		return of + "Header"
	case o.TLS != nil:
		return of + "TLS"
	case o.Proxy != nil:
		return of + "Proxy"
	case o.Jar != nil:
		return of + "Jar"
	case o.Client != nil:
		return of + "Client"
	case o.Dial != nil:
		return of + "Dial"
	case o.Deflate:
		return of + "Deflate"
	}
	return ""
}

// refuse makes the error of what is not there, nil if nothing is missing.
func refuse(what string) error {
	if what == "" {
		return nil
	}
	return fmt.Errorf("%s: %w", what, ErrNotInBrowser)
}
