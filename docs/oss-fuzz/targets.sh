#!/usr/bin/env bash
# Builds every fuzz target for OSS-Fuzz, in its image base-builder-go. It changes the checkout that it stands in.
#   OUT       where the fuzzers go (OSS-Fuzz sets it)
#   ADAPTER   go: only compile the packages of the targets, with go build (.ci/ossfuzz.sh)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD

# Every fuzz target: its package and its function. TestOSSFuzzHasEveryTarget compares them with the source.
targets='
wamp/authn                 FuzzCRAChallenge
wamp/authn                 FuzzCryptosignChallenge
wamp/authn                 FuzzCryptosignHex
wamp/authn                 FuzzSCRAMChallenge
wamp/authn/accept          FuzzAccept
wamp/authn/internal/proof  FuzzSASLprep
wamp/codec                 FuzzDiffer
wamp/codec                 FuzzEncode
wamp/codec                 FuzzPacked
wamp/codec                 FuzzParseCBOR
wamp/codec                 FuzzParseJSON
wamp/codec                 FuzzParseMsgPack
wamp/codec                 FuzzValueCBOR
wamp/codec                 FuzzValueJSON
wamp/codec                 FuzzValueMsgPack
wamp/otelwamp              FuzzTraceContext
wamp/proto                 FuzzCheckURI
wamp/seal                  FuzzPassThruOpen
wamp/seal                  FuzzProfile1Open
wamp/transport             FuzzWebSocketFrames
wamp/transport             FuzzWebSocketWrite
wamp/wamptest              FuzzPayload
'

# go-118-fuzz-build makes a libFuzzer target of a native one. The commit is the one that install_go.sh of base-builder
# has as go-118-fuzz-build_v2.
ref=fc5dc53b9db8a38c394c53d6e439a1410cf8fc19

# The adapter puts a file in the place of one of package testing, which the go command refuses for a toolchain in the
# module cache, where the one that go.mod asks for may have been loaded to; and it has to be built with the version of Go
# that it works for.
adapter() {
  tmp=$(mktemp -d)
  trap 'rm -rf "$tmp"' EXIT
  case $(go env GOROOT) in
  "$(go env GOMODCACHE)"/*)
    cp -r "$(go env GOROOT)" "$tmp/go"
    chmod -R u+w "$tmp/go"
    export GOROOT=$tmp/go GOTOOLCHAIN=local PATH=$tmp/go/bin:$PATH
    ;;
  esac
  git clone -q --filter=blob:none https://github.com/AdamKorcz/go-118-fuzz-build "$tmp/adapter"
  git -C "$tmp/adapter" checkout -q "$ref"
  mkdir "$tmp/bin"
  (cd "$tmp/adapter" && GOFLAGS=-mod=mod go build -o "$tmp/bin/go-118-fuzz-build_v2" .)
  (cd "$tmp/adapter/cmd/addStdLibCorpusToFuzzer" && GOFLAGS=-mod=mod go build -o "$tmp/bin/" .)
  export PATH=$tmp/bin:$PATH
}

# What the adapter builds is imported by a main package, so it must not be in test files. Those in the package itself
# become part of it; those of the package x_test move to one of their own, in the folder ossfuzz.
# A coverage build is a test binary, and takes them as they are.
expose() {
  local f
  [[ ${SANITIZER:-} == *coverage* ]] && return
  for f in $(go list -f '{{join .TestGoFiles " "}}' .); do
    mv "$f" "${f%_test.go}_ossfuzz.go"
  done
  mkdir ossfuzz
  for f in $(go list -f '{{join .XTestGoFiles " "}}' .); do
    mv "$f" "ossfuzz/${f%_test.go}_ossfuzz.go"
  done
  # which changes nothing for go list but the import path of what has moved
}

build() { # the function
  local path name scratch
  path=$(go list -f '{{.ImportPath}}' "$(grep -lE "^func $1\(" ./*_test.go ./*_ossfuzz.go ./ossfuzz/*.go 2>/dev/null | head -1 | xargs dirname)")
  name=${PWD#"$root/wamp/"}
  name=${name//\//_}_$1
  if [ "${ADAPTER:-}" = go ]; then
    go build -tags gofuzz "$path"
    echo "$path compiles: $name"
    return
  fi
  compile_native_go_fuzzer_v2 "$path" "$1" "$name"
  if [ -d "testdata/fuzz/$1" ]; then
    # It moves what it has made from TMPDIR to OUT, which fails between two file systems. Seeds only help.
    scratch=$(mktemp -d -p "$OUT")
    TMPDIR=$scratch addStdLibCorpusToFuzzer -dir "testdata/fuzz/$1" -fuzzer_name "$name" || echo "$name has no seeds"
    rm -rf "$scratch"
  fi
}

[ "${ADAPTER:-}" = go ] || adapter
last=
while read -r package function; do
  [ -n "$package" ] || continue
  cd "$root/$package"
  if [ "$package" != "$last" ]; then
    expose
    [ "${ADAPTER:-}" = go ] || GOFLAGS=-mod=mod go get "github.com/AdamKorcz/go-118-fuzz-build/testing@$ref"
    last=$package
  fi
  build "$function"
done <<<"$targets"
