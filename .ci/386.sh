#!/usr/bin/env bash
# The packages that deal in lengths and ids, on a 32-bit machine. An amd64 Linux runs their tests as they are.
. "$(dirname "$0")/lib.sh"
[ "$(go env GOOS GOHOSTARCH | xargs)" = "linux amd64" ] || fail "a Linux machine of amd64 is needed"
GOARCH=386 CGO_ENABLED=0 go test -count=1 ./wamp/codec ./wamp/proto ./wamp/transport ./wamp/session
