package main

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"
)

// keyLine is a new key as it is printed: never the private half.
type keyLine struct {
	PublicKey string `json:"public_key"`
	SSH       string `json:"ssh,omitempty"`
	File      string `json:"file"`
}

func (l keyLine) raw() []any { return []any{l.PublicKey} }

func (t *tool) keygenCommand() *cobra.Command {
	var inSSH, force bool
	out := "wamp.key"
	c := &cobra.Command{
		Use:   "keygen",
		Short: "Make a key for cryptosign",
		Long: `keygen makes an Ed25519 key for the login by cryptosign. The private key goes to a file that only
you may read, for --key; the public one, which the router has to know, is printed in hex.

With --ssh the file is in the format of OpenSSH, and may have a passphrase, which is asked for on
the terminal; without a terminal it has none.`,
		Example: `  wamp keygen --out alice.key
  wamp keygen --ssh --out ~/.ssh/wamp -o raw
  wamp call --key alice.key --authid alice com.example.add 2 3`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if out == "" {
				return usage("--out is empty")
			}
			if !force { // before anything is asked
				if _, err := os.Lstat(out); err == nil {
					return existing(out)
				}
			}
			public, private, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				return err
			}
			l := keyLine{PublicKey: hex.EncodeToString(public), File: out}
			text := []byte(hex.EncodeToString(private.Seed()) + "\n")
			if inSSH {
				if text, l.SSH, err = t.sshKey(c, public, private); err != nil {
					return err
				}
			}
			if err := writeSecret(out, text, force); err != nil {
				return err
			}
			return t.show.print(l)
		},
	}
	fs := c.Flags()
	fs.BoolVar(&inSSH, "ssh", false, "in the format of OpenSSH")
	fs.StringVar(&out, "out", out, "`file` of the private key")
	fs.BoolVar(&force, "force", false, "replace the file if it is there")
	return c
}

// sshKey is the private key in the format of OpenSSH, and the public one as a line of
// authorized_keys.
func (t *tool) sshKey(c *cobra.Command, public ed25519.PublicKey, private ed25519.PrivateKey) (text []byte, line string, err error) {
	const comment = "wamp"
	phrase, err := t.newPassphrase(c)
	if err != nil {
		return nil, "", err
	}
	var block *pem.Block
	if phrase == "" {
		block, err = ssh.MarshalPrivateKey(crypto.PrivateKey(private), comment)
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(crypto.PrivateKey(private), comment, []byte(phrase))
	}
	if err != nil {
		return nil, "", err
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return nil, "", err
	}
	return pem.EncodeToMemory(block), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + " " + comment, nil
}

// newPassphrase asks for one twice, where there is a terminal.
func (t *tool) newPassphrase(c *cobra.Command) (string, error) {
	if !t.asks() {
		return "", nil
	}
	phrase, err := t.prompt(c.Context(), "Passphrase, empty for none: ")
	if err != nil || phrase == "" {
		return "", err
	}
	again, err := t.prompt(c.Context(), "The same again: ")
	if err == nil && again != phrase {
		err = errors.New("the passphrases differ")
	}
	return phrase, err
}

// existing is the error of a file that is there already.
func existing(file string) error {
	return fmt.Errorf("%s: %w; --force replaces it", file, fs.ErrExist)
}

// writeSecret writes a file that only its owner may read, whole or not at all. It replaces
// one that is there only with force.
func writeSecret(file string, text []byte, force bool) (err error) {
	f, err := os.CreateTemp(filepath.Dir(file), ".wamp-*") // of mode 0600
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return &fs.PathError{Op: "create", Path: file, Err: path.Err} // the name of its own tells nobody anything
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if force {
		return os.Rename(f.Name(), file)
	}
	// a link, in the place of a rename, does not replace what has come meanwhile
	switch err := os.Link(f.Name(), file); {
	case err == nil:
		return os.Remove(f.Name())
	case errors.Is(err, fs.ErrExist):
		return existing(file)
	}
	if _, err := os.Lstat(file); err == nil { // a file system without links
		return existing(file)
	}
	return os.Rename(f.Name(), file)
}
