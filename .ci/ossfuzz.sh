#!/usr/bin/env bash
# The packages of all fuzz targets compile when they are put in order for OSS-Fuzz, as docs/oss-fuzz/targets.sh does. That
# script changes the files of its checkout, so it runs in a copy. Sanitizer and engine are OSS-Fuzz's, and not tried here.
. "$(dirname "$0")/lib.sh"
need tar
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
tar --exclude=./.git --exclude=./shared -cf - . | tar -xf - -C "$copy"
ADAPTER=go "$copy/docs/oss-fuzz/targets.sh" | tee "$copy/log"
n=$(grep -c ' compiles: ' "$copy/log")
[ "$n" -ge 20 ] || fail "only $n fuzz targets"
echo "$n fuzz targets compile for OSS-Fuzz"
