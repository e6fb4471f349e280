#!/usr/bin/env python3
"""An autobahn-python peer for the interop tests: it serves procedures, drives the other side's, and tells what it saw.

    peer.py RIG.JSON

One JSON object a line on stdin asks for something; one JSON object a line on stdout answers it, with the same "id":
{"id": 1, "cmd": "join", ...} -> {"id": 1, "ok": true, ...} or {"id": 1, "ok": false, "error": "..."}. Commands run side by
side. The first line on stdout is READY. The peer ends when stdin does. It shares no line of code with the library under test.

Application values in commands and answers are tagged, so that nothing is lost in this control channel:
{"t": "null"|"bool"|"int"|"float"|"str"|"bytes"|"list"|"map", "v": ...}; int and float as text, bytes as hex;
{"t": "blob", "n": N} and {"t": "text", "n": N} stand for N made-up bytes or characters, {"t": "nested", "n": N} for "x" in
N lists. Long bytes and strings are reported as {"t": "sha256", "of": "bytes"|"str", "n": N, "v": hex}.

commands
  join       session kind codec [realm] [ticket: [authid, secret]] [offer: PREFIX] [keys]   -> id authid authrole authmethod protocol
             kind: ws, ws-deflate, wss, raw, rawtls, unix, unix-small; codec may end in .batched; offer registers the
             procedures below; keys: [{uri role private public}] of a cryptobox, base64, role originator or responder
  leave      session [reason]                        says GOODBYE, waits for the answer   -> reason
  drop       session                                 cuts the connection without a word
  left       session [wait]                          waits for the session's end          -> reason clean goodbye
  call       session uri [args kwargs progress cancel_after_ms cancel_after_progress mode wait] -> progress, result|failed|silent, ms
  names                                              tells the names of the values of values.py
  give       session uri name                        sends a value of values.py   -> said: what came of it, or why nothing was sent
  echo       session uri                             sends every value of payloads.json, as arg and kwarg -> n, bad: [...]
  publish    session topic [args kwargs acknowledge exclude_me count options] -> publications; options: more of PublishOptions
  subscribe  session topic [match get_retained as]   records events    -> subscription
  unsubscribe session topic                          topic: that, or the name that "as" gave
  events     session topic [count wait]              -> events in order, with what autobahn said of each; then forgets them
  interrupts session [count wait]                    -> interrupts: [{request mode reason}] as they were on the wire, and
             stopped: what the procedures below have noticed; then forgets them
  stopped    session [count wait]                    waits for that, which comes a moment after the INTERRUPT
  stats      session                                 -> pending calls, invocations

procedures (below PREFIX)
  echo(*args, **kwargs)      gives back what came
  describe(*args, **kwargs)  gives back what came as the text of its tagged form, so that the caller can check what arrived
  see(v)                     says what v is, by values.py; same(v) gives it back. Both answer in the order of the calls
  give(name)                 gives a value of values.py
  sum(a, b)    blob(n)    text(n)    who()
  count(n, delay_ms=0)       progressive results 0 .. n-1 with kwarg of=n, then n
  flood(n)                   n progressive results at once, then n
  slow(ms)                   "done" after ms, unless interrupted: then it says so in "interrupts" and ends with ERROR canceled
  stubborn(ms)               takes no notice of an interrupt, answers "done" after ms
  slowcount(n, delay_ms)     as count, interruptible
  fail(uri, *args, **kwargs) ERROR uri with these args and kwargs
  publish(topic, n, acknowledge=False)   publishes n events [i], {n: n}
"""
import asyncio
import hashlib
import json
import os
import ssl
import sys
import time

import txaio

txaio.use_asyncio()
from autobahn.asyncio.component import Component  # noqa: E402
from autobahn.asyncio.wamp import Session  # noqa: E402
from autobahn.wamp import cryptobox, message  # noqa: E402
from autobahn.wamp.exception import ApplicationError  # noqa: E402
from autobahn.wamp.types import CallOptions, CallResult, PublishOptions, RegisterOptions, SubscribeOptions  # noqa: E402
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateResponse, PerMessageDeflateResponseAccept  # noqa: E402

