"""Joins the rows of several files, one a line."""
import json
import sys

rows = [row for name in sys.argv[1:] for row in json.load(open(name, encoding="utf-8"))]
print("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]")
