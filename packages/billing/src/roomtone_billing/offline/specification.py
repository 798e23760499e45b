"""Holds requests and objects against Stripe's own OpenAPI document (the part of it that ships here)."""

from __future__ import annotations

import gzip
import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

from .errors import InvalidRequest
from .objects import Object

# The SDK is newer than the document (2026-10-28.endive): parameters it may send that the document does not know yet.
NEWER_PARAMETERS: dict[str, dict[str, Any]] = {}
INTEGER = re.compile(r"\A-?\d{1,18}\Z")
DECIMAL = re.compile(r"\A-?\d+(\.\d+)?\Z")


class Specification:
    """The supported operations' parameters, the resources' schemas, and the names of the paths that are not supported."""

    def __init__(self) -> None:
        self._document = _document()

    @property
    def version(self) -> str:
        """The API version of the document."""
        return str(self._document["version"])

    @property
    def schemas(self) -> Object:
        """OpenAPI component schemas by name."""
        return self._document["schemas"]  # type: ignore[no-any-return]

    def knows(self, method: str, path: str) -> bool:
        """Is it an operation of Stripe's API that is not supported here?"""
        return any(pattern.fullmatch(f"{method} {path}") for pattern in _others())

    def checked(self, operation: str, params: Object) -> Object:
        """Return the parameters with integers, booleans and numbers read from their text.

        Args:
            operation: `post /v1/customers/{customer}`.
            params: as decoded from the form.

        Raises:
            InvalidRequest: unknown (`parameter_unknown`), missing (`parameter_missing`) or malformed parameter.
        """
        schema = self._document["operations"][operation]
        extra = NEWER_PARAMETERS.get(operation)
        known = schema if extra is None else {**schema, "properties": {**schema["properties"], **extra}}
        return _object(params, known, "", is_top=True)  # type: ignore[no-any-return]


@cache
def _document() -> Object:
    """The shipped part of Stripe's document, read once: nobody changes it."""
    packed = files("roomtone_billing.offline").joinpath("data/stripe.json.gz").read_bytes()
    return json.loads(gzip.decompress(packed))  # type: ignore[no-any-return]


@cache
def _others() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(re.sub(r"\{[^}]+\}", "[^/]+", operation)) for operation in _document()["others"])


def _object(value: Any, schema: Object, name: str, *, is_top: bool = False) -> Any:
    if not isinstance(value, dict):
        raise InvalidRequest("Invalid object", param=name)
    properties = schema.get("properties", {})
    extra = schema.get("additionalProperties", False if properties or is_top else {})
    result = {}
    for key, given in value.items():
        label = f"{name}[{key}]" if name else key
        rule = properties.get(key, extra)
        if rule is False:
            raise InvalidRequest(f"Received unknown parameter: {label}", code="parameter_unknown", param=label)
        result[key] = read(given, rule if isinstance(rule, dict) else {}, label)
    for key in schema.get("required", []):
        if key not in value:
            label = f"{name}[{key}]" if name else key
            raise InvalidRequest(f"Missing required param: {label}.", code="parameter_missing", param=label)
    return result


def read(value: Any, schema: Object, name: str) -> Any:
    """Return one parameter's value in its own type; raises InvalidRequest naming it."""
    if "anyOf" in schema:
        return _any_of(value, schema["anyOf"], name)
    match schema.get("type"):
        case "object":
            return _object(value, schema, name)
        case "array":
            if not isinstance(value, list):
                raise InvalidRequest("Invalid array", param=name)
            return [read(each, schema.get("items", {}), f"{name}[{place}]") for place, each in enumerate(value)]
        case None:
            return value
        case kind:
            return _scalar(value, str(kind), schema, name)


def _any_of(value: Any, choices: list[Object], name: str) -> Any:
    refusal: InvalidRequest | None = None
    # The empty string that clears a field comes last in the document, and must win over "a string".
    for choice in sorted(choices, key=lambda choice: "enum" not in choice):
        try:
            return read(value, choice, name)
        except InvalidRequest as error:
            refusal = error if refusal is None or choice.get("type") in ("object", "array") else refusal
    assert refusal is not None
    raise refusal


def _scalar(value: Any, kind: str, schema: Object, name: str) -> Any:
    if not isinstance(value, str):
        raise InvalidRequest(f"Invalid {kind}", param=name)
    if kind == "integer":
        if not INTEGER.match(value):
            raise InvalidRequest(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
        return int(value)
    if kind == "boolean":
        if value not in ("true", "false"):
            raise InvalidRequest(f"Invalid boolean: {value}", param=name)
        return value == "true"
    if kind == "number" or schema.get("format") == "decimal":
        if not DECIMAL.match(value):
            raise InvalidRequest(f"Invalid decimal: {value}", code="parameter_invalid_decimal" if kind == "string" else None, param=name)
        return value if kind == "string" else float(value)
    return _text(value, schema, name)


def _text(value: str, schema: Object, name: str) -> str:
    if "enum" in schema and value not in schema["enum"]:
        allowed = ", ".join(repr(each) for each in schema["enum"][:20])
        raise InvalidRequest(f"Invalid {name}: must be one of {allowed}", param=name)
    if len(value) > schema.get("maxLength", len(value)):
        raise InvalidRequest(
            f"Invalid string: {name} is longer than {schema['maxLength']} characters", code="parameter_invalid_string", param=name
        )
    if schema.get("format") == "currency" and not re.fullmatch("[a-zA-Z]{3}", value):
        raise InvalidRequest(f"Invalid currency: {value}", param=name)
    return value.lower() if schema.get("format") == "currency" else value
