"""Keeps the requests of the Stripe SDK's own tests as a small file. A developer runs it when the SDK is renewed.

`python extract.py stripe-16.1.0/tests/test_generated_examples.py` writes `sdk_requests.json.gz` beside this file: method, path, query and
form of every request under /v1, each once. Source: the source distribution of `stripe` 16.1.0, MIT, Copyright (c) 2011- Stripe, Inc.
"""

import ast
import gzip
import json
import sys
from pathlib import Path


def requests(source: str) -> list[list[str]]:
    """Return `[method, path, query, form]` of each asserted request, sorted, without doubles."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "assert_requested":
            named = {each.arg: ast.literal_eval(each.value) for each in node.keywords if isinstance(each.value, ast.Constant)}
            method = ast.literal_eval(node.args[0])
            if named["path"].startswith("/v1/"):
                found.add((method, named["path"], named.get("query_string") or "", named.get("post_data") or ""))
    return sorted(list(each) for each in found)


if __name__ == "__main__":
    kept = requests(Path(sys.argv[1]).read_text())
    packed = gzip.compress(json.dumps(kept, separators=(",", ":")).encode(), mtime=0)
    Path(__file__).with_name("sdk_requests.json.gz").write_bytes(packed)
