#!/usr/bin/env bash
# The linters of .golangci.yml over each module, pinned here. They are built once and kept in the user's cache folder.
. "$(dirname "$0")/lib.sh"
version=v2.15.0
bin=${XDG_CACHE_HOME:-$HOME/.cache}/connectanum-go/golangci-lint-$version-$(go env GOVERSION)
if [ ! -x "$bin/golangci-lint" ]; then
  mkdir -p "$bin"
  GOFLAGS=-mod=mod GOBIN=$bin go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$version"
fi
each "$bin/golangci-lint" run --config "$PWD/.golangci.yml" --build-tags vectors,interop ./...
