# Sourced by the scripts beside it: go to the top of the project, stop at the first failure, say why.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
fail() { echo "$(basename "$0"): $*" >&2; exit 1; }
need() { local c; for c; do command -v "$c" >/dev/null || fail "$c is needed and not there"; done; }
need go
