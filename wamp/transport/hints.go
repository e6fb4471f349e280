//go:build !js

package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// hint returns what explains err, where one mistake does. The caller holds mu.
func (a *attempt) hint(err error) string {
	var handshake *HandshakeError
	status := 0
	if errors.As(err, &handshake) {
		status = handshake.Status
	}
	if s := a.portHint(err, status); s != "" {
		return s
	}
	switch a.phase {
	case PhaseWebSocket:
		if status != 0 {
			return a.statusHint(status, err)
		}
	case PhaseRawSocket:
		if errors.Is(err, ErrNoProtocol) || handshake != nil && handshake.Refusal == RefusedSerializer {
			return a.offers()
		}
	case PhaseProxy:
		var refusal *proxyError
		if errors.As(err, &refusal) && refusal.status == http.StatusProxyAuthRequired {
			return proxyHint
		}
	case PhaseDial:
		var bad *net.AddrError
		if errors.As(err, &bad) && strings.Contains(bad.Err, "missing port") {
			return "the address needs a port, as in " + a.address + ":8080"
		}
	}
	return ""
}

const proxyHint = "the proxy wants a login: user and password in its URL"

// statusHint explains an HTTP status.
func (a *attempt) statusHint(status int, err error) string {
	switch status {
	case http.StatusSwitchingProtocols:
		if errors.Is(err, ErrNoProtocol) {
			return a.offers()
		}
	case http.StatusBadRequest:
		return a.offers()
	case http.StatusUnauthorized, http.StatusForbidden:
		return "the server wants a login by HTTP: a header, a cookie, a client certificate"
	case http.StatusOK, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusUpgradeRequired:
		return fmt.Sprintf("the path %q is no WebSocket of this server", short(a.path))
	case http.StatusProxyAuthRequired:
		return proxyHint
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return "what answers is a proxy that does not reach the router"
	}
	return ""
}

func (a *attempt) offers() string {
	if len(a.offered) == 0 {
		return ""
	}
	return "offered were " + strings.Join(a.offered, ", ")
}

// portHint explains errors of a port that speaks something else.
func (a *attempt) portHint(err error, status int) string {
	first := string(a.first)
	var record tls.RecordHeaderError
	ws, raw := schemeFor(framedWeb, a.network, a.tls), schemeFor(framedRaw, a.network, a.tls)
	switch {
	case (errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch)) && a.phase == PhaseTLS:
		return "the port speaks no TLS: " + a.instead(false)
	case isTLSRecord(first) && a.phase != PhaseTLS, status == http.StatusBadRequest && a.wantsTLS:
		if a.network == "unix" {
			return "the socket speaks TLS"
		}
		return "the port speaks TLS: " + a.instead(true)
	case a.phase == PhaseWebSocket && strings.HasPrefix(first, string(rune(rawMagic))):
		return "the port speaks RawSocket: " + raw + " in the place of " + a.scheme()
	case a.phase == PhaseRawSocket && strings.HasPrefix(first, "HTTP"):
		return "the port speaks HTTP: " + ws + " in the place of " + a.scheme()
	case status != 0 || first != "" || !silent(err):
		return ""
	}
	// The peer has hung up, or waits, without a word.
	switch {
	case a.phase == PhaseTLS:
		return "a port without TLS hangs up like this: is it " + schemeFor(framedWeb, a.network, false) + ", or RawSocket, " + schemeFor(framedRaw, a.network, false) + "?"
	case a.phase == PhaseWebSocket && (a.tls || a.network == "unix"):
		return "is it RawSocket, " + raw + "?"
	case a.phase == PhaseWebSocket:
		return "does it want TLS, " + schemeFor(framedWeb, a.network, true) + ", or is it RawSocket, " + raw + "?"
	case a.phase == PhaseRawSocket && (a.tls || a.network == "unix"):
		return "is it WebSocket, " + ws + "?"
	case a.phase == PhaseRawSocket:
		return "does it want TLS, " + schemeFor(framedRaw, a.network, true) + ", or is it WebSocket, " + ws + "?"
	}
	return ""
}

// instead is the scheme to take in the place of that of the address.
func (a *attempt) instead(secure bool) string {
	f := framedRaw
	if a.path != "" {
		f = framedWeb
	}
	return schemeFor(f, a.network, secure) + " in the place of " + a.scheme()
}

// scheme is that of the address.
func (a *attempt) scheme() string {
	name, _, _ := strings.Cut(a.address, "://")
	return name
}

// isTLSRecord reports whether p begins with a TLS alert or handshake.
func isTLSRecord(p string) bool {
	return len(p) >= 2 && (p[0] == 0x15 || p[0] == 0x16) && p[1] == 3
}

// silent reports whether err means that the peer has hung up, or that time has
// run out.
func silent(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "read" || op.Op == "write")
}
