#!/usr/bin/env python3
"""Write a node: its Crossbar config, its certificates, and rig.json, which tells tests where everything is.

usage: mknode.py NODEDIR [PORTBASE [proxy]]

With proxy it is the node of node/proxy.yaml.in: a proxy worker before two router workers, without logins and TLS. Five ports in a row are used. A node that is started again keeps its ports. Where a port is taken, five free ones are
looked for, so two runs on one machine do not meet.
"""
import datetime, fcntl, ipaddress, json, os, pathlib, random, socket, string, sys, tempfile, time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

here = pathlib.Path(__file__).resolve().parent.parent
PORTS = 5


def free(base, n):
    for port in range(base, base + n):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
        finally:
            s.close()
    return True


def promise(base, n, owner):
    """Keep ports for a folder whose node is about to start, which takes up to two minutes; false if they are promised to another."""
    with open(pathlib.Path(tempfile.gettempdir()) / f"wamp-interop-{os.getuid()}.ports", "a+") as kept:
        fcntl.flock(kept, fcntl.LOCK_EX)
        kept.seek(0)
        now = time.time()
        try:
            promised = [p for p in json.loads(kept.read()) if p["owner"] != owner and now - p["at"] < 120]
        except ValueError:  # nobody's, yet
            promised = []
        mine = {"owner": owner, "first": base, "n": n, "at": now}
        if any(p["first"] < base + n and base < p["first"] + p["n"] for p in promised):
            return False
        kept.truncate(0)
        kept.write(json.dumps(promised + [mine]))
    return True


def ports(wanted, owner, n=PORTS):
    """The first of n free ports in a row, the wanted one if they are free, for the folder that is their owner."""
    if free(wanted, n) and promise(wanted, n, str(owner)):
        return wanted
    print(f"ports {wanted} to {wanted + n - 1} are not all free, looking for others", file=sys.stderr)
    for _ in range(200):  # below the range that the kernel gives to outgoing connections
        base = random.randrange(18100, 32000, n)
        if free(base, n) and promise(base, n, str(owner)):
            return base
    sys.exit(f"no {n} free ports in a row")


def certificates(folder):
    """A throw-away CA, a server certificate, a client's, and one of a client that the router does not know. Nothing here
    is a secret worth keeping."""
    if (folder / "stranger.pem").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.timezone.utc)

    def name(cn):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn)])

    def build(cn, key, issuer):
        return (x509.CertificateBuilder().subject_name(name(cn)).issuer_name(issuer).public_key(key.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=30)))

    def save(stem, cert, key):
        (folder / f"{stem}.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
        p = folder / f"{stem}.key"
        p.touch(mode=0o600)
        p.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                        serialization.NoEncryption()))

    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = name("wamp interop test CA")
    ca = (build("wamp interop test CA", ca_key, ca_name)
          .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
          .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
          .sign(ca_key, hashes.SHA256()))
    save("ca", ca, ca_key)
    for stem, extension in [  # the one that is looked for comes last
        ("client", x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])),
        ("server", x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                                                x509.IPAddress(ipaddress.ip_address("::1"))])),
        ("stranger", x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])),
    ]:
        # RSA: the router's default TLS 1.2 cipher list has RSA suites only
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        cert = (build(stem, key, ca_name).add_extension(extension, critical=False)
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
                .sign(ca_key, hashes.SHA256()))
        save(stem, cert, key)


def config(node, base):
    p = json.loads((here / "principals.json").read_text())
    flow = json.dumps  # JSON flow mappings are valid YAML
    scram = {a: {"kdf": v["kdf"], "iterations": v["iterations"], "memory": v["memory"], "salt": v["salt_hex"],
                 "stored-key": v["stored-key"], "server-key": v["server-key"], "role": "app"}
             for a, v in p["scram"].items()}
    users = {a: {k: v[k] for k in ("secret", "salt", "iterations", "keylen") if k in v} | {"role": "app"}
             for a, v in p["wampcra"].items()}
    ticket = {a: {"ticket": t, "role": "limited" if "limited" in a else "app"} for a, t in p["ticket"].items()}
    keys = {a: {"realm": "realm1", "role": "app", "authorized_keys": [v["public_hex"]]}
            for a, v in p["cryptosign"].items() if a != "sign-unknown"}
    client = x509.load_pem_x509_certificate((node / "certs" / "client.pem").read_bytes())
    return string.Template((here / "node" / "config.yaml.in").read_text()).substitute(
        TICKET=flow(ticket), USERS=flow(users), SCRAM=flow(scram), KEYS=flow(keys), CERTS=str(node / "certs"),
        FINGERPRINT=client.fingerprint(hashes.SHA1()).hex(":").upper(),  # what the router looks a client's certificate up by
        SOCK=str(node / "rs.sock"), SOCKSMALL=str(node / "rs-small.sock"),
        WEB=base, RAW=base + 1, WSS=base + 2, RAWTLS=base + 3, MTLS=base + 4)


def proxy(node, base):
    """The node with a proxy: its config, and its part of rig.json."""
    first, second = str(node / "w1.sock"), str(node / "w2.sock")
    text = string.Template((here / "node" / "proxy.yaml.in").read_text()).substitute(
        SOCK1=first, SOCK2=second, WEB=base, RAW=base + 1)
    return text, {
        "ports": [base, base + 1],
        "sockets": [first, second],
        "urls": {"ws": f"ws://127.0.0.1:{base}/ws", "raw": f"tcp://127.0.0.1:{base + 1}"},
    }


def router(node, base):
    """The node with one router worker."""
    certificates(node / "certs")
    return config(node, base), {
        "ports": list(range(base, base + PORTS)),
        "sockets": [str(node / "rs.sock"), str(node / "rs-small.sock")],
        "urls": {
            "ws": f"ws://127.0.0.1:{base}/ws",
            "ws-deflate": f"ws://127.0.0.1:{base}/ws-deflate",
            "ws-cookie": f"ws://127.0.0.1:{base}/ws-cookie",
            "mtls": f"wss://localhost:{base + 4}/ws",
            "wss": f"wss://localhost:{base + 2}/ws",
            "raw": f"tcp://127.0.0.1:{base + 1}",
            "rawtls": f"tcps://localhost:{base + 3}",
            "unix": f"unix://{node / 'rs.sock'}",
            "unix-small": f"unix://{node / 'rs-small.sock'}",
        },
        "certs": str(node / "certs"),
        "ca": str(node / "certs" / "ca.pem"),
    }


def main():
    node = pathlib.Path(sys.argv[1]).resolve()
    if len(str(node / "rs-small.sock")) > 100:
        sys.exit(f"{node}: too long for the path of a Unix socket, choose another NODE")
    (node / ".crossbar").mkdir(parents=True, exist_ok=True)
    rig = node / "rig.json"
    wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 18080
    if rig.exists():
        wanted = json.loads(rig.read_text())["ports"][0]
    base = ports(wanted, node)
    text, told = (proxy if sys.argv[3:] == ["proxy"] else router)(node, base)
    for sock in told["sockets"]:
        pathlib.Path(sock).unlink(missing_ok=True)
    (node / ".crossbar" / "config.yaml").write_text(text)
    rig.write_text(json.dumps(told | {
        "info": f"http://127.0.0.1:{base}/info",
        "log": str(node / "crossbar.log"),
        "pid": str(node / "pid"),
    }, indent=1) + "\n")


if __name__ == "__main__":
    main()
