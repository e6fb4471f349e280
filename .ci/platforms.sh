#!/usr/bin/env bash
# What nobody here runs builds, and vet finds nothing in it: Windows, macOS, JavaScript, 32 bits.
. "$(dirname "$0")/lib.sh"
for platform in windows/amd64 darwin/arm64 js/wasm linux/386; do
  echo "--- $platform"
  export GOOS=${platform%/*} GOARCH=${platform#*/} CGO_ENABLED=0
  in=each
  [ "$GOOS" != js ] || in= # the nested modules are for programs that have sockets and processes
  $in go build -o /dev/null ./...
  $in go vet ./...
done
