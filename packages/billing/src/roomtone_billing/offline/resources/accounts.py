"""Connected accounts: the sellers on a platform, from an empty account through onboarding to restriction and goodbye."""

from __future__ import annotations

from typing import Any

from ..objects import Object, listing, merged_metadata
from ..shapes import blank
from ..world import World
from . import events

KIND = "account"
WANTED = ("business_profile.url", "external_account", "tos_acceptance.date", "tos_acceptance.ip")
CURRENCIES = {"CH": "chf", "DK": "dkk", "GB": "gbp", "PL": "pln", "SE": "sek", "US": "usd"}


def create(world: World, params: Object) -> Object:
    """Add an account that cannot charge yet: it has still to be onboarded."""
    account_id = world.new_id("acct", length=16)
    kind = params.get("type", "none" if "controller" in params else "standard")
    country = params.get("country", "FR")
    capabilities = {name: "inactive" for name, value in params.get("capabilities", {}).items() if value.get("requested")}
    account = world.store.add(
        KIND,
        {
            **blank(KIND),
            "id": account_id,
            "business_profile": {**_profile(), **params.get("business_profile", {})},
            "business_type": params.get("business_type"),
            "capabilities": capabilities,
            "charges_enabled": False,
            "controller": {"type": "application", "is_controller": True},
            "country": country,
            "created": world.now,
            "default_currency": params.get("default_currency", CURRENCIES.get(country, "eur")),
            "details_submitted": False,
            "email": params.get("email"),
            "external_accounts": listing([], url=f"/v1/accounts/{account_id}/external_accounts"),
            "future_requirements": _requirements(()),
            "metadata": merged_metadata({}, params.get("metadata")),
            "payouts_enabled": False,
            "requirements": _requirements(WANTED),
            "settings": _settings(),
            "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
            "type": kind,
        },
    )
    events.emit(world, "account.created", account)
    return account


def update(world: World, account_id: str, params: Object) -> Object:
    """Change what the parameters name."""
    before = world.store.get(KIND, account_id)
    changes: Object = {name: params[name] for name in ("email", "business_type") if name in params}
    if "business_profile" in params:
        changes["business_profile"] = {**before["business_profile"], **params["business_profile"]}
    if "metadata" in params:
        changes["metadata"] = merged_metadata(before["metadata"], params["metadata"])
    return change(world, account_id, **changes)


def onboard(world: World, account_id: str) -> Object:
    """The seller has told everything: the account can charge and be paid out."""
    capabilities = dict.fromkeys(world.store.get(KIND, account_id)["capabilities"] or ("card_payments", "transfers"), "active")
    facts = {"capabilities": capabilities, "requirements": _requirements(())}
    return change(world, account_id, charges_enabled=True, payouts_enabled=True, details_submitted=True, **facts)


def restrict(world: World, account_id: str) -> Object:
    """Stripe wants to know more and lets the account charge no longer."""
    wanted = {**_requirements(("individual.verification.document",)), "disabled_reason": "requirements.past_due"}
    wanted["past_due"] = wanted["currently_due"]
    return change(world, account_id, charges_enabled=False, payouts_enabled=False, requirements=wanted)


def change(world: World, account_id: str, **values: Any) -> Object:
    """Replace fields and emit account.updated, as the account's own event, when something differs."""
    before = world.store.get(KIND, account_id)
    after = world.store.change(KIND, account_id, **values)
    if after != before:
        with world.store.seen_as(account_id):
            events.emit(world, "account.updated", after, before=before)
    return after


def deauthorize(world: World, account_id: str) -> None:
    """The seller leaves the platform, which can no longer act for the account."""
    world.store.get(KIND, account_id)
    application = {"id": "ca_offline", "object": "application", "name": world.settings.business}
    with world.store.seen_as(account_id):
        events.emit(world, "account.application.deauthorized", application)
    world.store.replace(KIND, {"id": account_id, "object": KIND, "deleted": True})


def _requirements(wanted: tuple[str, ...]) -> Object:
    lists: Object = {name: [] for name in ("alternatives", "errors", "past_due", "pending_verification")}
    asked = {"currently_due": list(wanted), "eventually_due": list(wanted)}
    return {**lists, **asked, "current_deadline": None, "disabled_reason": "requirements.past_due" if wanted else None}


def _profile() -> Object:
    names = ("annual_revenue", "estimated_worker_count", "mcc", "name", "product_description", "support_address", "support_email")
    return dict.fromkeys((*names, "support_phone", "support_url", "url"))


def _settings() -> Object:
    prefixes = dict.fromkeys(("statement_descriptor_prefix", "statement_descriptor_prefix_kana", "statement_descriptor_prefix_kanji"))
    words = ("statement_descriptor", "statement_descriptor_kana", "statement_descriptor_kanji")
    return {
        "branding": dict.fromkeys(("icon", "logo", "primary_color", "secondary_color")),
        "card_payments": {"decline_on": {"avs_failure": False, "cvc_failure": False}, **prefixes},
        "dashboard": {"display_name": None, "timezone": "Etc/UTC"},
        "payments": dict.fromkeys((*words, "statement_descriptor_prefix_kana", "statement_descriptor_prefix_kanji")),
    }
