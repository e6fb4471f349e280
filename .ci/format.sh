#!/usr/bin/env bash
# Every Go file as gofmt would write it.
. "$(dirname "$0")/lib.sh"
need git gofmt
git ls-files '*.go' | grep -q . || fail "no Go files found"
bad=$(git ls-files -z '*.go' | xargs -0 gofmt -l)
[ -z "$bad" ] || fail "not formatted (gofmt -w):"$'\n'"$bad"
echo "$(git ls-files '*.go' | wc -l) files, all formatted"
