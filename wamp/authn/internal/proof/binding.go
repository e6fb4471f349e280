package proof

import (
	"crypto"
	"crypto/x509"
)

// EndPoint returns the data of the channel binding tls-server-end-point for the
// certificate of a server (RFC 5929 section 4.1): its hash, made with the hash
// of its signature, with SHA-256 in place of weaker ones and where the
// signature has no hash of its own.
func EndPoint(cert *x509.Certificate) []byte {
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
