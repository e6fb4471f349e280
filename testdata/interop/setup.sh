#!/usr/bin/env bash
# setup.sh     Installs the pinned Crossbar and autobahn-python for the interop tests, once.
#   VENV      where to                         (default wamp-interop/venv in the user's cache folder)
#   PYTHON    the python to make it with       (default python3)
# Nine small packages come as source only; two of them want a C compiler.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
VENV=${VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/wamp-interop/venv}
mkdir -p "$VENV"
exec 9>"$VENV/.lock"
flock 9 # two runs on one machine share the folder
want=$(sha256sum <"$here/requirements.txt")
if [ "$(cat "$VENV/.installed" 2>/dev/null)" = "$want" ] && [ -x "$VENV/bin/crossbar" ]; then
  exit 0
fi
"${PYTHON:-python3}" -m venv "$VENV"
"$VENV/bin/pip" install -q --disable-pip-version-check --no-input -r "$here/requirements.txt"
[ -x "$VENV/bin/crossbar" ]
echo "$want" >"$VENV/.installed"
