"""Holds objects against Stripe's own schemas, and says which of their fields may be null."""

from __future__ import annotations

from functools import cache
from typing import Any

from .errors import ShapeMismatch
from .objects import Object
from .specification import Specification

PREFIX = "#/components/schemas/"
# What the SDK's version (2026-10-28.endive) has and the document (2026-08-26.dahlia) has not.
NEWER_FIELDS = {
    "billing_portal.session": {"after_expiration"},
    "invoice": {"status_details"},
    "invoiceitem": {"invoicing_rules"},
    "subscription": {"status_details"},
    "subscription_item": {"current_trial"},
    "subscription_schedule": {"pause_schedules"},
}
# Real answers carry these too (Stripe's own fixtures show them), though the document does not name them.
OLDER_FIELDS = {"product": {"type"}}
NOT_RESOURCES = ("application", "item", "line_item", "invoice_payment", "credit_note_line_item")
KINDS: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}


class Shapes:
    """The judge of what is sent out: answers and webhook payloads.

    Args:
        specification: Stripe's document.
    """

    def __init__(self, specification: Specification) -> None:
        self._schemas = specification.schemas
        named = ((schema.get("x-resourceId"), name) for name, schema in self._schemas.items() if not name.startswith("deleted_"))
        self._names = {str(kind): name for kind, name in named if kind} | {name: name for name in NOT_RESOURCES}

    def serves(self, kind: str) -> bool:
        """Does the schema of this `object` value ship?"""
        return kind in self._names

    def problems(self, value: Object) -> list[str]:
        """Return one sentence for each way in which an object is not Stripe's; nothing for a stub `{"deleted": true}`."""
        kind = str(value.get("object"))
        if value.get("deleted"):
            return []
        if kind in ("list", "search_result"):
            return [problem for each in value["data"] for problem in self.problems(each)]
        if not self.serves(kind):
            return [f"{kind}: Stripe has no such object, or it does not ship here"]
        name = self._names[kind]
        known = set(self._schemas[name]["properties"]) | NEWER_FIELDS.get(kind, set()) | OLDER_FIELDS.get(kind, set())
        unknown = [f"{kind}: unknown field {field}" for field in sorted(set(value) - known)]
        return [f"{kind}{problem}" for problem in self._held(value, self._schemas[name], "")] + unknown

    def demand(self, value: Object) -> None:
        """Raise ShapeMismatch unless the object is one that Stripe could have sent."""
        if found := self.problems(value):
            raise ShapeMismatch(found)

    def _held(self, value: Any, schema: Object, path: str) -> list[str]:
        if "$ref" in schema:
            return self._held(value, self._schemas[str(schema["$ref"]).removeprefix(PREFIX)], path)
        if value is None:
            return [] if schema.get("nullable") or not schema.keys() - {"description"} else [f"{path}: null is not allowed"]
        if "anyOf" in schema:
            return self._any_of(value, schema["anyOf"], path)
        return self._plain(value, schema, path)

    def _plain(self, value: Any, schema: Object, path: str) -> list[str]:
        kind = schema.get("type")
        if kind and (not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "boolean")):
            return [f"{path}: {value!r:.80} is no {kind}"]
        if "enum" in schema and value not in schema["enum"]:
            return [f"{path}: {value!r:.80} is not among the allowed values"]
        if isinstance(value, str):
            return [f"{path}: longer than {schema['maxLength']}"] if len(value) > schema.get("maxLength", len(value)) else []
        if isinstance(value, list):
            return [problem for place, each in enumerate(value) for problem in self._held(each, schema.get("items", {}), f"{path}/{place}")]
        return self._fields(value, schema, path) if isinstance(value, dict) else []

    def _any_of(self, value: Any, choices: list[Object], path: str) -> list[str]:
        findings = []
        for choice in choices:
            found = self._held(value, choice, path)
            if not found:
                return []
            findings.append(found)
        # An object is most likely meant to be the choice it fits best.
        return min(findings, key=lambda found: (all(problem.endswith("is no string") for problem in found), len(found)))

    def _fields(self, value: Object, schema: Object, path: str) -> list[str]:
        properties = schema.get("properties", {})
        found = [f"{path}: {name} is missing" for name in schema.get("required", []) if name not in value]
        for name, inner in value.items():
            rule = properties.get(name, schema.get("additionalProperties", {}))
            if rule is False:
                found.append(f"{path}: unknown field {name}")
            elif isinstance(rule, dict):
                found += self._held(inner, rule, f"{path}/{name}")
        return found


def blank(kind: str) -> Object:
    """Return what every object of a kind begins as: its `object`, and null wherever Stripe's document allows it.

    Args:
        kind: a schema's name with underscores as dots are kept, such as `credit_note` or `test_helpers.test_clock`.
    """
    return {"object": kind, **dict.fromkeys(_nullable(kind))}


@cache
def _nullable(kind: str) -> tuple[str, ...]:
    properties = Specification().schemas[kind]["properties"]
    return tuple(sorted(name for name, rule in properties.items() if rule.get("nullable")))
