"""Cuts the part of Stripe's OpenAPI document that the offline Stripe uses. A developer runs it when the document is renewed.

`python cut.py ../shared/stripe/openapi.json.gz` writes `stripe.json.gz` beside this file: the schemas of the supported resources, the
parameters of the supported operations, and the names of all other paths (which answer 501). The licence stays in `LICENSE.stripe`.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

RESOURCE_NAMES = """
billing_portal.configuration billing_portal.session charge checkout.session customer deleted_customer deleted_invoice deleted_product
deleted_subscription_item deleted_webhook_endpoint error event invoice invoice_payment item line_item payment_intent payment_method price
product subscription subscription_item webhook_endpoint
"""
RESOURCES = frozenset(RESOURCE_NAMES.split())
OPERATIONS = """
get,post /v1/customers
get,post,delete /v1/customers/{customer}
get /v1/customers/{customer}/payment_methods
get /v1/customers/{customer}/payment_methods/{payment_method}
get,post /v1/products
get,post,delete /v1/products/{id}
get,post /v1/prices
get,post /v1/prices/{price}
get,post /v1/payment_methods
get,post /v1/payment_methods/{payment_method}
post /v1/payment_methods/{payment_method}/attach
post /v1/payment_methods/{payment_method}/detach
get,post /v1/checkout/sessions
get,post /v1/checkout/sessions/{session}
post /v1/checkout/sessions/{session}/expire
get /v1/checkout/sessions/{session}/line_items
get,post /v1/billing_portal/configurations
get,post /v1/billing_portal/configurations/{configuration}
post /v1/billing_portal/sessions
get,post /v1/subscriptions
get,post,delete /v1/subscriptions/{subscription_exposed_id}
get,post /v1/subscription_items
get,post,delete /v1/subscription_items/{item}
get,post /v1/invoices
get,post,delete /v1/invoices/{invoice}
get /v1/invoices/{invoice}/lines
post /v1/invoices/{invoice}/pay
post /v1/invoices/{invoice}/finalize
post /v1/invoices/{invoice}/void
post /v1/invoices/create_preview
get /v1/invoice_payments
get /v1/invoice_payments/{invoice_payment}
get /v1/payment_intents
get /v1/payment_intents/{intent}
get /v1/charges
get /v1/charges/{charge}
get /v1/events
get /v1/events/{id}
get,post /v1/webhook_endpoints
get,post,delete /v1/webhook_endpoints/{webhook_endpoint}
"""
PREFIX = "#/components/schemas/"


def cut(document: dict[str, Any]) -> dict[str, Any]:
    """Return the version, the needed schemas and operations, and the other paths' names."""
    schemas = document["components"]["schemas"]
    operations: dict[str, Any] = {}
    for line in OPERATIONS.strip().splitlines():
        verbs, path = line.split()
        for verb in verbs.split(","):
            if verb in document["paths"].get(path, {}):
                operations[f"{verb} {path}"] = parameters(document["paths"][path][verb])
    kept: dict[str, Any] = {}
    waiting = [*RESOURCES, *referenced(operations)]
    while waiting:
        name = waiting.pop()
        if name in kept or name not in schemas:
            continue
        kept[name] = without_foreign(schemas[name], schemas)
        waiting += referenced(kept[name])
    supported = {key.split()[1] for key in operations}
    others = sorted(path for path in document["paths"] if path not in supported)
    return {"version": document["info"]["version"], "schemas": kept, "operations": operations, "other_paths": others}


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
