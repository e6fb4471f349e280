#!/usr/bin/env bash
# Which statements of the library the tests reach, counted over all packages: a table on stdout, coverage.out and
# coverage.html. A report, not a check, and not part of .ci/run.
. "$(dirname "$0")/lib.sh"
packages=$(go list ./wamp/... | grep -v /internal/ | paste -sd,)
go test -covermode=atomic -coverpkg="$packages" -coverprofile=coverage.out ./... >&2
go tool cover -html=coverage.out -o coverage.html
for m in "${nested[@]}"; do # in the table only: the page needs one module
  (cd "$m" && go test -covermode=atomic -coverpkg=./... -coverprofile=coverage.out ./... >&2)
  tail -n +2 "$m/coverage.out" >>coverage.out
  rm "$m/coverage.out"
done
echo '| package | statements | covered |'
echo '|---|---|---|'
awk 'NR > 1 {
  split($1, at, ":"); sub(/\/[^\/]*$/, "", at[1])
  if (!($1 in n)) { n[$1] = $2; of[$1] = at[1]; all[at[1]] += $2; total += $2 }
  if ($3 > 0 && !($1 in hit)) { hit[$1] = 1; got[at[1]] += $2; reached += $2 }
}
END {
  for (p in all) printf "| %s | %d | %.1f %% |\n", p, all[p], 100 * got[p] / all[p] | "sort"
  close("sort")
  printf "| all | %d | %.1f %% |\n", total, 100 * reached / total
}' coverage.out
