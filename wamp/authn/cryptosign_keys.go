package authn

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/subtle"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/connectanum/connectanum-go/wamp/authn/internal/proof"
)

// CryptosignHex is like [Cryptosign], with a key in hex: the 32 bytes of the
// seed, which the WAMP specification calls the private key, or the 64 bytes of
// seed and public key. A string is checked at once, a [Provider] is asked at
// each join.
func CryptosignHex[S Secret](authid string, key S, options ...CryptosignOption) (Authenticator, error) {
	if s, ok := any(key).(string); ok {
		if _, err := keyFromHex(s); err != nil {
			return nil, err
		}
	}
	secret := sourceOf(key)
	return CryptosignFunc(authid, func(ctx context.Context, r Request) (crypto.Signer, error) {
		s, err := secret.get(ctx, r)
		if err != nil {
			return nil, err
		}
		return keyFromHex(s)
	}, options...), nil
}

// CryptosignFile is like [Cryptosign], with a key from a file: OpenSSH, PEM
// (PKCS #8), hex, or the 32 bytes of the seed themselves. The file is checked
// at once and read again at each join, so the key can be replaced and is not
// kept. [WithPassphrase] opens an encrypted file.
func CryptosignFile(authid, path string, options ...CryptosignOption) (Authenticator, error) {
	var c config
	for _, o := range options {
		o.cryptosign(&c)
	}
	if _, err := keyFromFile(path, nil); err != nil && (c.passphrase == nil || !errors.Is(err, errEncrypted)) {
		return nil, err
	}
	return CryptosignFunc(authid, func(ctx context.Context, r Request) (crypto.Signer, error) {
		if c.passphrase == nil {
			return keyFromFile(path, nil)
		}
		return keyFromFile(path, func() (string, error) { return c.passphrase.get(ctx, r) })
	}, options...), nil
}

// WithPassphrase opens the encrypted file of [CryptosignFile]. A [Provider] is
// asked at each join.
func WithPassphrase[S Secret](passphrase S) CryptosignOption {
	s := sourceOf(passphrase)
	return anyOption(func(c *config) { c.passphrase = s })
}

// SSHSigner returns the Ed25519 key of an SSH signer, such as one of an agent,
// for [Cryptosign].
func SSHSigner(s ssh.Signer) (crypto.Signer, error) {
	if s == nil {
		return nil, &CredentialError{Method: proof.Cryptosign, Problem: "the key is nil"}
	}
	key := s.PublicKey()
	if _, ok := key.(ssh.CryptoPublicKey); !ok && key != nil { // an agent's, which has the bytes only
		if parsed, err := ssh.ParsePublicKey(key.Marshal()); err == nil {
			key = parsed
		}
	}
	k, ok := key.(ssh.CryptoPublicKey)
	if !ok {
		return nil, &CredentialError{Method: proof.Cryptosign, Problem: "the key is no Ed25519 key"}
	}
	public, ok := k.CryptoPublicKey().(ed25519.PublicKey)
	if !ok {
		return nil, &CredentialError{Method: proof.Cryptosign, Problem: "the key is no Ed25519 key"}
	}
	return &sshSigner{quiet{"authn.SSHSigner"}, public, s.Sign}, nil
}

type sshSigner struct {
	quiet
	public ed25519.PublicKey
	sign   func(rand io.Reader, data []byte) (*ssh.Signature, error)
}

func (s *sshSigner) Public() crypto.PublicKey { return s.public }

func (s *sshSigner) Sign(rand io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts != nil && opts.HashFunc() != 0 {
		return nil, errors.New("an SSH key signs messages, not hashes")
	}
	sig, err := s.sign(rand, message)
	if err != nil {
		return nil, err
	}
	if sig.Format != ssh.KeyAlgoED25519 {
		return nil, fmt.Errorf("the SSH key signed with %q", clip(sig.Format))
	}
	return sig.Blob, nil
}

// errEncrypted is wrapped by the error for a file whose passphrase is missing.
var errEncrypted = errors.New("it is encrypted, and authn.WithPassphrase is missing")

// Errors of the parsers below are not passed on: they quote what they could
// not read.
func badKey(where, problem string) error {
	return &CredentialError{Method: proof.Cryptosign, Problem: where + " " + problem}
}

func keyFromHex(s string) (crypto.Signer, error) {
	b, err := hex.DecodeString(strings.TrimSpace(s))
	if err != nil {
		return nil, badKey("the key", "is no hex")
	}
	return keyFromBytes(b, "the key")
}

func keyFromBytes(b []byte, where string) (crypto.Signer, error) {
	switch len(b) {
	case ed25519.SeedSize:
		return ed25519.NewKeyFromSeed(b), nil
	case ed25519.PrivateKeySize:
		key := ed25519.NewKeyFromSeed(b[:ed25519.SeedSize])
		if subtle.ConstantTimeCompare(key, b) != 1 {
			return nil, badKey(where, "has a public half that does not belong to its private half")
		}
		return key, nil
	}
	return nil, badKey(where, "has not the length of an Ed25519 key")
}

// keyFromFile reads a key of any form; passphrase is asked if it is encrypted.
func keyFromFile(path string, passphrase func() (string, error)) (crypto.Signer, error) {
	const most = 64 << 10
	f, err := os.Open(path)
	if err != nil {
		return nil, &CredentialError{Method: proof.Cryptosign, Problem: "the key file cannot be read", Err: err}
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, &CredentialError{Method: proof.Cryptosign, Problem: "the key file cannot be read", Err: err}
	}
	defer clear(data)
	if len(data) > most {
		return nil, badKey("the key file", "is too long")
	}
	if block, _ := pem.Decode(data); block != nil {
		return keyFromPEM(block, data, passphrase)
	}
	if len(data) == ed25519.SeedSize {
		return ed25519.NewKeyFromSeed(data), nil
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(data)))
	if err != nil {
		return nil, badKey("the key file", "has no form that is known: OpenSSH, PEM, hex or 32 bytes")
	}
	return keyFromBytes(b, "the key file")
}

func keyFromPEM(block *pem.Block, data []byte, passphrase func() (string, error)) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "OPENSSH PRIVATE KEY":
		key, err = ssh.ParseRawPrivateKey(data)
		var missing *ssh.PassphraseMissingError
		if errors.As(err, &missing) {
			key, err = decrypt(data, passphrase)
			if err != nil {
				return nil, err
			}
		}
	default:
		return nil, badKey("the key file", "has a PEM block that is no private key in PKCS #8 or OpenSSH form")
	}
	if err != nil {
		return nil, badKey("the key file", "cannot be parsed")
	}
	switch k := key.(type) {
	case ed25519.PrivateKey:
		return k, nil
	case *ed25519.PrivateKey:
		return *k, nil
	}
	return nil, badKey("the key file", "holds a key that is no Ed25519 key")
}

func decrypt(data []byte, passphrase func() (string, error)) (any, error) {
	if passphrase == nil {
		return nil, &CredentialError{Method: proof.Cryptosign, Problem: "the key file", Err: errEncrypted}
	}
	p, err := passphrase()
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParseRawPrivateKeyWithPassphrase(data, []byte(p))
	if err != nil {
		return nil, badKey("the key file", "does not open with this passphrase")
	}
	return key, nil
}
