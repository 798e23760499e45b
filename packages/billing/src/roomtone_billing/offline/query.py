"""Stripe's search language: `status:"active" AND metadata["tenant"]:"a"`.

Source: https://docs.stripe.com/search
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .errors import InvalidRequest
from .objects import Object

CLAUSE = re.compile(
    r"""\s*(?P<not>-)?(?P<field>[a-z_.]+)(\[["'](?P<key>[^"']+)["']\])?\s*(?P<operator>:|~|>=|<=|>|<|=)\s*"""
    r"""(?P<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|null|-?\d+)\s*"""
)
JOINT = re.compile(r"(AND|OR)\b", re.IGNORECASE)
CLAUSES_MAX = 10
Test = Callable[[Object], bool]


def compile_query(text: str, *, fields: frozenset[str]) -> Test:
    """Return a test for objects.

    Args:
        fields: the names that can be searched; `metadata` with a key in brackets.

    Raises:
        InvalidRequest: another field, no query at all, AND and OR together, or more than ten clauses.
    """
    tests: list[Test] = []
    joints: set[str] = set()
    place = 0
    while True:
        clause = CLAUSE.match(text, place)
        if clause is None or clause["field"] not in fields or (clause["field"] == "metadata") != bool(clause["key"]):
            raise _unreadable(text, fields)
        tests.append(_test(clause))
        place = clause.end()
        if place == len(text):
            break
        joint = JOINT.match(text, place)
        joints.add(joint[1].upper() if joint else "AND")
        place = joint.end() if joint else place
    if len(joints) > 1 or len(tests) > CLAUSES_MAX:
        raise InvalidRequest(f"A query joins at most {CLAUSES_MAX} clauses, by AND alone or by OR alone.", param="query")
    together = any if joints == {"OR"} else all
    return lambda value: together(test(value) for test in tests)


def _test(clause: re.Match[str]) -> Test:
    wanted, operator, is_negated = _value(clause["value"]), clause["operator"], bool(clause["not"])

    def test(value: Object) -> bool:
        found = (value.get("metadata") or {}).get(clause["key"]) if clause["key"] else value.get(clause["field"])
        return _holds(found, operator, wanted) != is_negated

    return test


def _holds(found: Any, operator: str, wanted: str | int | None) -> bool:
    if operator in (">", "<", ">=", "<="):
        if not isinstance(found, int) or not str(wanted).lstrip("-").isdigit():
            return False
        bound = int(wanted or 0)
        return {">": found > bound, "<": found < bound, ">=": found >= bound, "<=": found <= bound}[operator]
    if wanted is None or found is None:
        return found is wanted
    text = str(found).lower() if isinstance(found, bool) else str(found)
    if operator == "~":
        return str(wanted).lower() in text.lower()
    return text.lower() == str(wanted).lower()


def _value(text: str) -> str | int | None:
    if text == "null":
        return None
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text[0] in "\"'" else int(text)


def _unreadable(text: str, fields: frozenset[str]) -> InvalidRequest:
    return InvalidRequest(
        f'We were unable to parse your search query {text!r}. It searches {", ".join(sorted(fields))}, as in `name:"Ana"`.',
        code="parameter_invalid_string",
        param="query",
    )
