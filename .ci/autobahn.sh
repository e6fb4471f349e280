#!/usr/bin/env bash
# Autobahn|Testsuite against the WebSocket frames of wamp/transport, client side and server side, text and binary: all
# cases but those of compression, where the frames are a library's. Installs an engine of the suite, one wheel, once into
# the user's cache folder; all of it is on the loopback interface. About half a minute.
#   CASES      only these (default "1.* 2.* 3.* 4.* 5.* 6.* 7.* 9.* 10.*")
#   REPORT     where the suite's reports are left (default: nowhere)
. "$(dirname "$0")/lib.sh"
need python3 timeout
engine=kosoku==0.1.0
venv=${XDG_CACHE_HOME:-$HOME/.cache}/connectanum-go/autobahn-${engine//==/-}
if [ ! -e "$venv/installed" ]; then
  python3 -m venv "$venv" || fail "no virtual environment in $venv"
  "$venv/bin/pip" install -q --disable-pip-version-check --no-input --only-binary :all: "$engine" ||
    fail "$engine is not to be had: it wants Python 3.10 or newer, and PyPI"
  touch "$venv/installed"
fi
read -ra wanted <<<"${CASES:-1.* 2.* 3.* 4.* 5.* 6.* 7.* 9.* 10.*}"
suite() { # mode, folder of the report, address
  local cases=() c
  for c in "${wanted[@]}"; do cases+=(-i "$c"); done
  timeout 300 "$venv/bin/kosoku" -m "$1" "${cases[@]}" -p 4 -o "$2" "$3" >"$2.log" 2>&1
}
work=$(mktemp -d)
children=()
over() {
  local code=$? child
  trap - EXIT
  for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
  wait
  if [ $code -ne 0 ]; then tail -n 20 "$work"/*.log 2>/dev/null || true; fi
  if [ -n "${REPORT:-}" ]; then mkdir -p "$REPORT" && cp -r "$work"/. "$REPORT"/; fi
  rm -rf "$work"
  exit $code
}
trap over EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mapfile -t ports < <(python3 -c '
import socket
open = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
for s in open: print(s.getsockname()[1])')
await() { # port, process
  for _ in $(seq 100); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return; fi
    kill -0 "$2" 2>/dev/null || break
    sleep 0.1
  done
  fail "nothing listens at port $1"
}
go build -o "$work/autobahn" ./wamp/internal/autobahn

mkdir "$work/client" "$work/server-text" "$work/server-binary"
suite fuzzingserver "$work/client" "127.0.0.1:${ports[0]}" &
children+=($!)
await "${ports[0]}" $!
timeout 300 "$work/autobahn" client "127.0.0.1:${ports[0]}"
wait "${children[0]}" || true # it fails for the runs with the other type; the judge knows better

"$work/autobahn" server "127.0.0.1:${ports[1]}" 2>"$work/server.log" &
children+=($!)
await "${ports[1]}" $!
for type in text binary; do
  suite fuzzingclient "$work/server-$type" "ws://127.0.0.1:${ports[1]}/$type" || true
done
"$work/autobahn" judge "$work"/{client,server-text,server-binary}/index.json
