#!/usr/bin/env bash
# The README as a newcomer follows it: in an empty folder, with the library from a module proxy that has nothing
# but this checkout. Its commands are run, its programs are built, and the client prints what stands there, with the router
# that the service brings and with the node that Crossbar makes. Ports are free ones instead of 8080.
#   VENV, CROSSBAR   see testdata/interop/*.sh; the README installs the newest one instead
. "$(dirname "$0")/lib.sh"
need python3 git setsid timeout flock
readme=$PWD/README.md
module=$(go list -m)
out=$(mktemp -d "${TMPDIR:-/tmp}/wamp-readme.XXXXXX")
pid=
over() {
  local code=$?
  trap - EXIT
  [ -z "$pid" ] || kill -- "-$pid" 2>/dev/null || true
  [ ! -x "${CROSSBAR:-}" ] || [ ! -d "$out/hello/node" ] || "$CROSSBAR" stop --cbdir "$out/hello/node/.crossbar" >/dev/null 2>&1 || true
  rm -rf "$out"
  exit $code
}
trap over EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

pinned_crossbar

# A proxy of files: what git has of this module, without the modules inside of it.
python3 - "$out/proxy" "$module" <<'PY'
import json, os, subprocess, sys, zipfile
proxy, module = sys.argv[1:]
version = "v0.0.1-checkout"
folder = f"{proxy}/{module}/@v"
os.makedirs(folder)
files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], check=True, capture_output=True, text=True).stdout.split("\0")
nested = [os.path.dirname(name) for name in files if name.endswith("/go.mod")]
with zipfile.ZipFile(f"{folder}/{version}.zip", "w") as z:
    for name in files:
        if os.path.isfile(name) and not any(name.startswith(n + "/") for n in nested):
            z.write(name, f"{module}@{version}/{name}")
with open(f"{folder}/{version}.mod", "w") as f:
    f.write(open("go.mod").read())
with open(f"{folder}/{version}.info", "w") as f:
    json.dump({"Version": version, "Time": "2026-01-01T00:00:00Z"}, f)
with open(f"{folder}/list", "w") as f:
    f.write(version + "\n")
PY
# A module cache of its own, which takes from the one that is there.
GOPROXY=file://$out/proxy,file://$(go env GOMODCACHE)/cache/download,$(go env GOPROXY)
GONOSUMDB=$module,$(go env GONOSUMDB)
export GOPROXY GONOSUMDB GOMODCACHE=$out/cache GOWORK=off
GOFLAGS="$(go env GOFLAGS) -modcacherw"
export GOFLAGS

# What stands there before "The rules": blocks of the shell in their order, programs by their name, and what they print.
mkdir "$out/hello"
python3 - "$readme" "$out" <<'PY'
import os, re, sys
readme, out = sys.argv[1:]
section = open(readme).read().split("\n## The rules\n", 1)[0]
for name, code in re.findall(r"`((?:\w+/)?main\.go)`[^`]*\n\n```go\n(.*?)^```$", section, re.S | re.M):
    os.makedirs(f"{out}/programs/{os.path.dirname(name)}", exist_ok=True)
    open(f"{out}/programs/{name}", "w").write(code)
for name, block in zip(["begin", "hello", "own", "crossbar", "run"], re.findall(r"^```sh\n(.*?)^```$", section, re.S | re.M)):
    open(f"{out}/{name}.sh", "w").write(block)
for name, block in zip(["hello.want", "want"], re.findall(r"^```text\n(.*?)^```$", section, re.S | re.M)):
    open(f"{out}/{name}", "w").write(block)
PY
free() { python3 -c 'import socket; s = [socket.socket() for _ in range(2)]; [x.bind(("127.0.0.1", 0)) for x in s]; print(*[x.getsockname()[1] for x in s])'; }
read -r port port2 < <(free)
cd "$out/hello"
echo "--- $(tr '\n' ';' <../begin.sh)"
# shellcheck disable=SC1091
. ../begin.sh
cp ../programs/main.go .
echo "--- $(cat ../hello.sh)"
timeout -k 10 120 $(cat ../hello.sh) >../got
diff -u --label README.md --label main.go ../hello.want ../got || fail "main.go does not print what README.md says"
for dir in service client; do
  mkdir $dir
  sed "s/127\.0\.0\.1:8080/127.0.0.1:$port/" "../programs/$dir/main.go" >"$dir/main.go"
done
gofmt -l . | grep . && fail "programs of the README are not formatted"
go vet ./...

# up COMMAND: starts a service, and waits until it serves.
up() {
  setsid "$@" >../service.out 2>../service.err </dev/null &
  pid=$!
  for _ in $(seq 300); do
    ! grep -qx serving ../service.out || return 0
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.2
  done
  cat ../service.out ../service.err >&2
  fail "$* does not serve"
}
# both SERVICE CLIENT: the two commands of a block, in two terminals; Ctrl-C for the first one.
both() {
  local service=$1 client=$2 code
  echo "--- $service; $client"
  read -ra words <<<"$service"
  up "${words[@]}"
  timeout -k 10 120 $client >../got
  diff -u --label README.md --label "$client" ../want ../got || fail "the client does not print what README.md says"
  kill -INT $(cat "/proc/$pid/task"/*/children) # the program only: its code is that of go run then
  code=0
  wait "$pid" || code=$?
  [ $code = 0 ] || { cat ../service.err >&2; fail "the service ended with code $code"; }
  pid=
  [ "$(grep -c 'the caller has left' ../service.out)" = 2 ] || { cat ../service.out >&2; fail "the service was not told twice that its caller has left"; }
}
mapfile -t lines <../own.sh
both "${lines[@]}"

grep -qxF 'crossbar/bin/pip install crossbar' ../crossbar.sh && [ "$(wc -l <../crossbar.sh)" = 4 ] || fail "the lines that start a Crossbar are others than this check expects"
mapfile -t lines < <(sed -n 's,^crossbar/bin/crossbar ,,p' ../crossbar.sh)
echo "--- crossbar ${lines[0]}; crossbar ${lines[1]}"
"$CROSSBAR" ${lines[0]} >../crossbar.out 2>&1 || { cat ../crossbar.out >&2; fail "crossbar ${lines[0]}"; }
# loopback and free ports only
sed -i "s/\"port\": 8080/\"interface\": \"127.0.0.1\", \"port\": $port/; s/\"port\": 8081/\"interface\": \"127.0.0.1\", \"port\": $port2/" node/.crossbar/config.json
[ "$(grep -c '"interface": "127.0.0.1"' node/.crossbar/config.json)" = 2 ] || fail "the node of crossbar init has other ports than 8080 and 8081"
setsid "$CROSSBAR" ${lines[1]} >../crossbar.out 2>&1 </dev/null &
crossbar=$!
for _ in $(seq 600); do
  ! grep -q NODE_BOOT_COMPLETE ../crossbar.out || break
  kill -0 "$crossbar" 2>/dev/null || { cat ../crossbar.out >&2; fail "crossbar ${lines[1]}"; }
  sleep 0.2
done
grep -q NODE_BOOT_COMPLETE ../crossbar.out || { cat ../crossbar.out >&2; fail "crossbar ${lines[1]} is not up in two minutes"; }
mapfile -t lines <../run.sh
both "${lines[@]}"
"$CROSSBAR" stop --cbdir node/.crossbar >/dev/null 2>&1
echo "README.md: a newcomer gets there, with both routers"
