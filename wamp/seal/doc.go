// Package seal has payload codecs for end-to-end encryption: what publishers,
// callers and callees send is sealed with keys that routers do not have.
//
// Ring seals with keys that both sides have, chosen by URI pattern;
// docs/payload-encryption.md has its format and what it does not protect
// against. Cryptobox is the form of Autobahn, for peers that use it.
//
// The package knows payloads and keys. It must not know sessions or messages:
// wamp.WithPayloadCodec asks it.
package seal
