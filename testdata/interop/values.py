"""Python's values for the interop tests, and how values are told: with their types, so that nothing looks like something else."""
import datetime
import decimal
import fractions
import math
import uuid

_utc = datetime.timezone.utc

VALUES = {
    "None": None, "True": True, "False": False, "int": 42, "minus one": -1, "2^53+1": 2**53 + 1, "2^63-1": 2**63 - 1, "-2^63": -(2**63), "2^64-1": 2**64 - 1, "2^64": 2**64, "2^70": 2**70,
    "-2^70": -(2**70), "float 7.0": 7.0, "float 1.5": 1.5, "float -0.0": -0.0, "float 0.1": 0.1, "float 1e300": 1e300, "float 2^63": 2.0**63, "milliseconds": 1700000000005, "seconds": 1700000000.005,
    "NaN": math.nan, "inf": math.inf, "-inf": -math.inf, "str": 'ü😀\n"', "empty str": "", "str with U+0000 first": "\0abc", "str with U+0000": "a\0b", "half a surrogate pair": "a\ud800b",
    "bytes": b"\x01\x02\xff", "empty bytes": b"", "bytearray": bytearray(b"\x01\x02"), "list": [1, "x", None, [2.5]], "empty list": [], "tuple": (1, (2, 3)), "set": {1}, "frozenset": frozenset({1}),
    "dict": {"a": {"b": [1, {"c": "x"}]}}, "empty dict": {}, "dict of int keys": {1: "x", -2: {3: "y"}}, "nested int keys": {"a": {1: "x"}}, "dict of bytes keys": {b"k": 1}, "dict of a None key": {None: 1},
    "dict of a tuple key": {(1, 2): 1}, "Decimal": decimal.Decimal("1.10"), "Decimal, large": decimal.Decimal("5E+50"), "Decimal NaN": decimal.Decimal("NaN"), "Fraction": fractions.Fraction(1, 3),
    "datetime": datetime.datetime(2023, 11, 14, 22, 13, 20, 5000, _utc), "datetime, another zone": datetime.datetime(2023, 11, 14, 23, 13, 20, 0, datetime.timezone(datetime.timedelta(hours=1))),
    "datetime without a zone": datetime.datetime(2023, 11, 14, 22, 13, 20), "date": datetime.date(2023, 11, 14), "timedelta": datetime.timedelta(seconds=1.5),
    "UUID": uuid.UUID("00112233-4455-6677-8899-aabbccddeeff"), "complex": 1j,
}


def say(v):
    if v is None:
        return "None"
    if type(v) in (list, tuple):
        return f"{type(v).__name__} [{', '.join(map(say, v))}]"
    if type(v) is dict:
        return f"dict {{{', '.join(sorted(f'{say(k)}: {say(x)}' for k, x in v.items()))}}}"
    if type(v) is bytes:
        return f"bytes {v.hex()}"
    return f"{type(v).__name__} {v!r}"
