#!/usr/bin/env bash
# What has changed in the exported names since a commit: for a release, and not part of .ci/run.
#   .ci/api.sh [BASE]     default: the last tag
. "$(dirname "$0")/lib.sh"
need git
version=v0.0.0-20250620022241-b7579e27df2b
base=${1:-$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null || true)}
[ -n "$base" ] || fail "there is no tag yet: name a commit"
dir=$(mktemp -d)
over() {
  git worktree remove --force "$dir/base" 2>/dev/null || true
  rm -rf "$dir"
}
trap over EXIT
git worktree add -q --detach "$dir/base" "$base"
GOFLAGS=-mod=mod GOBIN=$dir go install "golang.org/x/exp/cmd/apidiff@$version"
module=$(go list -m)
quiet() { "$@" 2> >(grep -v '^Ignoring internal package' >&2); }
(cd "$dir/base" && quiet "$dir/apidiff" -m -w "$dir/before" "$module")
quiet "$dir/apidiff" -m -w "$dir/after" "$module"
quiet "$dir/apidiff" -m "$dir/before" "$dir/after" | { grep -v '^- package .*/docs/examples/' || true; } | tee "$dir/report"
[ -s "$dir/report" ] || echo "no exported name has changed since $base"
