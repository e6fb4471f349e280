#!/usr/bin/env bash
# All tests under the race detector, in random order.
#   COUNT      repetitions (default 1)
. "$(dirname "$0")/lib.sh"
need "${CC:-gcc}"
CGO_ENABLED=1 go test -race -shuffle=on -count="${COUNT:-1}" ./...
