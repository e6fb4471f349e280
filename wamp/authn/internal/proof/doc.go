// Package proof computes what the two sides of a WAMP login have in common:
// signatures, salted keys and channel bindings.
//
// Package authn uses it to log in, package accept to check a login. It knows
// neither the messages of WAMP nor the errors of those packages: its callers
// say what went wrong.
package proof
