#!/usr/bin/env bash
# The examples build, and the README's own command for the first stream runs and ends well. Those of docs/cookbook.md
# print what stands there.
. "$(dirname "$0")/lib.sh"
need timeout diff awk
cmd='go run ./docs/examples/quickstart'
grep -qxF -- "$cmd" README.md || fail "README.md has no line that says: $cmd"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
go build -o "$out/" ./docs/examples/...
timeout 120 $cmd
page=docs/cookbook.md
mapfile -t recipes < <(sed -n 's,^    go run ./docs/examples/\([a-z]*\)$,\1,p' "$page")
[ ${#recipes[@]} -gt 5 ] || fail "$page has ${#recipes[@]} recipes"
for name in "${recipes[@]}"; do
  # the block of text behind the command
  awk -v cmd="    go run ./docs/examples/$name" '$0 == cmd { here = 1; next } here && /^```text$/ { on = 1; next } on && /^```$/ { exit } on' \
    "$page" >"$out/$name.want"
  timeout 60 "$out/$name" >"$out/$name.got" || fail "$name ended with code $?"
  diff -u --label "$page" --label "$name" "$out/$name.want" "$out/$name.got" || fail "$name does not print what $page says"
  echo "$name prints what $page says"
done
