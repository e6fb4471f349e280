// Package proxytest has the tests of whole sessions over real sockets behind a
// proxy that breaks (package faults): single faults one by one, and the soak, which
// is a mixed load under faults by chance; .ci/soak.sh runs that for longer. It has
// tests only.
package proxytest
