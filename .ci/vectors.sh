#!/usr/bin/env bash
# The official test vectors of the WAMP specification.
#   WAMP_VECTORS   the folder that holds singlemessage/   (default ../shared/vectors)
. "$(dirname "$0")/lib.sh"
dir=${WAMP_VECTORS:-../shared/vectors}
[ -d "$dir/singlemessage" ] || fail "no vectors in $dir; set WAMP_VECTORS to the folder testsuite of github.com/wamp-proto/wamp-proto"
WAMP_VECTORS=$(cd "$dir" && pwd)
export WAMP_VECTORS
# only the packages that have such tests: the others ran already
mapfile -t packages < <(grep -rlE --include='*_test.go' '^//go:build .*\bvectors\b' wamp | xargs -r -n1 dirname | sort -u | sed 's|^|./|')
[ ${#packages[@]} -gt 0 ] || fail "no test has the build tag vectors"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
go test -count=1 -v -tags vectors -run Vector "${packages[@]}" | tee "$log" | grep -vE '^ *(=== |--- PASS: [^ ]*/|    --- PASS)'
for p in "${packages[@]}"; do
  grep -qE "^ok .*/${p#./}[[:space:]]" "$log" || fail "$p did not report ok"
done
if grep -qE 'no tests to run|--- SKIP' "$log"; then fail "a vector test did not run"; fi
