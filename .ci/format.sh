#!/usr/bin/env bash
# Every Go file as gofmt would write it.
. "$(dirname "$0")/lib.sh"
need gofmt
n=$(find . -name '*.go' | wc -l)
[ "$n" -gt 0 ] || fail "no Go files found"
bad=$(gofmt -l .)
[ -z "$bad" ] || fail "not formatted (gofmt -w):"$'\n'"$bad"
echo "$n files, all formatted"
