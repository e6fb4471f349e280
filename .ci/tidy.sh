#!/usr/bin/env bash
# go.mod and go.sum hold what is needed, and nothing else, of each module.
. "$(dirname "$0")/lib.sh"
each go mod tidy -diff
each go mod verify
