"""Cuts the part of Stripe's OpenAPI document that the offline Stripe uses. A developer runs it when the document is renewed.

`python -m roomtone_billing.offline.data.cut ../shared/stripe/openapi.json.gz` writes `stripe.json.gz` beside this file: the schemas of the
supported resources, the parameters of the operations that have a route, and the names of all other operations (which answer 501). The
licence stays in `LICENSE.stripe`.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

from roomtone_billing.offline.api import MODULES

RESOURCE_NAMES = """
account account_link application application_fee billing.meter billing.meter_event billing.meter_event_summary billing_portal.configuration
billing_portal.session charge checkout.session coupon credit_note credit_note_line_item customer customer_balance_transaction
deleted_account deleted_coupon deleted_customer deleted_discount deleted_invoice deleted_invoiceitem deleted_product
deleted_subscription_item deleted_tax_id deleted_test_helpers.test_clock deleted_webhook_endpoint discount dispute
entitlements.active_entitlement entitlements.active_entitlement_summary entitlements.feature error event fee_refund invoice
invoice_payment invoiceitem item line_item login_link payment_intent payment_method price product product_feature promotion_code refund
setup_intent subscription subscription_item subscription_schedule tax_id tax_rate test_helpers.test_clock transfer transfer_reversal
webhook_endpoint
"""
RESOURCES = frozenset(RESOURCE_NAMES.split())
PREFIX = "#/components/schemas/"


def cut(document: dict[str, Any]) -> dict[str, Any]:
    """Return the version, the needed schemas and operations, and the other paths' names."""
    schemas = document["components"]["schemas"]
    operations: dict[str, Any] = {}
    for module in MODULES:
        for route in module.ROUTES:
            verb, path = route.operation.split()
            operations[route.operation] = parameters(document["paths"][path][verb])
    kept: dict[str, Any] = {}
    waiting = [*RESOURCES, *referenced(operations)]
    while waiting:
        name = waiting.pop()
        if name in kept or name not in schemas:
            continue
        kept[name] = without_foreign(schemas[name], schemas)
        waiting += referenced(kept[name])
    every = {f"{verb} {path}" for path, verbs in document["paths"].items() for verb in verbs if verb in ("get", "post", "delete")}
    others = sorted(every - set(operations))
    return {"version": document["info"]["version"], "schemas": kept, "operations": operations, "others": others}


def parameters(operation: dict[str, Any]) -> dict[str, Any]:
    """One schema of everything the caller may send: body fields and query parameters (an operation has one or the other)."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/x-www-form-urlencoded", {}).get("schema", {})
    properties = dict(body.get("properties", {}))
    required = list(body.get("required", []))
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "query":
            properties[parameter["name"]] = parameter["schema"]
            if parameter.get("required"):
                required.append(parameter["name"])
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def without_foreign(node: Any, schemas: dict[str, Any]) -> Any:
    """Replace references to resources that are not served by "any object", so that the closure stays small."""
    if isinstance(node, dict):
        target = str(node.get("$ref", "")).removeprefix(PREFIX)
        if target and target not in RESOURCES and "x-resourceId" in schemas.get(target, {}):
            return {"type": "object"}
        return {key: without_foreign(value, schemas) for key, value in node.items() if key != "x-expansionResources"}
    return [without_foreign(value, schemas) for value in node] if isinstance(node, list) else node


def referenced(node: Any) -> list[str]:
    """Names of the schemas a piece of the document points to."""
    if isinstance(node, dict):
        own = [str(node["$ref"]).removeprefix(PREFIX)] if isinstance(node.get("$ref"), str) else []
        return own + [name for value in node.values() for name in referenced(value)]
    return [name for value in node for name in referenced(value)] if isinstance(node, list) else []


if __name__ == "__main__":
    text = json.dumps(cut(json.loads(gzip.decompress(Path(sys.argv[1]).read_bytes()))), sort_keys=True, separators=(",", ":"))
    Path(__file__).with_name("stripe.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
