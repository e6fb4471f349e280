package authn

import (
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"slices"
)

// Binding is a kind of channel binding: something both ends of a TLS
// connection know and nobody in the middle does.
type Binding string

// The kinds of channel binding.
const (
	// NoBinding is none.
	NoBinding Binding = ""
	// TLSUnique is the first Finished message (RFC 5929): TLS 1.2 and below.
	TLSUnique Binding = "tls-unique"
	// TLSExporter is exported keying material (RFC 9266): TLS 1.3, and TLS 1.2
	// with extended master secret.
	TLSExporter Binding = "tls-exporter"
	// TLSServerEndPoint is the hash of the server's certificate (RFC 5929), for
	// SCRAM only.
	TLSServerEndPoint Binding = "tls-server-end-point"
)

// BindingError says that a login cannot be bound to the connection, or that
// the router did not bind it.
type BindingError struct {
	Method  string
	Binding Binding
	Problem string
	// Router is true if the router is at fault, after HELLO.
	Router bool
}

func (e *BindingError) Error() string {
	if e.Binding == NoBinding {
		return e.Method + ": channel binding: " + e.Problem
	}
	return e.Method + ": channel binding " + string(e.Binding) + ": " + e.Problem
}

// Is makes an error about the connection, not about the router, an
// ErrUnusable.
func (e *BindingError) Is(target error) bool { return target == ErrUnusable && !e.Router }

// BindingData returns the data of a channel binding as the RFCs define it. For
// TLSServerEndPoint it is the peer's certificate, so only the client's end can
// ask; the server has EndPointData.
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
		return EndPointData(cs.PeerCertificates[0]), nil
	case NoBinding:
	}
	return fail("unknown")
}

// EndPointData returns the data of TLSServerEndPoint for a server's
// certificate: its hash with the hash of its signature, SHA-256 in place of
// weaker ones and where the signature has no hash of its own.
func EndPointData(cert *x509.Certificate) []byte {
	h := crypto.SHA256
	switch cert.SignatureAlgorithm {
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		h = crypto.SHA384
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		h = crypto.SHA512
	default:
	}
	sum := h.New()
	sum.Write(cert.Raw)
	return sum.Sum(nil)
}

// ChannelID returns the 32 octets that cryptosign binds with: the exported
// keying material, or the SHA-256 of the Finished message, which is too short
// by itself (the WAMP text does not say how to lengthen it; routers do it so).
func ChannelID(cs *tls.ConnectionState, b Binding) ([]byte, error) {
	if b == TLSServerEndPoint {
		return nil, &BindingError{Method: "cryptosign", Binding: b, Problem: "cryptosign does not know it"}
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
