"""Every public error is raised in a test of its package."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

# Errors that become an answer before a test can catch them, each with the test that sees that answer.
SEEN_OTHERWISE = {
    "IdempotencyMismatch": ("packages/billing/tests/offline/test_api.py", "IdempotencyError"),
    "NotSupported": ("packages/billing/tests/offline/test_api.py", "test_what_stripe_knows_and_this_does_not_is_a_501_that_names_it"),
    "RateLimited": ("packages/billing/tests/offline/test_scenario_platform.py", "RateLimitError"),
    "ServerFault": ("packages/billing/tests/offline/test_scenario_platform.py", "test_78_a_stored_500_is_replayed"),
    "NotSignedIn": ("tests/architecture/test_routes.py", "test_closed_routes_let_in_nobody_unknown"),
    "NotAllowed": ("tests/architecture/test_routes.py", "test_routes_of_the_owner_refuse_other_staff"),
}
# The offline Stripe is a program of its own, studio.embedded is loaded alone by tests, and the demo's browser stands for a person.
ROOTS = {
    "roomtone_tenancy": {"TenancyError"},
    "roomtone_billing": {"BillingError", "StripeError"},
    "roomtone_ai_credits": {"CreditsError"},
    "studio": {"StudioError", "EmbeddedPostgresError", "PageError"},
}


def test_every_public_error_is_raised_in_a_test(package):
    errors, bases = _errors(package.source)

    unseen = errors - bases - set(SEEN_OTHERWISE) - _caught(package.tests)

    assert not unseen, f"{package.name}: no test raises {sorted(unseen)}"


@pytest.mark.parametrize("error", SEEN_OTHERWISE)
def test_errors_that_are_seen_otherwise_are_seen(error, root):
    path, words = SEEN_OTHERWISE[error]

    assert words in (root / path).read_text()


def test_every_error_of_a_package_descends_from_one(package):
    classes, (errors, _) = _classes(package.source), _errors(package.source)
    roots = {name for name in errors if not classes[name] & errors}

    assert roots <= ROOTS[package.name]


def _classes(folder: Path) -> dict[str, set[str]]:
    """Every public class and the names of its bases."""
    found: dict[str, set[str]] = {}
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name] = {base.id for base in node.bases if isinstance(base, ast.Name)}
    return found


def _errors(folder: Path) -> tuple[set[str], set[str]]:
    """The error classes, and those of them that others descend from."""
    classes = _classes(folder)
    errors: set[str] = set()
    roots = {"Exception", "RuntimeError", "ValueError", "KeyError", "OSError"}
    while more := {name for name, bases in classes.items() if bases & (errors | roots)} - errors:
        errors |= more
    return errors, {base for name in errors for base in classes[name]} & errors


def _caught(folder: Path) -> set[str]:
    """Names that tests hand to `raises` or catch with `except`."""
    names: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            expected: list[ast.expr] = []
            if isinstance(node, ast.Call) and _name(node.func) == "raises":
                expected = node.args[:1]
            elif isinstance(node, ast.ExceptHandler) and node.type is not None:
                expected = [node.type]
            names |= {_name(part) for one in expected for part in (one.elts if isinstance(one, ast.Tuple) else [one])}
    return names


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
