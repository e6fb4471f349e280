#!/usr/bin/env bash
# The README's own command for the tests, in each module. If the README names another one, this fails.
. "$(dirname "$0")/lib.sh"
cmd='go test ./...'
grep -qxF -- "$cmd" README.md || fail "README.md has no line that says: $cmd"
each $cmd
