#!/usr/bin/env python3
"""Write the nodes of a small Crossbar cluster on loopback: a and b, which are linked, and p, a proxy before two linked workers.

usage: mkcluster.py DIR [PORTBASE]        environment: LINK=mesh|one|none (default mesh)

Each node is a folder of DIR with its config, a throw-away key, and rig.json as mknode.py writes it. Ten ports in a row are
used: +0 web, +1 raw and +2 link of a, +3 to +5 the same of b, +6 web and +7 raw of p, +8 and +9 the links of its workers. A
cluster that is started again keeps its ports. Where a port is taken, ten free ones are looked for.
LINK=mesh: each node dials the other and forwards what is local to it. LINK=one: b alone dials a, and forwards both ways.
"""
import json, os, pathlib, sys

from crossbar.common.key import _maybe_generate_node_key, _read_node_key

import mknode

HOST = "127.0.0.1"
SERIALIZERS = ["json", "msgpack", "cbor"]
ANONYMOUS = {"anonymous": {"type": "static", "role": "anonymous"}}
EVERYTHING = {"uri": "", "match": "prefix", "allow": {"call": True, "register": True, "publish": True, "subscribe": True},
              "disclose": {"caller": True, "publisher": True}, "cache": True}


def endpoint(port):
    return {"type": "tcp", "interface": HOST, "port": port}


class Cluster:
    def __init__(self, root, base, link):
        self.root, self.base, self.link = root, base, link
        self.keys = {n: self.key(n) for n in "abp"}

    def key(self, node):
        folder = self.root / node / ".crossbar"
        folder.mkdir(parents=True, exist_ok=True)
        _maybe_generate_node_key(str(folder))
        return _read_node_key(str(folder), private=False)["hex"]

    def realm(self, dials):
        """The realm of a worker: dials is the port of the peer that it dials, None if it dials nobody."""
        # "rlink" is a name that the router looks for
        realm = {"name": "realm1", "roles": [{"name": n, "permissions": [EVERYTHING]} for n in ("anonymous", "rlink")]}
        if dials is not None:
            both = self.link == "one"
            realm["rlinks"] = [{
                "realm": "realm1", "forward_local_invocations": True, "forward_remote_invocations": both,
                "forward_local_events": True, "forward_remote_events": both,
                "transport": {"type": "rawsocket", "serializer": "cbor", "url": f"rs://{HOST}:{dials}",
                              "endpoint": {"type": "tcp", "host": HOST, "port": dials}}}]
        return realm

    def links(self, port, peer):
        """The listener for a peer's links."""
        return {"type": "rawsocket", "id": "link", "endpoint": endpoint(port), "serializers": ["cbor"],
                "auth": {"cryptosign": {"type": "static", "principals": {"rlink-" + peer: {
                    "realm": "realm1", "role": "rlink", "authorized_keys": [self.keys[peer]]}}}}}

    def front(self, web):
        """The listeners for clients."""
        return [
            {"type": "web", "id": "web", "endpoint": endpoint(web) | {"backlog": 256},
             "paths": {"/": {"type": "json", "value": {}}, "info": {"type": "nodeinfo"},
                       "ws": {"type": "websocket", "serializers": SERIALIZERS, "options": {"tcp_nodelay": True}, "auth": ANONYMOUS}}},
            {"type": "rawsocket", "id": "raw", "endpoint": endpoint(web + 1), "serializers": SERIALIZERS, "auth": ANONYMOUS}]

    def write(self, node, web, ports, links, workers, sockets=(), controller=None):
        folder = self.root / node
        (folder / ".crossbar" / "config.json").write_text(
            json.dumps({"version": 2, "controller": controller or {}, "workers": workers}, indent=1))
        (folder / "rig.json").write_text(json.dumps({
            "ports": ports, "sockets": list(sockets), "links": links,
            "urls": {"ws": f"ws://{HOST}:{web}/ws", "raw": f"tcp://{HOST}:{web + 1}"},
            "info": f"http://{HOST}:{web}/info", "log": str(folder / "crossbar.log"), "pid": str(folder / "pid")}, indent=1) + "\n")

    def single(self, node, web, peer, peerlink):
        dials = peerlink if self.link == "mesh" or self.link == "one" and node == "b" else None
        come = 1 if self.link == "mesh" or self.link == "one" and node == "a" else 0
        self.write(node, web, [web, web + 1, web + 2], [0 if dials is None else 1, come], [{
            "type": "router", "id": "node_" + node, "realms": [self.realm(dials)],
            "transports": self.front(web) + [self.links(web + 2, peer)]}])

    def proxied(self):
        web = self.base + 6
        sockets = [str(self.root / "p" / ".crossbar" / f"w{i}.sock") for i in (1, 2)]
        proxied = {"anonymous-proxy": {"type": "static"}}
        workers = [{
            "type": "router", "id": f"worker{i}", "realms": [self.realm(None if self.link == "none" else peer)],
            "transports": [self.links(port, "p"), {
                "type": "rawsocket", "id": "backend", "endpoint": {"type": "unix", "path": f"w{i}.sock"}, "serializers": ["cbor"], "auth": proxied}],
        } for i, port, peer in ((1, web + 2, web + 3), (2, web + 3, web + 2))]
        workers.append({
            "type": "proxy", "id": "proxy", "transports": self.front(web),
            "connections": {f"backend{i}": {"realm": "realm1", "auth": proxied, "transport": {
                "type": "rawsocket", "serializer": "cbor", "url": "rs://localhost",
                "endpoint": {"type": "unix", "path": sockets[i - 1]}}} for i in (1, 2)},
            "routes": {"realm1": {"anonymous": ["backend1", "backend2"]}}})
        linked = 0 if self.link == "none" else 2
        self.write("p", web, [web, web + 1, web + 2, web + 3], [linked, linked], workers, sockets,
                   # else the whole node ends with the first worker that does
                   {"options": {"shutdown": ["shutdown_on_last_worker_exit"]}})


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    link = os.environ.get("LINK", "mesh")
    if link not in ("mesh", "one", "none"):
        sys.exit(f"LINK={link}: mesh, one or none")
    if len(str(root / "p" / ".crossbar" / "w1.sock")) > 100:
        sys.exit(f"{root}: too long for the path of a Unix socket, choose another CLUSTER")
    wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 18180
    kept = root / "a" / "rig.json"
    if kept.exists():
        wanted = json.loads(kept.read_text())["ports"][0]
    cluster = Cluster(root, mknode.ports(wanted, root, 10), link)
    cluster.single("a", cluster.base, "b", cluster.base + 5)
    cluster.single("b", cluster.base + 3, "a", cluster.base + 2)
    cluster.proxied()


main()
