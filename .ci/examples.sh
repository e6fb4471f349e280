#!/usr/bin/env bash
# The examples build, and the README's own command for the first stream runs and ends well. Those of docs/cookbook.md
# print what stands there; browser.sh does that for the one that needs a browser. All of them know -h, say what is wrong
# by their exit code, and leave nothing behind when they are interrupted.
. "$(dirname "$0")/lib.sh"
need timeout diff awk
cmd='go run ./docs/examples/quickstart'
grep -qxF -- "$cmd" README.md || fail "README.md has no line that says: $cmd"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
mkdir "$out/programs" "$out/left"
go build -o "$out/programs/" ./docs/examples/...
(cd wamp/otelwamp && go build -o "$out/programs/" ./examples/...)
timeout 120 $cmd

page=docs/cookbook.md
mapfile -t recipes < <(sed -n 's,^    \(.*go run .*\),\1,p' "$page")
[ ${#recipes[@]} -gt 9 ] || fail "$page has ${#recipes[@]} recipes"
for cmd in "${recipes[@]}"; do
  name=${cmd##*/}
  [ "$name" != "browser -once" ] || continue
  [ -x "$out/programs/$name" ] || fail "$page says: $cmd"
  printed "$cmd" >"$out/want"
  timeout 60 "$out/programs/$name" >"$out/got" || fail "$name ended with code $?"
  diff -u --label "$page" --label "$name" "$out/want" "$out/got" || fail "$name does not print what $page says"
  echo "$name prints what $page says"
done

code() { # CODE COMMAND...: the command ends with it
  local want=$1 got=0
  shift
  timeout 30 "$@" >"$out/said" 2>&1 || got=$?
  [ $got = "$want" ] || { cat "$out/said"; fail "$(basename "$1") ${*:2} ended with code $got, not $want"; }
}
for program in "$out"/programs/*; do
  name=$(basename "$program")
  code 0 "$program" -h
  grep -q "^usage: .*go run ./.*examples/$name" "$out/said" || fail "$name -h does not say how it is used"
  flags=$(cat "$out/said")
  code 2 "$program" -no-such-flag
  code 2 "$program" no such arguments
  if grep -q '^  -url ' <<<"$flags"; then
    code 1 "$program" -url ws://127.0.0.1:1/
    grep -q "^$name: " "$out/said" || fail "$name does not say why it has failed"
  fi
  for signal in INT TERM; do
    for moment in 0.02 0.1 0.5; do # the first may come before there is anybody to hear it
      got=0
      TMPDIR=$out/left timeout --foreground --preserve-status -k 60 -s $signal $moment "$program" >"$out/said" 2>&1 || got=$?
      case $got in
        0 | 1 | 130 | 143) ;;
        *) cat "$out/said"; fail "$name ended with code $got, when it got SIG$signal after $moment s" ;;
      esac
      left=$(ls -A "$out/left")
      [ -z "$left" ] || fail "$name has left $left, when it got SIG$signal after $moment s"
    done
  done
  echo "$name has a usage, tells failures, and goes when it is told to"
done
