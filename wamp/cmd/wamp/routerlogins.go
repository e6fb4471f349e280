package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// loginEntry is one of a file of logins.
type loginEntry struct {
	Method     string          `json:"method"`
	AuthID     string          `json:"authid"`
	Role       string          `json:"role"`
	Realm      string          `json:"realm"` // "" for any
	Secret     string          `json:"secret"`
	SecretFile string          `json:"secret_file"`
	Keys       []string        `json:"keys"`
	Record     json.RawMessage `json:"record"`

	scram accept.SCRAMRecord
	cra   accept.CRASecret
	keys  []ed25519.PublicKey
}

// readLogins reads a file of logins. What is not understood is an error: a slip in it would
// let somebody in, or keep somebody out.
func readLogins(t *tool, file string) ([]wamptest.Login, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--login: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var entries []*loginEntry
	if err := d.Decode(&entries); err != nil {
		return nil, fmt.Errorf("--login: %s: %w", file, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("--login: %s: there is more behind the list", file)
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("--login: %s lets nobody in", file)
	}
	inFile := false
	seen := map[string]bool{}
	for i, e := range entries {
		inFile = inFile || e != nil && e.Secret != ""
		if err := e.prepare(filepath.Dir(file)); err != nil {
			return nil, fmt.Errorf("--login: %s: entry %d: %w", file, i+1, err)
		}
		key := strings.Join([]string{e.Method, e.Realm, e.AuthID}, "\x00")
		if seen[key] {
			return nil, fmt.Errorf("--login: %s: entry %d: %s of %q is there twice", file, i+1, e.Method, e.AuthID)
		}
		seen[key] = true
	}
	if info, err := os.Stat(file); inFile && err == nil && info.Mode()&0o077 != 0 && runtime.GOOS != "windows" {
		t.note("wamp: warning: %s has secrets in it, and others than its owner may read it: mode %v", file, info.Mode())
	}
	return loginsOf(entries), nil
}

// prepare checks an entry, and makes what logins are checked with. Secrets are found from
// folder.
func (e *loginEntry) prepare(folder string) error {
	if e == nil {
		return errors.New("it is null")
	}
	if e.Role == "" {
		e.Role = "user"
		if e.Method == "anonymous" {
			e.Role = "anonymous"
		}
	}
	if e.Method != "anonymous" && e.AuthID == "" {
		return fmt.Errorf("%q needs an authid", e.Method)
	}
	if err := e.fits(); err != nil {
		return err
	}
	if e.SecretFile != "" {
		if !filepath.IsAbs(e.SecretFile) {
			e.SecretFile = filepath.Join(folder, e.SecretFile)
		}
		text, err := os.ReadFile(e.SecretFile)
		if err != nil {
			return err
		}
		if e.Secret = strings.TrimRight(string(text), "\r\n"); e.Secret == "" {
			return fmt.Errorf("%s is empty", e.SecretFile)
		}
	}
	var err error
	switch e.Method {
	case "cra":
		if e.cra.Key = e.Secret; e.Record != nil {
			if err = strictly(e.Record, &e.cra); err == nil && e.cra.Key == "" {
				err = errors.New("the record has no Key")
			}
		}
	case "scram":
		if e.Record != nil {
			err = strictly(e.Record, &e.scram)
			if r := &e.scram; err == nil && (r.KDF == "" || len(r.Salt) == 0 || len(r.StoredKey) == 0 || len(r.ServerKey) == 0) {
				err = errors.New("the record lacks one of KDF, Salt, StoredKey, ServerKey")
			}
		} else { // the least that clients take: this is a router for development
			e.scram, err = accept.NewSCRAMRecord(e.Secret, accept.SCRAMParams{KDF: authn.PBKDF2, Iterations: 4096})
		}
	case "cryptosign":
		for _, text := range e.Keys {
			key, err := publicKey(text)
			if err != nil {
				return err
			}
			e.keys = append(e.keys, key)
		}
	}
	return err
}

// fits checks that an entry has what its method needs, and nothing else.
func (e *loginEntry) fits() error {
	var secret, keys, record bool // may be there
	switch e.Method {
	case "anonymous":
		if e.AuthID != "" {
			return errors.New("anonymous has no authid")
		}
	case "ticket":
		secret = true
	case "cra", "scram":
		secret, record = true, true
	case "cryptosign":
		keys = true
	default:
		return fmt.Errorf("the method %q is none of anonymous, ticket, cra, scram, cryptosign", e.Method)
	}
	given := 0
	for _, part := range []struct {
		name   string
		there  bool
		wanted bool
	}{
		{"secret", e.Secret != "", secret}, {"secret_file", e.SecretFile != "", secret},
		{"keys", len(e.Keys) > 0, keys}, {"record", e.Record != nil, record},
	} {
		if part.there && !part.wanted {
			return fmt.Errorf("%s has no %q", e.Method, part.name)
		}
		if part.there {
			given++
		}
	}
	if secret && given != 1 {
		return fmt.Errorf("%s needs a secret: one of secret, secret_file, record", e.Method)
	}
	if keys && given != 1 {
		return errors.New("cryptosign needs keys")
	}
	return nil
}

// strictly reads JSON that has no other fields than to.
func strictly(text []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(to)
}

// publicKey reads a public key: hex, or as it stands in authorized_keys.
func publicKey(text string) (ed25519.PublicKey, error) {
	if key, err := hex.DecodeString(strings.TrimSpace(text)); err == nil && len(key) == ed25519.PublicKeySize {
		return key, nil
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("the key %.20q is neither hex of 32 bytes nor a line of authorized_keys", text)
	}
	if outer, is := key.(ssh.CryptoPublicKey); is {
		if key, is := outer.CryptoPublicKey().(ed25519.PublicKey); is {
			return key, nil
		}
	}
	return nil, fmt.Errorf("the key %.20q is no Ed25519 key", text)
}

// loginsOf are the logins of entries, one for each method, in the order in which the
// methods come.
func loginsOf(entries []*loginEntry) (logins []wamptest.Login) {
	byMethod := map[string][]*loginEntry{}
	var order []string
	for _, e := range entries {
		if byMethod[e.Method] == nil {
			order = append(order, e.Method)
		}
		byMethod[e.Method] = append(byMethod[e.Method], e)
	}
	for _, method := range order {
		all := byMethod[method]
		find := func(authid, realm string) (found *loginEntry) {
			for _, e := range all {
				if e.AuthID == authid && (e.Realm == realm || e.Realm == "" && found == nil) {
					found = e
				}
			}
			return found
		}
		switch method {
		case "anonymous":
			logins = append(logins, anonymousLogin(find))
		case "ticket":
			logins = append(logins, wamptest.Ticket(func(authid, realm string) (ticket, role string, ok bool) {
				if e := find(authid, realm); e != nil {
					return e.Secret, e.Role, true
				}
				return "", "", false
			}))
		case "cra":
			logins = append(logins, wamptest.CRA(func(authid, realm string) (secret accept.CRASecret, role string, ok bool) {
				if e := find(authid, realm); e != nil {
					return e.cra, e.Role, true
				}
				return secret, "", false
			}))
		case "scram":
			logins = append(logins, wamptest.SCRAM(func(authid, realm string) (record accept.SCRAMRecord, role string, ok bool) {
				if e := find(authid, realm); e != nil {
					return e.scram, e.Role, true
				}
				return record, "", false
			}))
		case "cryptosign":
			logins = append(logins, cryptosignLogin(all))
		}
	}
	return logins
}

// anonymousLogin lets everybody in, with a role of the user's.
func anonymousLogin(find func(authid, realm string) *loginEntry) wamptest.Login {
	usual := wamptest.Anonymous()
	return wamptest.LoginFunc(usual.Method(), func(req wamptest.LoginRequest) wamptest.LoginStep {
		e := find("", req.Realm)
		if e == nil {
			return wamptest.LoginStep{Pass: true}
		}
		step := usual.Begin(req)
		step.Grant.AuthRole = e.Role
		return step
	})
}

// cryptosignLogin lets those in who have a key. An authid that is given must be that of the
// key.
func cryptosignLogin(all []*loginEntry) wamptest.Login {
	return wamptest.Cryptosign(nil, func(authid string, key ed25519.PublicKey, realm string) (as, role string, ok bool) {
		for _, e := range all {
			if e.Realm != "" && e.Realm != realm || authid != "" && authid != e.AuthID {
				continue
			}
			for _, k := range e.keys {
				if k.Equal(key) {
					return e.AuthID, e.Role, true
				}
			}
		}
		return "", "", false
	})
}
