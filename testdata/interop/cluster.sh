#!/usr/bin/env bash
# cluster.sh start|stop|kill|status [a|b|p]...     A Crossbar cluster for tests, on loopback only, found by PID files only.
#   a, b: two nodes whose realm1 is joined by links between their routers
#   p: a node with a proxy worker before two router workers, which are linked
#   CROSSBAR  the crossbar executable          (default: the one that setup.sh installs)
#   CLUSTER   folder of the nodes              (default wamp-interop/cluster in the user's cache folder)
#   PORTBASE  first of ten ports               (default 18180; others are taken where these are busy)
#   LINK      mesh, one or none: see tools/mkcluster.py
# Without names: all three. start begins them together, and returns when their links stand, but for those to a node that is
# down. What it starts when no node runs is written anew. stop, kill and rig.json are as those of rig.sh, which does it.
set -u
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/wamp-interop
export CROSSBAR=${CROSSBAR:-$cache/venv/bin/crossbar}
CLUSTER=${CLUSTER:-$cache/cluster}
py=$(dirname "$CROSSBAR")/python

fail() { echo "cluster.sh: $*" >&2; exit 1; }
rig() { NODE=$CLUSTER/$1 KIND=written bash "$here/rig.sh" "$2"; }
alive() { [ -f "$CLUSTER/$1/pid" ] && kill -0 "$(cat "$CLUSTER/$1/pid")" 2>/dev/null; }

# linked NODE: the links that its routers dial stand, and those that others dial have come. All is in its log.
linked() {
  local links log=$CLUSTER/$1/crossbar.log
  read -r -a links <<<"$("$py" -c 'import json, sys; print(*json.load(open(sys.argv[1]))["links"])' "$CLUSTER/$1/rig.json")"
  [ "$(grep -c 'rlink remote session ready' "$log")" -ge "${links[0]}" ] &&
    [ "$(grep -c 'new session attached.*authrole="rlink", authmethod="cryptosign"' "$log")" -ge "${links[1]}" ]
}

# await NODE: Crossbar dials a link again after pauses that grow by half each time, so it may need seconds more than its node.
await() {
  local end=$((SECONDS + 90))
  until linked "$1"; do
    alive "$1" || { tail -20 "$CLUSTER/$1/crossbar.log" >&2; fail "node $1 has ended"; }
    [ $SECONDS -lt $end ] || { tail -20 "$CLUSTER/$1/crossbar.log" >&2; fail "node $1 is not linked in 90 s"; }
    sleep 0.1
  done
}

start() {
  local n job jobs=()
  [ -x "$CROSSBAR" ] || fail "$CROSSBAR is not there; run setup.sh, or set CROSSBAR"
  mkdir -p "$CLUSTER" || exit 1
  alive a || alive b || alive p || "$py" "$here/tools/mkcluster.py" "$CLUSTER" "${PORTBASE:-18180}" || exit 1
  for n in "$@"; do rig "$n" start & jobs+=($!); done
  for job in "${jobs[@]}"; do wait "$job" || fail "a node has not started"; done
  for n in "$@"; do
    case $n in a) alive b || continue ;; b) alive a || continue ;; esac
    await "$n"
  done
}

each() { # each COMMAND NODE...
  local do=$1 n code=0
  shift
  for n in "$@"; do [ ! -f "$CLUSTER/$n/pid" ] || rig "$n" "$do" || code=1; done
  return $code
}

do=${1:-}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- a b p
for n in "$@"; do case $n in a | b | p) ;; *) fail "no node $n" ;; esac done
case $do in
  start) start "$@" ;;
  stop | kill) each "$do" "$@" ;;
  status) for n in "$@"; do echo "$n $(alive "$n" && rig "$n" status || echo down) $(alive "$n" && linked "$n" && echo linked)"; done ;;
  *) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
