#!/usr/bin/env bash
# Both simulations of a session against random faults: one drives the engine's step function, the other whole sessions
# in fake time. A life that fails prints its seed and its log, which replays (docs/mutations.md says how they can fail).
#   CUTS       of the link, in each (default 10000)
#   SEED       of the first life (default 1)
. "$(dirname "$0")/lib.sh"
go test ./wamp/session -run '^TestSimulation' -count=1 -v -timeout 0 -sim.cuts="${CUTS:-10000}" -sim.seed="${SEED:-1}"
go test ./wamp/internal/simtest -run '^TestSimulation$' -count=1 -v -timeout 0 -sim.cuts="${CUTS:-10000}" -sim.seed="${SEED:-1}"
