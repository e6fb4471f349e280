#!/usr/bin/env bash
# go vet, the tests behind build tags included.
. "$(dirname "$0")/lib.sh"
each go vet ./...
each go vet -tags vectors,interop ./...
# the terminal tool has files for other systems
for os in windows darwin; do (cd wamp/cmd/wamp && GOOS=$os go vet ./...); done
echo "vet found nothing"
