#!/usr/bin/env bash
# All tests under the race detector, in random order.
#   COUNT      repetitions (default 1)
#   PKGS       packages (default all)
. "$(dirname "$0")/lib.sh"
need "${CC:-gcc}"
# shellcheck disable=SC2086 # several packages
CGO_ENABLED=1 go test -race -shuffle=on -timeout "$((10 + 2 * ${COUNT:-1}))m" -count="${COUNT:-1}" ${PKGS:-./...}
