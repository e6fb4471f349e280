#!/usr/bin/env python3
"""Logs autobahn-python in at a router, once for each job, and tells how it went.

    login.py [CA.PEM]

stdin: a JSON list of jobs {url, codec, authentication}, where authentication is that of an autobahn Component:
{"ticket": {"authid", "ticket"}}, {"wampcra": {"authid", "secret"}}, {"scram": {"authid", "password", "nonce", "kdf"}},
{"cryptosign": {"authid", "privkey", "channel_binding"}}. stdout: one JSON object a job, in their order:
{ok, authid, authrole, authmethod, echo} or {ok: false, error}.
"""
import asyncio
import json
import ssl
import sys

import txaio

txaio.use_asyncio()
from autobahn.asyncio.component import Component  # noqa: E402


async def login(job, ca):
    scheme, rest = job["url"].split("://", 1)
    host, port = rest.split("/")[0].split(":")
    endpoint = {"type": "tcp", "host": host, "port": int(port)}
    if scheme in ("wss", "tcps"):
        endpoint["tls"] = ssl.create_default_context(cafile=ca)
    if scheme in ("ws", "wss"):
        t = {"type": "websocket", "url": job["url"], "serializers": [job["codec"]], "endpoint": endpoint}
    else:
        t = {"type": "rawsocket", "url": "rs://" + rest, "serializer": job["codec"], "endpoint": endpoint}
    c = Component(transports=[t | {"max_retries": 0}], realm="realm1", authentication=job["authentication"])
    got = asyncio.get_running_loop().create_future()

    def settle(value):
        if not got.done():
            got.set_result(value)

    async def joined(session, d):
        out = {"ok": True, "authid": d.authid, "authrole": d.authrole, "authmethod": d.authmethod}
        try:
            await session.register(lambda x: x, "com.example.py.echo")
            out["echo"] = await session.call("com.example.py.echo", job["authentication"].get("x", 7))
        except Exception as e:  # noqa: BLE001
            out = {"ok": False, "error": f"joined, then {type(e).__name__}: {e}"}
        settle(out)
        session.leave()

    c.on("join", joined)
    c.on("connectfailure", lambda c, e: settle({"ok": False, "error": f"{type(e).__name__}: {e}"}))
    c.on("leave", lambda s, d: settle({"ok": False, "error": f"{d.reason} {d.message}"}))
    main = asyncio.ensure_future(c.start(asyncio.get_running_loop()))
    main.add_done_callback(lambda f: f.cancelled() or settle({"ok": False, "error": str(f.exception())}))
    try:
        return await asyncio.wait_for(got, 10)
    except asyncio.TimeoutError:
        return {"ok": False, "error": "nothing after 10 s"}
    finally:
        try:
            await asyncio.wait_for(main, 5)
        except Exception:  # noqa: BLE001, told above
            pass


async def main():
    for job in json.load(sys.stdin):
        print(json.dumps(await login(job, sys.argv[1] if len(sys.argv) > 1 else None)), flush=True)


asyncio.run(main())
