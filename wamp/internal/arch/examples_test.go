package arch_test

import (
	"go/ast"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// shown is a package whose page users read.
type shown struct {
	dir string
	// own: each function has an example of its own, at which the page shows it. What is
	// only used or named by an example is hard to find there.
	own bool
	// rest are functions and methods that need no example: only the engine and routers
	// call them, or they are one of many of a kind, such as the odd habits of routers.
	rest []string
	// at are names at which there is an example: of a package that has too much for one
	// of each function, what users look for by its name.
	at []string
	// only, where it is set, are the ones that do need one: of a package that is the
	// engine's, what users touch.
	only []string
	// least is how many functions and methods there are to look at, at least.
	least int
}

var showing = []shown{
	{dir: "wamp", own: true, least: 130},
	{dir: "wamp/meta", least: 30},
	{dir: "wamp/seal", least: 10},
	{dir: "wamp/authn", least: 25, rest: []string{"BindingData", "ChannelID", "NewRefusal", "TryNext"}},
	{dir: "wamp/authn/accept", least: 12, rest: []string{"CRAKey", "CryptosignSignature", "CryptosignVerify", "EndPoint", "RawKeys", "SCRAMMethod"}},
	{dir: "wamp/codec", least: 20, rest: []string{"AppendEnd", "AppendHead", "AppendPacked", "AppendRequest", "AppendRequestHead", "AppendRest", "AppendRestTo",
		"AppendWith", "Bulk", "CheckRaw", "Details", "Entries", "Items", "NewPanicError", "OnlyNull", "Quick", "Received", "Sealed", "Unpacked"}},
	{dir: "wamp/transport", least: 20, rest: []string{"Adopt", "Begin", "Bytes", "Discard", "Failed", "Fresh", "Message", "Next", "Prefer", "Reset",
		"Size", "TryWriterOf", "Turn", "Worked", "Written"}},
	{dir: "wamp/session", least: 5, only: []string{"Call", "Codec", "Context", "Encode", "Go", "Has"}},
	{dir: "wamp/wamptest", least: 60, rest: []string{"Await", "Binding", "Burst", "ChannelID", "Codec", "CutLink", "Do", "ExpectEnd",
		"Features", "Hello", "Hold", "Last", "LenientIDs", "LoseWorker", "Receive", "Replace",
		"Silence", "Sleep", "StallAll", "Stop", "Then", "UnstallAll", "WithBinaryAsText", "WithCallTrust",
		"WithCompression", "WithFloatIDs", "WithForwardedOptions", "WithHistoryIgnoring", "WithInclusiveHistory", "WithKillReason", "WithLateChunks", "WithLimits",
		"WithLooseJSON", "WithLostAborts", "WithMaxReceive", "WithOddWelcome", "WithPingHangUp", "WithPublicationTrust", "WithReceive", "WithSend",
		"WithUpperCaseHistory", "WithWelcome", "WithoutDisclosure", "WithoutGoodbye", "WithoutRearm"},
		at: []string{"Announce", "Anonymous", "CRA", "Cookie", "CrossbarQuirks", "Cryptosign", "Exchange_SetPayload",
			"LocalTLS", "LoginFunc", "NewScript", "Router_Cut", "Router_CutAll", "Router_Delay", "Router_GoodbyeAll",
			"Router_Inject", "Router_Kill", "Router_ListenWebSocket", "Router_LoseCallee", "Router_Refuse", "Router_RefuseDials", "Router_RefuseFor",
			"Router_Restart", "Router_RevokeRegistration", "Router_RevokeSubscription", "Router_Send", "Router_Sessions", "Router_SetHook", "Router_Stall",
			"Router_Stats", "Router_StopReading", "Router_WaitFor", "SCRAM", "Script", "TLS", "WithAccept",
			"WithE2EE", "WithFeatures", "WithHalfOpen", "WithHistory", "WithHook", "WithLog", "WithLogins",
			"WithMaxMessage", "WithProtocols", "WithQueueLimit", "WithRealms", "WithSharedIDs", "WithTLS", "WithURIs",
			"WithoutInterrupt"}},
	{dir: "wamp/proto", least: 8, only: []string{"Bool", "CheckURI", "Features", "Has", "ID", "Int", "MatchURI", "Names", "ParseFeature", "Str", "With"}},
}

// Every exported function and method of these packages is used or named by an example,
// so that its page shows how. What only the language or another library calls needs
// none.
func TestEverythingHasAnExample(t *testing.T) {
	unasked := map[string]bool{"Error": true, "Is": true, "Unwrap": true, "String": true, "Format": true, "LogValue": true, "MarshalText": true}
	for _, p := range showing {
		used, own, whole, names := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]string{}
		functions, there := map[string]bool{}, map[string]bool{}
		for room, f := range parsed(t, filepath.Join("..", "..", "..", filepath.FromSlash(p.dir))) {
			switch {
			case strings.HasPrefix(room, "example"):
				usedIn(f, used)
				for _, d := range f.Decls {
					if fn, is := d.(*ast.FuncDecl); is {
						full := strings.TrimPrefix(fn.Name.Name, "Example")
						name, _, _ := strings.Cut(full, "_")
						own[name], whole[full] = true, true
					}
				}
			case !strings.HasSuffix(room, "_test.go"):
				for _, d := range f.Decls {
					fn, is := d.(*ast.FuncDecl)
					if is {
						there[fn.Name.Name] = true
					}
					if !is || !fn.Name.IsExported() || unasked[fn.Name.Name] || slices.Contains(p.rest, fn.Name.Name) ||
						p.only != nil && !slices.Contains(p.only, fn.Name.Name) {
						continue
					}
					if fn.Recv != nil && !ast.IsExported(base(fn.Recv.List[0].Type)) {
						continue // a sink's, for the engine
					}
					names[fn.Name.Name] = room
					functions[fn.Name.Name] = functions[fn.Name.Name] || fn.Recv == nil
				}
			}
		}
		for _, name := range slices.Concat(p.rest, p.only) {
			if !there[name] {
				t.Errorf("%s has no %s", p.dir, name)
			}
		}
		for name, file := range names {
			if !used[name] {
				t.Errorf("%s/%s: no example uses %s", p.dir, file, name)
			}
			if p.own && functions[name] && !own[name] {
				t.Errorf("%s/%s: there is no Example%s", p.dir, file, name)
			}
		}
		for _, name := range p.at {
			if !whole[name] {
				t.Errorf("%s: there is no Example%s", p.dir, name)
			}
		}
		if !own[""] {
			t.Errorf("%s: there is no example of the package", p.dir)
		}
		if len(names) < p.least {
			t.Errorf("%s: only %d names are looked at, not %d", p.dir, len(names), p.least)
		}
	}
}

// usedIn notes what an example uses, and what its comments name.
func usedIn(f *ast.File, used map[string]bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		if s, is := n.(*ast.SelectorExpr); is {
			used[s.Sel.Name] = true
		}
		return true
	})
	for _, c := range f.Comments {
		for _, word := range strings.FieldsFunc(c.Text(), func(r rune) bool { return !unicode.IsLetter(r) }) {
			used[word] = true
		}
	}
}
