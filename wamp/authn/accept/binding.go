package accept

import (
	"crypto/x509"

	"github.com/connectanum/connectanum-go/wamp/authn/internal/proof"
)

// EndPoint returns the data of the channel binding [authn.TLSServerEndPoint] for
// the certificate of this server (RFC 5929 section 4.1): its hash. For the other
// bindings use [authn.BindingData] and [authn.ChannelID].
func EndPoint(cert *x509.Certificate) []byte { return proof.EndPoint(cert) }
