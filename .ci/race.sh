#!/usr/bin/env bash
# All tests under the race detector, in random order.
#   COUNT      repetitions (default 1)
#   PKGS       packages of the main module (default all, of each module)
. "$(dirname "$0")/lib.sh"
need "${CC:-gcc}"
export CGO_ENABLED=1
race() { go test -race -shuffle=on -timeout "$((10 + 2 * ${COUNT:-1}))m" -count="${COUNT:-1}" "$@"; }
# shellcheck disable=SC2086 # several packages
if [ -n "${PKGS:-}" ]; then race $PKGS; else each race ./...; fi