from values import VALUES, say  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
LONG = 4096  # reported by hash above this length


# values

def blob(n):
    return bytes((i * 7 + (i >> 8)) & 255 for i in range(n))


def text(n):
    return "".join("abcdefghijklmnopqrstuvwxyz äöü€𝄞"[(i * 5 + i // 32) % 32] for i in range(n))


def untag(x):
    t, v = x["t"], x.get("v")
    if t == "null":
        return None
    if t in ("bool", "str"):
        return v
    if t == "int":
        return int(v)
    if t == "float":
        return float(v)
    if t == "bytes":
        return bytes.fromhex(v)
    if t == "list":
        return [untag(y) for y in v]
    if t == "map":
        return {k: untag(y) for k, y in v.items()}
    if t == "blob":
        return blob(x["n"])
    if t == "text":
        return text(x["n"])
    if t == "nested":
        v = "x"
        for _ in range(x["n"]):
            v = [v]
        return v
    raise ValueError(f"no such tag: {t}")


def tag(x):
    if x is None:
        return {"t": "null"}
    if isinstance(x, bool):
        return {"t": "bool", "v": x}
    if isinstance(x, int):
        return {"t": "int", "v": str(x)}
    if isinstance(x, float):
        return {"t": "float", "v": repr(x)}
    if isinstance(x, str):
        if len(x) > LONG:
            return {"t": "sha256", "of": "str", "n": len(x), "v": hashlib.sha256(x.encode()).hexdigest()}
        return {"t": "str", "v": x}
    if isinstance(x, (bytes, bytearray, memoryview)):
        x = bytes(x)
        if len(x) > LONG:
            return {"t": "sha256", "of": "bytes", "n": len(x), "v": hashlib.sha256(x).hexdigest()}
        return {"t": "bytes", "v": x.hex()}
    if isinstance(x, (list, tuple)):
        return {"t": "list", "v": [tag(y) for y in x]}
    if isinstance(x, dict):
        return {"t": "map", "v": {k: tag(y) for k, y in x.items()}}
    return {"t": type(x).__name__, "v": repr(x)}


def same(a, b):
    """Equal, and of the same type all the way down (True is not 1, 3 is not 3.0)."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b


def payload(args, kwargs):
    return {"args": [tag(x) for x in args or ()], "kwargs": {k: tag(x) for k, x in (kwargs or {}).items()}}


def tagged_args(m):
    return [untag(x) for x in m.get("args", [])], {k: untag(x) for k, x in m.get("kwargs", {}).items()}


# sessions

class Recorder:
    """A list that can be waited for."""

    def __init__(self):
        self.items, self.news = [], asyncio.Event()

    def add(self, item):
        self.items.append(item)
        self.news.set()

    async def take(self, count, wait):
        end = time.monotonic() + wait
        while len(self.items) < count and (left := end - time.monotonic()) > 0:
            self.news.clear()
            try:
                await asyncio.wait_for(self.news.wait(), left)
            except asyncio.TimeoutError:
                break
        out, self.items = self.items, []
        return out


class PeerSession(Session):
    """Notes INTERRUPT and GOODBYE as they come in."""

    def __init__(self, *a, **k):
        super().__init__(*a, **k)
        self.interrupts, self.stopped, self.topics, self.subs = Recorder(), Recorder(), {}, {}
        self.goodbye, self.ended = None, asyncio.Event()

    def onMessage(self, msg):
        if isinstance(msg, message.Interrupt):
            self.interrupts.add({"request": msg.request, "mode": msg.mode, "reason": msg.reason})
        if isinstance(msg, (message.Goodbye, message.Abort)):
            self.goodbye = msg.reason
        return super().onMessage(msg)

    def onUserError(self, fail, msg):
        pass  # errors of procedures are what the tests ask for

    def onClose(self, wasClean):
        self.clean = wasClean
        self.ended.set()
        return super().onClose(wasClean)


def transport(rig, kind, codec):
    url = rig["urls"][kind]
    scheme, rest = url.split("://", 1)
    if scheme == "unix":
        endpoint = {"type": "unix", "path": rest}
    else:
        host, port = rest.split("/")[0].split(":")
        endpoint = {"type": "tcp", "host": host, "port": int(port)}
        if scheme in ("wss", "tcps"):
            endpoint["tls"] = ssl.create_default_context(cafile=rig["ca"])
    if scheme in ("ws", "wss"):
        t = {"type": "websocket", "url": url, "serializers": [codec], "endpoint": endpoint}
        if kind == "ws-deflate":
            t["options"] = {
                "perMessageCompressionOffers": [PerMessageDeflateOffer()],
                "perMessageCompressionAccept": lambda r: PerMessageDeflateResponseAccept(r) if isinstance(r, PerMessageDeflateResponse) else None,
            }
        return t
    return {"type": "rawsocket", "url": "rs://" + ("localhost" if scheme == "unix" else rest), "serializer": codec, "endpoint": endpoint}


def keyring(keys):
    """Autobahn's key of a URI knows one's own side as the one that calls and publishes, or as the other, not as both."""
    ring = cryptobox.KeyRing()
    for k in keys:
        own, other = ("originator", "responder") if k["role"] == "originator" else ("responder", "originator")
        ring.set_key(k["uri"], cryptobox.Key(**{own + "_priv": k["private"], other + "_pub": k["public"]}))
    return ring


async def join(rig, kind, codec, realm, ticket, keys=None):
    auth = {"ticket": {"authid": ticket[0], "ticket": ticket[1]}} if ticket else {"anonymous": {}}
    c = Component(transports=[transport(rig, kind, codec.removesuffix(".batched")) | {"max_retries": 0}], realm=realm,
                  authentication=auth, session_factory=PeerSession)
    if codec.endswith(".batched"):  # which autobahn has, but takes for no serializer when it checks its configuration
        c._transports[0].serializers = [codec]
    got = asyncio.get_running_loop().create_future()

    def settle(how, value):
        if not got.done():
            how(value)

    if keys:
        c.on("connect", lambda s, protocol: s.set_payload_codec(keyring(keys)))
    c.on("join", lambda s, details: settle(got.set_result, (s, details)))
    c.on("connectfailure", lambda c, e: settle(got.set_exception, RuntimeError(f"{type(e).__name__}: {e}")))
    c.on("leave", lambda s, d: settle(got.set_exception, RuntimeError(f"left: {d.reason} {d.message}")))
    main = asyncio.ensure_future(c.start(asyncio.get_running_loop()))
    main.add_done_callback(lambda f: f.cancelled() or f.exception())
    s, details = await asyncio.wait_for(got, 10)
    s.main = main
    return s, details


async def offer(s, prefix):
    async def echo(*args, **kwargs):
        return CallResult(*args, **kwargs)

    def describe(*args, **kwargs):
        return json.dumps(payload(args, kwargs))

    def fail(uri, *args, **kwargs):
        raise ApplicationError(uri, *args, **kwargs)

    async def count(n, delay=0, details=None):
        for i in range(n):
            if details.progress:
                details.progress(i, of=n)
            await asyncio.sleep(delay / 1000)
        return n

    def flood(n, details=None):
        for i in range(n):
            details.progress(i)
        return n

    def stopping(f, what):
        async def guarded(*args, **kwargs):
            try:
                return await f(*args, **kwargs)
            except asyncio.CancelledError:
                s.stopped.add(what)
                raise ApplicationError("wamp.error.canceled", what + " interrupted") from None
        return guarded

    async def slow(ms):
        await asyncio.sleep(ms / 1000)
        return "done"

    def stubborn(ms):
        """Answers later through a future of its own, which is shielded from the interrupt."""
        async def work():
            await asyncio.sleep(ms / 1000)
            return "done"

        async def outer():
            task = asyncio.ensure_future(work())
            while not task.done():
                try:
                    await asyncio.shield(task)
                except asyncio.CancelledError:
                    s.stopped.add("stubborn")
            return task.result()
        return outer()

    async def who(details=None):
        return [details.caller, details.caller_authid, details.caller_authrole]

    async def publish(topic, n, acknowledge=False):
        for i in range(n):
            p = s.publish(topic, i, n=n, options=PublishOptions(acknowledge=acknowledge))
            if acknowledge:
                await p

    d = RegisterOptions(details_arg="details")
    for name, f, o in [
        ("echo", echo, None), ("describe", describe, None), ("sum", lambda a, b: a + b, None), ("see", say, None), ("same", lambda v: v, None), ("give", VALUES.get, None),
        ("blob", blob, None),
        ("text", text, None), ("who", who, d), ("count", count, d), ("flood", flood, d), ("slow", stopping(slow, "slow"), None),
        ("stubborn", stubborn, None), ("slowcount", stopping(count, "slowcount"), d), ("fail", fail, None), ("publish", publish, None),
    ]:
        await s.register(f, prefix + name, options=o)


# commands

class Peer:
    def __init__(self, rig):
        self.rig, self.sessions = rig, {}

    async def join(self, m):
        s, d = await join(self.rig, m["kind"], m["codec"], m.get("realm", "realm1"), m.get("ticket"), m.get("keys"))
        self.sessions[m["session"]] = s
        if "offer" in m:
            await offer(s, m["offer"])
        return {"session": d.session, "authid": d.authid, "authrole": d.authrole, "authmethod": d.authmethod,
                "protocol": getattr(s._transport, "websocket_protocol_in_use", None)}

    async def leave(self, m):
        s = self.of(m)
        s.leave(m.get("reason"))
        await asyncio.wait_for(s.ended.wait(), 10)
        return {"reason": s.goodbye}

    async def drop(self, m):
        t = self.of(m)._transport
        t = getattr(t, "transport", t)
        if t:  # else the router was first
            t.abort()
        return {}

    async def left(self, m):
        s = self.of(m)
        try:
            await asyncio.wait_for(s.ended.wait(), m.get("wait", 5))
        except asyncio.TimeoutError:
            raise RuntimeError("still joined") from None
        return {"goodbye": s.goodbye, "clean": bool(s.clean)}

    def of(self, m):
        return self.sessions[m["session"]]

    async def call(self, m):
        s, (args, kwargs) = self.of(m), tagged_args(m)
        progress, enough = [], asyncio.Event()

        def on_progress(*a, **k):
            progress.append(payload(a, k))
            if len(progress) >= m.get("cancel_after_progress", 1 << 60):
                enough.set()

        # details=True gives every result as a CallResult, but breaks on progress without kwargs (autobahn 26.10.2)
        options = CallOptions(on_progress=on_progress) if m.get("progress") else CallOptions(details=True)
        t0 = time.monotonic()
        f = s.call(m["uri"], *args, options=options, **kwargs)
        request = next(i for i, c in s._call_reqs.items() if c.on_reply is f)
        if "cancel_after_ms" in m or "cancel_after_progress" in m:
            if "cancel_after_ms" in m:
                await asyncio.sleep(m["cancel_after_ms"] / 1000)
            else:
                await asyncio.wait_for(enough.wait(), 10)
            # autobahn's own way to cancel knows no mode
            s._transport.send(message.Cancel(request, mode=m.get("mode")))
        try:
            r = await asyncio.wait_for(asyncio.shield(f), m.get("wait", 20))
            if not isinstance(r, CallResult):
                r = CallResult(*([] if r is None else [r]))
            out = {"result": payload(r.results, r.kwresults)}
        except ApplicationError as e:
            out = {"failed": {"uri": e.error} | payload(e.args, e.kwargs)}
        except asyncio.TimeoutError:
            s._call_reqs.pop(request, None)
            out = {"silent": True}
        return out | {"progress": progress, "ms": int((time.monotonic() - t0) * 1000)}

    async def echo(self, m):
        s, bad, n = self.of(m), [], 0
        table = [(p["name"], untag(p["value"])) for p in json.load(open(os.path.join(HERE, "payloads.json")))]
        table.append(("everything", [v for _, v in table]))
        for name, v in table:
            for a, k in (([v], {}), ([], {"key": v}), ([v, 1, v], {"key": v, "other": "x"})):
                n += 1
                try:
                    r = await asyncio.wait_for(asyncio.ensure_future(s.call(m["uri"], *a, options=CallOptions(details=True), **k)), 10)
                    back = [list(r.results), dict(r.kwresults or {})]
                except Exception as e:  # noqa: BLE001
                    back = f"{type(e).__name__}: {e}"
                if not same(back, [a, k]):
                    bad.append(f"{name}: sent {str([a, k])[:200]}, came back {str(back)[:200]}")
        return {"n": n, "bad": bad}

    async def names(self, m):
        return {"names": list(VALUES)}

    async def give(self, m):
        """Another call goes behind: where that is answered and the first is not, it never will be."""
        s, ended = self.of(m), None
        try:
            calls = [s.call(m["uri"], VALUES[m["name"]]), s.call(m["uri"], None)]
            for f in calls:
                f.add_done_callback(lambda f: f.cancelled() or f.exception())
            ended = asyncio.ensure_future(s.ended.wait())
            await asyncio.wait(calls + [ended], return_when=asyncio.FIRST_COMPLETED)
            said = calls[0].result() if calls[0].done() else "lost" if ended.done() else "no answer"
        except ApplicationError as e:
            said = "lost" if s.ended.is_set() else e.error
        except Exception as e:  # noqa: BLE001  what the serializer says
            said = "lost" if s.ended.is_set() else "not sent: " + type(e).__name__
        finally:
            if ended:
                ended.cancel()
        return {"said": said}

    async def publish(self, m):
        s, (args, kwargs) = self.of(m), tagged_args(m)
        ids = []
        for i in range(m.get("count", 1)):
            if "count" in m:
                kwargs["i"] = i
            o = PublishOptions(acknowledge=m.get("acknowledge"), exclude_me=m.get("exclude_me"), **m.get("options", {}))
            p = s.publish(m["topic"], *args, options=o, **kwargs)
            if m.get("acknowledge"):
                ids.append((await p).id)
        return {"publications": ids}

    async def subscribe(self, m):
        s, r = self.of(m), Recorder()
        name = m.get("as", m["topic"])
        s.topics[name] = r

        def on_event(*args, details=None, **kwargs):
            r.add(payload(args, kwargs) | {
                "topic": details.topic, "publication": details.publication, "publisher": details.publisher,
                "publisher_authid": details.publisher_authid, "publisher_authrole": details.publisher_authrole,
                "retained": bool(details.retained), "sealed": details.enc_algo})
        s.subs[name] = await s.subscribe(on_event, m["topic"], options=SubscribeOptions(
            match=m.get("match"), get_retained=m.get("get_retained"), details_arg="details"))
        return {"subscription": s.subs[name].id}

    async def unsubscribe(self, m):
        await self.of(m).subs.pop(m["topic"]).unsubscribe()
        return {}

    async def events(self, m):
        return {"events": await self.of(m).topics[m["topic"]].take(m.get("count", 1), m.get("wait", 5))}

    async def interrupts(self, m):
        s = self.of(m)
        got = await s.interrupts.take(m.get("count", 1), m.get("wait", 5))
        return {"interrupts": got, "stopped": await s.stopped.take(0, 0)}

    async def stopped(self, m):
        return {"stopped": await self.of(m).stopped.take(m.get("count", 1), m.get("wait", 5))}

    async def stats(self, m):
        s = self.of(m)
        return {"calls": len(s._call_reqs), "invocations": len(s._invocations)}


async def main():
    peer = Peer(json.load(open(sys.argv[1])))
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 26)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print("READY", flush=True)

    async def serve(m):
        try:
            out = {"id": m["id"], "ok": True} | await getattr(peer, m["cmd"])(m)
        except Exception as e:  # noqa: BLE001  whatever it is, the test on the other side shall read it
            out = {"id": m["id"], "ok": False, "error": f"{type(e).__name__}: {e}"}
        print(json.dumps(out), flush=True)

    tasks = set()
    while line := await reader.readline():
        t = asyncio.ensure_future(serve(json.loads(line)))
        tasks.add(t)
        t.add_done_callback(tasks.discard)
    for s in peer.sessions.values():
        if s.is_attached():
            s.leave()
    await asyncio.sleep(0.1)
    os._exit(0)  # autobahn leaves tasks behind that would keep the loop


if __name__ == "__main__":
    asyncio.run(main())
