package accept_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
)

// A client gets the same out of the certificate that it was shown.
func TestEndPoint(t *testing.T) {
	cert := &x509.Certificate{Raw: []byte("x"), SignatureAlgorithm: x509.ECDSAWithSHA384}
	client, err := authn.BindingData(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}, authn.TLSServerEndPoint)
	if err != nil || len(client) != 48 || !bytes.Equal(client, accept.EndPoint(cert)) {
		t.Errorf("%x, %v", client, err)
	}
}
