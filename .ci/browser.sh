#!/usr/bin/env bash
# The library in JavaScript: its tests under Node beside servers of wamp/internal/browser, and docs/examples/browser in
# headless Chromium, which prints what docs/cookbook.md says, against the router of its server and against Crossbar.
# Chromium is installed from the distribution where there is none.
#   PORTBASE     of the Crossbar node          VENV, CROSSBAR   see testdata/interop/*.sh
#   SCREENSHOT   file for a picture of the page
. "$(dirname "$0")/lib.sh"
need node python3 setsid flock timeout diff
out=$(mktemp -d "${TMPDIR:-/tmp}/wamp-browser.XXXXXX")
rig=$PWD/testdata/interop
export NODE=$out/node
over() {
  local code=$?
  trap - EXIT
  [ ! -f "$NODE/pid" ] || bash "$rig/rig.sh" stop || true
  rm -rf "$out"
  exit $code
}
trap over EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if ! command -v chromium chromium-browser google-chrome >/dev/null; then
  need apt-get
  as=
  [ "$(id -u)" = 0 ] || as=sudo
  timeout -k 30 300 $as apt-get update -q >/dev/null && timeout -k 30 600 $as apt-get install -q -y --no-install-recommends chromium >/dev/null || fail "chromium is not there, and cannot be installed"
fi
go build -o "$out/" ./wamp/internal/browser
mkdir "$out/example"
go build -o "$out/example/" ./docs/examples/browser

# Left out are what needs real sockets (of package net only a fake is there), and what takes minutes: codec's and most of
# session's comparisons.
sockets='ExampleConnect|ExampleConnect_bounds|ExampleConnect_webSocket|ExampleWithAuth_(channelBinding|clientCertificate|cookie)|ExampleWithURLs|TestAddresses[A-Z].*|TestBatching|TestConnect(Agrees|Compressed|ContextIsLetGo|ErrorsNameTheAddress|NextAddress|OrderOfAddresses|Refuses|Request|SilentSockets|TLS|ThroughProxy|WebSocketAnswers|Schemes)|TestKeepaliveWithoutPing|TestLargePayloads(Again|AtTheLimit|Stay)|TestLogin(BindingRefused|Cookie|ManInTheMiddle|SeesTheConnection|TLSRefused|Ticket|s)|TestNoAddressTellsASecret|TestPayloadTooBig|TestPing'
long='ExampleBuffer|TestStreamsEndAtAnyMoment|TestOrderOfEvents'
node_test() { GOOS=js GOARCH=wasm timeout -k 30 600 go test -count=1 -short -timeout 8m -exec="$out/browser run" "$@"; }
node_test ./wamp/transport ./wamp/proto ./wamp/seal ./wamp/internal/flow ./wamp/internal/passthru ./wamp/internal/ring
node_test -skip "^($sockets|$long)\$" ./wamp

pinned_crossbar
echo "--- what docs/cookbook.md says of the page"
numbers() { sed -E 's/[0-9]+/N/g'; } # which differ from one to the next
printed 'go run ./docs/examples/browser -once' | numbers >"$out/want"
[ -s "$out/want" ] || fail "docs/cookbook.md does not say what browser prints"
timeout -k 30 300 "$out/browser" page -once -server "$out/example/browser" | numbers >"$out/got"
diff -u --label docs/cookbook.md --label browser "$out/want" "$out/got" || fail "browser does not print what docs/cookbook.md says"
echo "--- the page and the router of its server"
timeout -k 30 300 "$out/browser" page -server "$out/example/browser" ${SCREENSHOT:+-screenshot "$SCREENSHOT"}
bash "$rig/rig.sh" start
url=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["urls"]["ws"])' "$NODE/rig.json")
echo "--- the page and Crossbar, at $url"
timeout -k 30 300 "$out/browser" page -server "$out/example/browser" -router "$url"
echo "--- the page, of another origin than Crossbar"
timeout -k 30 300 "$out/browser" page -server "$out/example/browser" -router "$url" -direct
