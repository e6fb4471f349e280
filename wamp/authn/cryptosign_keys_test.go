package authn_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
)

func testKey(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "keys", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCryptosignFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	k := seed(3)
	own := hex.EncodeToString(public(k))
	asked := 0
	for _, tt := range []struct {
		name, path, public string
		options            []authn.CryptosignOption
	}{
		{"OpenSSH", "testdata/keys/openssh", testKey(t, "openssh.pub.hex"), nil},
		{"OpenSSH, encrypted", "testdata/keys/openssh_encrypted", testKey(t, "openssh_encrypted.pub.hex"), []authn.CryptosignOption{authn.WithPassphrase("correct horse")}},
		{"OpenSSH, encrypted, asked for", "testdata/keys/openssh_encrypted", testKey(t, "openssh_encrypted.pub.hex"), []authn.CryptosignOption{
			authn.WithPassphrase(func(context.Context, authn.Request) (string, error) { asked++; return "correct horse", nil }),
		}},
		{"PKCS #8", "testdata/keys/pkcs8.pem", testKey(t, "pkcs8.pub.hex"), nil},
		{"hex", write("hex", hex.EncodeToString(k.Seed())+"\n"), own, nil},
		{"hex of both halves", write("hex2", hex.EncodeToString(k)), own, nil},
		{"bytes", write("bytes", string(k.Seed())), own, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			auth, err := authn.CryptosignFile("joe", tt.path, tt.options...)
			if err != nil {
				t.Fatal(err)
			}
			router := func(h authn.Hello) (acceptor, error) {
				if h.Extra["pubkey"] != strings.TrimSpace(tt.public) {
					t.Errorf("public key %v", h.Extra["pubkey"])
				}
				s, err := accept.Cryptosign(h, nil, nil)
				return signServer{CryptosignLogin: s}, err
			}
			for range 2 {
				if err := login(t, auth, router); err != nil {
					t.Error(err)
				}
			}
		})
	}
	if asked != 2 {
		t.Errorf("the passphrase was asked for %d times in two joins", asked)
	}
	for name, path := range map[string]string{
		"missing": filepath.Join(dir, "none"), "a folder": dir, "empty": write("e1", ""), "text": write("e2", "hello"), "long": write("e3", strings.Repeat("0", 1<<17)),
		"halves that do not fit": write("e4", hex.EncodeToString(append(k.Seed(), public(seed(4))...))), "a public key": write("e5", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
		"OpenSSH of another kind": "testdata/keys/openssh_ecdsa", "PKCS #8 of another kind": "testdata/keys/pkcs8_ecdsa.pem",
		"PKCS #8, encrypted": "testdata/keys/pkcs8_encrypted.pem", "OpenSSH, encrypted, no passphrase": "testdata/keys/openssh_encrypted",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := authn.CryptosignFile("joe", path); !is[*authn.CredentialError](err) || name == "missing" && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v", err)
			}
		})
	}
	// A file that is replaced is a key that is rotated.
	path := write("rotated", hex.EncodeToString(k.Seed()))
	auth := must(authn.CryptosignFile("", path))
	write("rotated", hex.EncodeToString(seed(4).Seed()))
	if _, h := begin(t, auth, joe); h.Extra["pubkey"] != hex.EncodeToString(public(seed(4))) {
		t.Error("the old key is still used")
	}
	write("rotated", "broken")
	const text = "cryptosign: the key file has no form that is known: OpenSSH, PEM, hex or 32 bytes"
	if _, err := auth.Begin(t.Context(), joe); err == nil || err.Error() != text || !is[*authn.CredentialError](err) {
		t.Errorf("a file that was broken since: %v", err)
	}
}

func TestSigners(t *testing.T) {
	router := func(h authn.Hello) (acceptor, error) {
		s, err := accept.Cryptosign(h, nil, nil)
		return signServer{CryptosignLogin: s}, err
	}
	keyring := agent.NewKeyring()
	if err := keyring.Add(agent.AddedKey{PrivateKey: seed(2)}); err != nil {
		t.Fatal(err)
	}
	ours, its := net.Pipe()
	defer ours.Close()
	go func() { _ = agent.ServeAgent(keyring, its) }()
	for name, a := range map[string]agent.Agent{"in memory": keyring, "over its socket": agent.NewClient(ours)} {
		signers, err := a.Signers()
		if err != nil {
			t.Fatal(name, err)
		}
		key, err := authn.SSHSigner(signers[0])
		if err != nil {
			t.Fatal(name, err)
		}
		if err := login(t, authn.Cryptosign("joe", key), router); err != nil {
			t.Error(name, err)
		}
		mustNotShow(t, key, string(seed(2).Seed()))
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ssh256, err := ssh.NewSignerFromKey(other)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]ssh.Signer{"nil": nil, "ecdsa": ssh256} {
		if _, err := authn.SSHSigner(s); !is[*authn.CredentialError](err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, k := range map[string]crypto.Signer{"nil": nil, "ecdsa": other, "short": ed25519.PrivateKey("short")} {
		if _, err := authn.Cryptosign("joe", k).Begin(t.Context(), joe); !is[*authn.CredentialError](err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := authn.CryptosignFunc("joe", nil).Begin(t.Context(), joe); !is[*authn.CredentialError](err) {
		t.Errorf("no function: %v", err)
	}
	// a broken signer is found here, not at the router
	if err := login(t, authn.Cryptosign("joe", liar{seed(2)}), router); !is[*authn.CredentialError](err) {
		t.Errorf("a signer that signs something else: %v", err)
	}
}

type liar struct{ ed25519.PrivateKey }

func (l liar) Public() crypto.PublicKey { return public(seed(7)) }

// RFC 8032 section 7.1, test 1: seed and public key.
func TestCryptosignHexOfRFC8032(t *testing.T) {
	const seed, public = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
	for _, key := range []string{seed, seed + public, "\n" + strings.ToUpper(seed) + "\n"} {
		auth, err := authn.CryptosignHex("", key)
		if err != nil {
			t.Fatal(err)
		}
		if _, h := begin(t, auth, joe); h.Extra["pubkey"] != public {
			t.Errorf("public key %v", h.Extra["pubkey"])
		}
	}
	for _, key := range []string{"", "00", seed[1:], seed + seed, strings.Repeat("x", 64)} {
		if _, err := authn.CryptosignHex("", key); !is[*authn.CredentialError](err) || key != "" && strings.Contains(err.Error(), key) {
			t.Errorf("%d digits: %v", len(key), err)
		}
	}
}
