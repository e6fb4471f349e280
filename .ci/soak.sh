#!/usr/bin/env bash
# A mixed load over real sockets that are cut, stalled, slowed down and swallowed at random: nothing may be lost or wrong,
# and memory, goroutines and descriptors must stay. Prints a table.
#   SOAK       how long (default 30s)
#   SEED       of the faults (default: a fresh one, which is printed)
. "$(dirname "$0")/lib.sh"
go test ./wamp/internal/proxytest -run '^TestSoak$' -count=1 -v -timeout 0 -soak="${SOAK:-30s}" -soakseed="${SEED:-0}"
