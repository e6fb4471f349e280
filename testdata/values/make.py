"""Writes values in the bytes of Python's libraries; with a file of ours, reads it."""
import base64
import datetime
import decimal
import json
import math
import sys
import uuid

import cbor2
import msgpack

utc = datetime.timezone.utc
values = {
    "int": 42, "int above 2^32": 4294967297, "integral float": 7.0, "half": 1.5, "minus zero": -0.0, "negative": -5000000000, "int of 64 bits": 2**64 - 1, "int of 70 bits": 2**70,
    "minus 2^70": -(2**70), "NaN": math.nan, "infinity": math.inf, "null": None, "true": True, "text": 'ü😀\n"', "bytes": b"\x01\x02\xff", "list": [1, "x", None, [2.5]], "tuple": (1, 2),
    "dict": {"a": {"b": [1, {"c": "x"}]}}, "dict of numbers": {1: "x"}, "decimal": decimal.Decimal("1.10"), "small decimal": decimal.Decimal("-0.00005"), "large decimal": decimal.Decimal("5E+50"),
    "datetime": datetime.datetime(2023, 11, 14, 22, 13, 20, 5000, utc), "uuid": uuid.UUID("00112233-4455-6677-8899-aabbccddeeff"), "set": {1, 2},
}
encoders = [
    ("cbor2", "cbor", cbor2.dumps),
    ("cbor2, timestamps", "cbor", lambda v: cbor2.dumps(v, datetime_as_timestamp=True)),
    ("msgpack", "msgpack", lambda v: msgpack.packb(v, datetime=True)),
    ("json", "json", lambda v: json.dumps(v).encode()),
]
decoders = {"cbor": cbor2.loads, "msgpack": lambda b: msgpack.unpackb(b, timestamp=3), "json": json.loads}


def same(a, b):
    if isinstance(b, dict) and "$bytes" in b:
        raw = bytes.fromhex(b["$bytes"])
        return a == raw or a == "\0" + base64.b64encode(raw).decode()
    if isinstance(b, dict) and "$float" in b:
        want = float(b["$float"])
        return isinstance(a, float) and (a == want and math.copysign(1, a) == math.copysign(1, want) or math.isnan(a) and math.isnan(want))
    if isinstance(b, dict) and "$big" in b:
        return str(a) == b["$big"]
    if isinstance(b, list):
        return isinstance(a, list) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(b, dict):
        return isinstance(a, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in b)
    return a == b and type(a) is type(b)


if len(sys.argv) > 1:
    with open(sys.argv[1], encoding="utf-8") as f:
        for row in json.load(f):
            got = decoders[row["codec"]](bytes.fromhex(row["hex"]))
            if not same(got, row["want"]):
                sys.exit(f"{row} is read as {got!r}")
else:
    out = []
    for by, codec, encode in encoders:
        for name, v in values.items():
            try:
                out.append({"by": by, "codec": codec, "name": name, "hex": encode(v).hex()})
            except Exception:  # it has no form for it
                continue
    print(json.dumps(out))
