#!/usr/bin/env bash
# The library against Crossbar and autobahn-python: testdata/interop. Installs them once into the user's cache folder,
# starts a router of its own on free loopback ports, runs the tests, which start one with a proxy and a cluster of three nodes,
# and those of otelwamp and of the terminal tool behind the tag interop, stops it.
#   RESTARTS   how often the router is killed and started again under load (default 20)
#   RUN        only the tests that match      VENV, CROSSBAR, PORTBASE   see testdata/interop/*.sh
. "$(dirname "$0")/lib.sh"
need python3 setsid flock
rig=$PWD/testdata/interop
pinned_crossbar
NODE=$(mktemp -d "${TMPDIR:-/tmp}/wamp-interop.XXXXXX")
export NODE
over() {
  local code=$?
  trap - EXIT
  for node in "$NODE" "$NODE/proxy" "$NODE"/cluster/[abp]; do # the tests start all but the first and stop them, unless they are killed
    [ ! -f "$node/pid" ] || NODE=$node bash "$rig/rig.sh" stop || true
  done
  if [ $code -ne 0 ] && [ -f "$NODE/crossbar.log" ]; then
    echo "--- end of the router's log"
    tail -n 40 "$NODE/crossbar.log"
  fi
  rm -rf "$NODE"
  exit $code
}
trap over EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
bash "$rig/rig.sh" start
WAMP_INTEROP=$NODE go test -race -tags interop -count=1 -timeout 20m -v -run "${RUN:-.}" \
  ./wamp/internal/interop -restarts "${RESTARTS:-20}"
(cd wamp/otelwamp && WAMP_INTEROP=$NODE go test -race -tags interop -count=1 -timeout 5m -v -run "${RUN:-Crossbar}" .)
(cd wamp/cmd/wamp && WAMP_INTEROP=$NODE go test -race -tags interop -count=1 -timeout 5m -v -run "${RUN:-Crossbar}" .)
