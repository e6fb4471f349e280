#!/usr/bin/env bash
# Every fuzz target there is, for a short time each.
#   FUZZTIME   time for each (default 5s)
. "$(dirname "$0")/lib.sh"
n=0
for package in $(git grep -lE '^func Fuzz' -- '*_test.go' | xargs -r -n1 dirname | sort -u); do
  targets=$(go test -list '^Fuzz' "./$package")
  for target in $(grep '^Fuzz' <<<"$targets"); do
    echo "--- $package $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-5s}" "./$package"
    n=$((n + 1))
  done
done
[ "$n" -gt 0 ] || fail "no fuzz target found"
echo "$n fuzz targets, nothing found"
