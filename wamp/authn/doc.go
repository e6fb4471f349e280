// Package authn logs sessions in at a WAMP router: an [Authenticator] answers
// the router's CHALLENGE and checks its WELCOME.
//
// Applications import it for the argument of wamp.WithAuth. The router's side
// of the same methods, and the records that a router keeps of its users, are in
// package [github.com/connectanum/connectanum-go/wamp/authn/accept].
//
// # Methods
//
// The methods are those of the WAMP specification, Advanced Profile, section
// "Authentication":
//
//   - [Anonymous] proves nothing. It is what a session does without an
//     Authenticator.
//   - [Ticket] sends a password or a token as it is.
//   - [CRA] signs a challenge with a secret or a salted password.
//   - [SCRAM] proves that both sides know the password, and sends it to neither.
//   - [Cryptosign], [CryptosignFunc], [CryptosignHex] and [CryptosignFile] sign
//     with an Ed25519 key.
//   - [TLS] and [Cookie] rely on the connection.
//   - [Custom] takes a function. Any other implementation of Authenticator
//     works too.
//
// [Any] offers several of them in one HELLO, [InTurn] one connection after the
// other.
//
// # Secrets
//
// A secret is a string or a [Provider], which is asked at each join. No value
// of this package prints a secret, by fmt, log/slog or encoding/json, and no
// error of this package contains one.
//
// # Hostile routers
//
// A router is not trusted. What it asks for is held against [Limits] before any
// work is done and before the secret is asked for. Only methods that were
// offered are answered. SCRAM, and Cryptosign with [RouterKey], let a session
// begin only after the router has proved itself. A secret in the clear is sent
// over private connections only, see [AllowPlaintext].
//
// # Errors
//
// An ABORT that refuses a login is a [Refusal]. The other errors are types of
// their own: [ConfigError] and [CredentialError] for faults on this side,
// [ChallengeError], [LimitError], [MethodError] and [RouterError] for faults of
// the router, and [BindingError], [PlaintextError] and [TransportError] for
// connections that do not fit. The last three match [ErrUnusable], unless a
// router is at fault.
//
// # Promises
//
// Until 1.0 names may change with any version; CHANGELOG.md lists those that did. The
// package knows neither the bytes of messages nor sessions.
package authn
