//go:build !js

package transport_test

import (
	"net/url"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/internal/faults"
)

// connectProxy serves an HTTP proxy that knows CONNECT.
func connectProxy(t testing.TB) *url.URL {
	t.Helper()
	address, _ := serveHTTP(t, wsOptions{}, faults.Tunnel)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.Scheme = "http"
	return u
}
