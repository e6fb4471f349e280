# Sourced by the scripts beside it: go to the top of the project, stop at the first failure, say why.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
fail() { echo "$(basename "$0"): $*" >&2; exit 1; }
need() { local c; for c; do command -v "$c" >/dev/null || fail "$c is needed and not there"; done; }
need go
# The modules inside of this one, each with a go.mod of its own: ./... does not reach them.
mapfile -t nested < <(find . -mindepth 2 -name go.mod -not -path '*/testdata/*' | sort | xargs -r -n1 dirname)
[ ${#nested[@]} -gt 0 ] || fail "no nested module found"
each() { # command: in this module, and then in each of the nested ones
  local m
  "$@"
  for m in "${nested[@]}"; do
    echo "--- $m"
    (cd "$m" && "$@")
  done
}
printed() { # COMMAND: what docs/cookbook.md says that it prints, the block of text behind it
  awk -v cmd="    $1" '$0 == cmd { here = 1; next } here && /^```text$/ { on = 1; next } on && /^```$/ { exit } on' docs/cookbook.md
}
pinned_crossbar() { # CROSSBAR is the pinned one, which is installed once into the user's cache folder, unless it is set
  [ -z "${CROSSBAR:-}" ] || return 0
  export VENV=${VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/wamp-interop/venv}
  bash testdata/interop/setup.sh
  export CROSSBAR=$VENV/bin/crossbar
}
