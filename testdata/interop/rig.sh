#!/usr/bin/env bash
# rig.sh start|stop|kill|restart|status     A Crossbar node for tests, on loopback only, found by its PID file only.
#   CROSSBAR  the crossbar executable          (default: the one that setup.sh installs)
#   NODE      folder of the node               (default wamp-interop/node in the user's cache folder)
#   PORTBASE  first of five ports              (default 18080; others are taken where these are busy)
#   KIND      proxy: the node of node/proxy.yaml.in, a proxy worker before two router workers; written: NODE has its config,
#             as those of cluster.sh have
# start writes NODE/rig.json: addresses, CA certificate, log. stop ends the router in order, kill with SIGKILL, all its
# processes at once. A node that is started again keeps its addresses.
set -u
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/wamp-interop
CROSSBAR=${CROSSBAR:-$cache/venv/bin/crossbar}
NODE=${NODE:-$cache/node}
LOG=$NODE/crossbar.log
py=$(dirname "$CROSSBAR")/python

fail() { echo "rig.sh: $*" >&2; exit 1; }

# ready: all listeners accept, and the node answers over HTTP
ready() {
  "$py" - "$NODE" 2>/dev/null <<'EOF'
import json, pathlib, socket, sys, urllib.request
node = pathlib.Path(sys.argv[1])
rig = json.loads((node / "rig.json").read_text())
for p in rig["ports"]:
    socket.create_connection(("127.0.0.1", p), 1).close()
for path in rig["sockets"]:
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    s.close()
urllib.request.build_opener(urllib.request.ProxyHandler({})).open(rig["info"], timeout=2).read()
EOF
}

pid() { cat "$NODE/pid" 2>/dev/null; }
# runs PID: it is there, and no zombie that nobody has collected
runs() { kill -0 "$1" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' /proc/"$1"/status 2>/dev/null; }
alive() { local p; p=$(pid) && runs "$p"; }
tree() { local p; echo "$1"; for p in $(cat /proc/"$1"/task/*/children 2>/dev/null); do tree "$p"; done; }

start() {
  [ -x "$CROSSBAR" ] || fail "$CROSSBAR is not there; run setup.sh, or set CROSSBAR"
  alive && fail "already running, pid $(pid)"
  mkdir -p "$NODE" || exit 1
  [ "${KIND:-}" = written ] || "$py" "$here/tools/mknode.py" "$NODE" "${PORTBASE:-18080}" "${KIND:-router}" || exit 1
  # what a killed node leaves behind: the next one looks for a process of that number, and stumbles over a zombie
  rm -f "$NODE/.crossbar/node.pid" "$NODE/.crossbar/"*.sock
  # setsid and no stdin: no terminal, no signals that were meant for the caller's group
  CROSSBAR_FAIL_ON_SINGLE_WORKER=1 setsid "$CROSSBAR" start --cbdir "$NODE/.crossbar" --color false \
    --loglevel "${LOGLEVEL:-info}" </dev/null >"$LOG" 2>&1 &
  echo $! >"$NODE/pid"
  local end=$((SECONDS + 120)) # three workers take long on a busy machine
  while [ $SECONDS -lt $end ]; do
    alive || { tail -20 "$LOG" >&2; fail "crossbar ended early"; }
    # the ports open before their WebSocket paths are attached, so the boot line is waited for first
    if grep -q NODE_BOOT_COMPLETE "$LOG" && ready; then
      echo "crossbar is up, pid $(pid)"
      return 0
    fi
    sleep 0.1
  done
  tail -20 "$LOG" >&2
  stop KILL
  fail "not ready in 120 s"
}

# stop SIGNAL: TERM goes to the controller, which takes its workers along; KILL goes to all of them
stop() {
  local p all left
  alive || { rm -f "$NODE/pid"; fail "not running"; }
  p=$(pid)
  all=$(tree "$p")
  # shellcheck disable=SC2086  # a list of PIDs
  if [ "$1" = KILL ]; then kill -KILL $all 2>/dev/null; else kill -TERM "$p"; fi
  for _ in $(seq 1 100); do
    left=
    for p in $all; do runs "$p" && left="$left $p"; done
    [ -z "$left" ] && break
    sleep 0.1
  done
  # shellcheck disable=SC2086
  [ -z "$left" ] || { echo "rig.sh: still there after 10 s:$left, killing them" >&2; kill -KILL $left 2>/dev/null; }
  rm -f "$NODE/pid"
  echo "crossbar has ended"
}

case "${1:-}" in
  start) start ;;
  stop) stop TERM ;;
  kill) stop KILL ;;
  restart) stop TERM && start ;;
  status) if alive && ready; then echo up; else echo down; exit 1; fi ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
