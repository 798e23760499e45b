"""Values as an export has them: JSON that any program can read, by the kind of their column. Pure.

| kind | JSON | |
|---|---|---|
| integer, float | a number | floats that are none, like NaN, are strings |
| decimal | a string | with all its digits |
| boolean | true, false | |
| bytes | a string | base64 |
| date, time, datetime | a string | ISO 8601, as the database has it |
| instant | a string | ISO 8601 in UTC |
| json | a string | JSON of its own, so that its null is not the column's |
| array of ... | an array | of values of this kind |
| text, uuid, other | a string | other: as the database writes it |

NULL is null. What SQLite keeps in a column of another kind is an object of its storage class and its value.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

ARRAY = "array of "
KINDS = ("integer", "float", "decimal", "boolean", "bytes", "date", "time", "datetime", "instant", "json", "uuid", "text", "other")
_NUMBERS = ("integer", "float", "decimal", "boolean")
_MOMENTS = ("datetime", "instant", "date")
_MOMENT = re.compile(r"(\d{4,}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?)?(?:Z|\+00(?::?00)?)?", re.ASCII)
_TIME = re.compile(r"(\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column of an export, or of the table that it goes into.

    Args:
        declared: how the table declares it, where that says more than the kind.
    """

    name: str
    kind: str
    declared: str = field(default="", compare=False)

    @property
    def element(self) -> str | None:
        """The kind of an array's elements."""
        return self.kind.removeprefix(ARRAY) if self.kind.startswith(ARRAY) else None


def moment_parts(text: str) -> tuple[str, str, str] | None:
    """Day, time and digits of the fraction of a date or time in UTC; None when it is none of an ordinary calendar."""
    found = _MOMENT.fullmatch(text)
    return None if found is None else (found[1], found[2] or "00:00:00", found[3] or "")


def time_parts(text: str) -> tuple[str, str] | None:
    """Time of day and digits of its fraction."""
    found = _TIME.fullmatch(text)
    return None if found is None else (found[1], found[2] or "")


def encode_bytes(value: bytes) -> str:
    """As an export has them."""
    return base64.b64encode(value).decode()


def decode_bytes(value: str) -> bytes:
    """What `encode_bytes` gave.

    Raises:
        ValueError: it is no base64.
    """
    return base64.b64decode(value, validate=True)


def check(kind: str, value: Any) -> Any:  # JSON
    """The value, if it is one of this kind.

    Raises:
        ValueError: an export never has it there.
    """
    if value is None:
        return value
    if kind.startswith(ARRAY):
        if isinstance(value, list):
            return [check(kind if isinstance(each, list) else kind.removeprefix(ARRAY), each) for each in value]
    elif isinstance(value, dict):
        if set(value) == {"storage", "value"} and value["storage"] in ("integer", "real", "text", "blob"):
            return value
    elif (
        (kind == "boolean" and isinstance(value, bool))
        or (kind == "integer" and isinstance(value, int) and not isinstance(value, bool))
        or (kind == "float" and isinstance(value, (int, float, str)) and not isinstance(value, bool))
        or (kind not in ("boolean", "integer", "float") and isinstance(value, str))
    ):
        return value
    raise ValueError(f"{str(value)[:40]!r} is no value of kind {kind!r}")


# ── Comparing what was given with what the database then has ─────────────


def meaning(given: str, found: str) -> Callable[[Any], Any]:
    """What is compared when values of the one kind were put into a column of the other: what both can say."""
    kinds = {given, found}
    if len(kinds) > 1:
        kinds.discard("text")
    if any(kind.startswith(ARRAY) for kind in kinds) or "json" in kinds:
        return _json_meaning
    kind = next(iter(sorted(kinds)))
    return _MEANINGS.get("decimal" if kinds <= set(_NUMBERS) else "datetime" if kinds <= set(_MOMENTS) else kind, _as_is)


def _as_is(value: Any) -> Any:
    return value


def _number(value: Any) -> Any:
    """The number, whatever it is written as; 1.50 and 1.5 are one."""
    try:
        number = Decimal(int(value)) if isinstance(value, bool) else Decimal(repr(value) if isinstance(value, float) else str(value))
    except InvalidOperation:
        return value
    if not number.is_finite():
        return str(number)
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    plain = "".join(map(str, digits)).lstrip("0")
    short = plain.rstrip("0")
    return f"{'-' if sign else ''}{short}e{exponent + len(plain) - len(short)}" if short else "0"


def _moment(value: Any) -> Any:
    parts = moment_parts(value) if isinstance(value, str) else None
    return value if parts is None else (*parts[:2], parts[2].rstrip("0"))


def _time(value: Any) -> Any:
    parts = time_parts(value) if isinstance(value, str) else None
    return value if parts is None else (parts[0], parts[1].rstrip("0"))


def _uuid(value: Any) -> Any:
    return value.replace("-", "").lower() if isinstance(value, str) else value


def _json_meaning(value: Any) -> Any:
    """An array is what JSON says of it; numbers by their value, objects whatever the order of their names."""
    if isinstance(value, str):
        try:
            value = json.loads(value, parse_float=Decimal, parse_int=Decimal)
        except (ValueError, RecursionError):
            return value
    return _plain(value)


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {"object": {name: _plain(each) for name, each in value.items()}}
        case list():
            return [_plain(each) for each in value]
        case bool():
            return value
        case Decimal() | int() | float():
            return {"number": _number(value)}
        case _:
            return value


_MEANINGS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {"decimal": _number, "float": _number, "datetime": _moment, "instant": _moment, "time": _time, "uuid": _uuid}
)
