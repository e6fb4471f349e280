// Package accept checks logins: it is the router's side of the methods of
// package [authn].
//
// Programs that let clients in import it, such as a router, a gateway or a
// router's authenticator, and programs that make records for the configuration
// of a router such as Crossbar. Package wamptest builds its logins on it.
// Programs that only log in need package authn alone.
//
// # Logins
//
// Each method makes a CHALLENGE and checks the AUTHENTICATE that answers it. The
// caller sends and receives these messages, and keeps the records:
//
//   - [Ticket] compares a ticket.
//   - [CRASecret] has methods for WAMP-CRA. [NewCRASecret] makes one from a
//     password, [NewCRAChallenge] the text of a challenge.
//   - [SCRAM] begins a login with a [SCRAMRecord], which [NewSCRAMRecord] makes
//     from a password.
//   - [Cryptosign] begins a login with an Ed25519 key.
//
// Methods without a challenge, such as TLS client certificates and cookies, need
// nothing of this package.
//
// # Promises
//
// A client is not trusted. What HELLO and AUTHENTICATE say is checked before it
// is used, and a wrong proof is [ErrProof], however it is wrong. Secrets and
// proofs are compared in constant time. fmt and log/slog never print the keys of
// a record; encoding/json writes them, since a record is made to be stored.
//
// The package knows neither sessions nor connections, and has no state beside
// the values that it returns.
package accept
