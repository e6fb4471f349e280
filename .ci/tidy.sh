#!/usr/bin/env bash
# go.mod and go.sum hold what is needed, and nothing else.
. "$(dirname "$0")/lib.sh"
go mod tidy -diff
go mod verify
