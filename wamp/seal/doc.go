// Package seal has payload codecs for end-to-end encryption: what publishers, callers
// and callees send is sealed with keys that routers do not have.
//
// Applications import it for the argument of wamp.WithPayloadCodec, a [Codec]:
//
//   - [Ring] seals with keys that both sides have, chosen by URI pattern, and binds what
//     it seals to one URI and kind of message. It is the safest, and the one to take
//     unless a peer needs another.
//   - [Profile1] is the form of the connectanum family, with the same keys, for peers
//     in other languages. It agrees with the router at each join ([Negotiator]).
//   - [Cryptobox] is the form of Autobahn, for peers that use it.
//   - [PassThru] makes one that encrypts nothing: payloads in another serializer, for
//     peers that have schemes of their own.
//
// docs/payload-encryption.md has their formats, what each protects against and what
// it does not.
//
// Others implement Codec themselves: it is given a payload and where that belongs
// ([About]), and makes an [Opaque] of it. What cannot be sealed or opened is a
// [PayloadError].
//
// # Promises
//
// Until 1.0 names may change with any version; CHANGELOG.md lists those that did.
//
// What has a key never leaves in the clear: an operation whose payload cannot be sealed
// fails. A payload that was changed does not open, nor one that came in the clear where
// there is a key, unless [AllowPlain] lets it, nor one of another scheme. With a Ring a
// payload that was moved to another URI or kind of message does not open either, and
// its format does not change without a new name for its [Scheme]. With a Profile1
// nothing but the pattern of the key says where a payload belongs.
//
// The package knows payloads and keys. It does not know sessions or messages.
package seal
