package proof_test

import (
	"crypto/x509"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn/internal/proof"
)

// RFC 5929 section 4.1: SHA-256 for what signs with MD5, SHA-1 or no hash.
func TestEndPoint(t *testing.T) {
	for alg, size := range map[x509.SignatureAlgorithm]int{
		x509.SHA1WithRSA: 32, x509.SHA256WithRSA: 32, x509.PureEd25519: 32, x509.ECDSAWithSHA384: 48, x509.SHA512WithRSAPSS: 64,
	} {
		if n := len(proof.EndPoint(&x509.Certificate{Raw: []byte("x"), SignatureAlgorithm: alg})); n != size {
			t.Errorf("%v: %d bytes", alg, n)
		}
	}
}
