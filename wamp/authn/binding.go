package authn

import (
	"crypto/sha256"
	"crypto/tls"
	"slices"

	"github.com/connectanum/connectanum-go/wamp/authn/internal/proof"
)

// Binding is a kind of channel binding: data that both ends of a TLS connection
// know, and nobody in the middle.
type Binding string

// The kinds of channel binding.
const (
	// NoBinding is no channel binding.
	NoBinding Binding = ""
	// TLSUnique is the first Finished message (RFC 5929), for TLS 1.2 and below.
	TLSUnique Binding = "tls-unique"
	// TLSExporter is exported keying material (RFC 9266), for TLS 1.3, and for
	// TLS 1.2 with extended master secret.
	TLSExporter Binding = "tls-exporter"
	// TLSServerEndPoint is the hash of the server's certificate (RFC 5929). Only
	// [SCRAM] knows it.
	TLSServerEndPoint Binding = "tls-server-end-point"
)

// BindingError reports that a login cannot be bound to its connection, or that
// the other side did not bind it.
type BindingError struct {
	Method  string
	Binding Binding
	Problem string
	// Router is true if the router is at fault: it has taken another binding
	// than HELLO asked for.
	Router bool
}

func (e *BindingError) Error() string {
	s := "channel binding"
	if e.Method != "" {
		s = e.Method + ": " + s
	}
	if e.Binding != NoBinding {
		s += " " + string(e.Binding)
	}
	return s + ": " + e.Problem
}

// Is reports whether target is [ErrUnusable], which the error matches unless
// the router is at fault.
func (e *BindingError) Is(target error) bool { return target == ErrUnusable && !e.Router }

// BindingData returns the data of a channel binding as its RFC defines it.
// [TLSServerEndPoint] takes the certificate of the peer, so only the client's
// end can ask for it; a server has EndPoint of package accept.
func BindingData(cs *tls.ConnectionState, b Binding) ([]byte, error) {
	fail := func(problem string) ([]byte, error) { return nil, &BindingError{Binding: b, Problem: problem} }
	if cs == nil {
		return fail("the connection has no TLS")
	}
	switch b {
	case TLSUnique:
		if len(cs.TLSUnique) == 0 {
			return fail("the connection has none (TLS 1.3 has no tls-unique)")
		}
		return slices.Clone(cs.TLSUnique), nil
	case TLSExporter:
		data, err := cs.ExportKeyingMaterial("EXPORTER-Channel-Binding", []byte{}, 32)
		if err != nil {
			return fail("the connection has none: " + err.Error())
		}
		return data, nil
	case TLSServerEndPoint:
		if len(cs.PeerCertificates) == 0 {
			return fail("the peer showed no certificate")
		}
		return proof.EndPoint(cs.PeerCertificates[0]), nil
	case NoBinding:
	}
	return fail("it is not known")
}

// ChannelID returns the 32 bytes that WAMP-Cryptosign binds with: the exported
// keying material, or the SHA-256 hash of the Finished message, which is too
// short by itself. The WAMP specification does not say how to lengthen it; this
// is what routers do.
func ChannelID(cs *tls.ConnectionState, b Binding) ([]byte, error) {
	if b == TLSServerEndPoint {
		return nil, &BindingError{Method: proof.Cryptosign, Binding: b, Problem: "cryptosign does not know it"}
	}
	data, err := BindingData(cs, b)
	if err != nil {
		return nil, err
	}
	if b == TLSUnique {
		sum := sha256.Sum256(data)
		return sum[:], nil
	}
	return data, nil
}

// pick returns the first binding of the list that the connection has.
func pick(method string, list []Binding, data func(Binding) ([]byte, error)) (Binding, []byte, error) {
	var first error
	for _, b := range list {
		if b == NoBinding {
			return NoBinding, nil, nil
		}
		d, err := data(b)
		if err == nil {
			return b, d, nil
		}
		if first == nil {
			first = err
		}
	}
	if be, ok := first.(*BindingError); ok { //nolint:errorlint // made above, never wrapped
		be.Method = method
	}
	return NoBinding, nil, first
}
