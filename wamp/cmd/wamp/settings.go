package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// settings say how to reach a router. A context is a file of them.
type settings struct {
	URL        string `json:"url,omitempty"`
	Realm      string `json:"realm,omitempty"`
	Auth       string `json:"auth,omitempty"`
	AuthID     string `json:"authid,omitempty"`
	SecretFile string `json:"secret_file,omitempty"`
	Key        string `json:"key,omitempty"`
	Serializer string `json:"serializer,omitempty"`
	CA         string `json:"ca,omitempty"`
	Cert       string `json:"cert,omitempty"`
	CertKey    string `json:"cert_key,omitempty"`
	Insecure   bool   `json:"insecure,omitempty"`
}

// setting is one of settings: where it is, and what else it is called.
type setting struct {
	flag    string // its variable is WAMP_ and this in capitals
	at      func(*settings) *string
	initial string
	usage   string
}

var allSettings = []setting{
	{"url", func(s *settings) *string { return &s.URL }, "ws://127.0.0.1:8080/ws", "`address` of the router"},
	{"realm", func(s *settings) *string { return &s.Realm }, "realm1", "`realm` to join"},
	{"auth", func(s *settings) *string { return &s.Auth }, "", "how to log in: `method` " + strings.Join(authMethods, ", ")},
	{"authid", func(s *settings) *string { return &s.AuthID }, "", "as whom to log in: `name`"},
	{"secret-file", func(s *settings) *string { return &s.SecretFile }, "", "`file` of the ticket or password, or of the passphrase of --key; without it $WAMP_SECRET, or a prompt"},
	{"key", func(s *settings) *string { return &s.Key }, "", "private key of cryptosign: `file`, of hex, OpenSSH or PEM, or ssh-agent"},
	{"serializer", func(s *settings) *string { return &s.Serializer }, "", "serializers to offer, `names` with commas between: cbor, msgpack, json"},
	{"ca", func(s *settings) *string { return &s.CA }, "", "`file` of certificates to trust in the place of the system's"},
	{"cert", func(s *settings) *string { return &s.Cert }, "", "`file` of a client certificate"},
	{"cert-key", func(s *settings) *string { return &s.CertKey }, "", "`file` of its key, default the one of --cert"},
}

// variable is the name of the environment variable of a flag.
func variable(flag string) string {
	return "WAMP_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// addTo adds the flags of settings.
func (s *settings) addTo(f *pflag.FlagSet) {
	for _, o := range allSettings {
		text := o.usage + " ($" + variable(o.flag)
		if o.initial != "" {
			text += ", or " + o.initial
		}
		f.StringVar(o.at(s), o.flag, "", text+")")
	}
	f.BoolVar(&s.Insecure, "insecure", false, "take any certificate of the router: for tests only ($"+variable("insecure")+"=1)")
}

// settled is what holds for a command: what the command line says, then the environment,
// then the context, then the default.
func (t *tool) settled(f *pflag.FlagSet) (settings, error) {
	s, err := t.chosenContext()
	if err != nil {
		return s, err
	}
	for _, o := range allSettings {
		at := o.at(&s)
		if v := os.Getenv(variable(o.flag)); v != "" {
			*at = v
		}
		if f.Changed(o.flag) {
			*at = *o.at(&t.flags)
		}
		if *at == "" {
			*at = o.initial
		}
	}
	switch v := os.Getenv(variable("insecure")); v {
	case "":
	case "0", "false":
		s.Insecure = false
	case "1", "true":
		s.Insecure = true
	default:
		return s, usage("$%s is %q, and neither 1 nor 0", variable("insecure"), v)
	}
	if f.Changed("insecure") {
		s.Insecure = t.flags.Insecure
	}
	return s, nil
}

// chosenContext reads the context that was asked for, none if there is no such wish.
func (t *tool) chosenContext() (s settings, err error) {
	name := t.name
	if name == "" {
		name = os.Getenv("WAMP_CONTEXT")
	}
	if name == "" {
		if name, err = selectedContext(); name == "" || err != nil {
			return s, err
		}
	}
	return readContext(name)
}

// decode reads the file of a context. A field that is not known is a slip.
func (s *settings) decode(name string, text []byte) error {
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return fmt.Errorf("context %s: %w", name, err)
	}
	return nil
}
