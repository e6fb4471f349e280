#!/usr/bin/env bash
# What nobody here runs: it builds for Windows and JavaScript, and vet finds nothing in it there, on macOS, and on 32 bits.
. "$(dirname "$0")/lib.sh"
export CGO_ENABLED=0
for platform in windows/amd64 darwin/arm64 js/wasm linux/386; do
  echo "--- $platform"
  export GOOS=${platform%/*} GOARCH=${platform#*/}
  in=each
  [ "$GOOS" != js ] || in= # the nested modules are for programs that have sockets and processes
  case $GOOS in windows | js) $in go build -o /dev/null ./... ;; esac
  $in go vet ./...
done
