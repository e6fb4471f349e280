#!/usr/bin/env bash
# The examples build, and the README's own command for the first stream runs and ends well.
. "$(dirname "$0")/lib.sh"
need timeout
cmd='go run ./docs/examples/quickstart'
grep -qxF -- "$cmd" README.md || fail "README.md has no line that says: $cmd"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
go build -o "$out/" ./docs/examples/...
timeout 120 $cmd
