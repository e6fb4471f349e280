#!/usr/bin/env bash
# Every fuzz target there is, for a short time each.
#   FUZZTIME   time for each (default 5s)
. "$(dirname "$0")/lib.sh"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# in the folder of the package, which may be one of a nested module
fuzz() { (cd "$1" && go test -run '^$' -fuzz "^$2\$" -fuzztime "${FUZZTIME:-5s}" .) 2>&1 | tee "$log"; }
n=0
for package in $(grep -rlE --include='*_test.go' '^func Fuzz' . | xargs -r -n1 dirname | sort -u); do
  targets=$(cd "$package" && go test -list '^Fuzz' .)
  for target in $(grep '^Fuzz' <<<"$targets"); do
    echo "--- $package $target"
    # The go command sometimes takes its own deadline for a failure, with no input to show for it; then once more.
    fuzz "$package" "$target" ||
      { grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log" && fuzz "$package" "$target"; } ||
      fail "$package $target"
    n=$((n + 1))
  done
done
[ "$n" -gt 0 ] || fail "no fuzz target found"
echo "$n fuzz targets, nothing found"
