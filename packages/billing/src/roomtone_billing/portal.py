"""What customers may do on Stripe's portal page, as part of the catalogue; and what separates it from Stripe. Pure.

Changing a plan and ending it are never on that page: `preview_change` and `cancel` show what it costs, guard limits, and can be taken back.
"""

from __future__ import annotations

from dataclasses import dataclass as plain_dataclass
from dataclasses import field, replace
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.dataclasses import dataclass

Detail = Literal["name", "email", "address", "phone", "shipping", "tax_id"]
Url = Annotated[str, StringConstraints(pattern=r"^https?://\S+$")]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Portal:
    """The customer's portal.

    Args:
        card: whether cards can be changed there.
        invoices: whether invoices are listed there.
        details: what customers may correct of themselves.
        headline: one line at its top, at most 60 characters; None: as it is.
        terms_url, privacy_url: linked there; None: as they are, for Stripe can change them but not take them away.
    """

    card: bool = True
    invoices: bool = True
    details: frozenset[Detail] = field(default_factory=lambda: frozenset({"name", "email", "address", "tax_id"}))
    headline: Annotated[str, Field(min_length=1, max_length=60)] | None = None
    terms_url: Url | None = None
    privacy_url: Url | None = None


@plain_dataclass(frozen=True, kw_only=True)
class PublishedPortal:
    """Our portal at Stripe; `offers_more` when somebody has switched on what it must not offer."""

    id: str
    portal: Portal
    offers_more: bool = False


@plain_dataclass(frozen=True, kw_only=True)
class PortalChange:
    """A portal to make, or to bring back to what the catalogue says; `before` is how it is now."""

    portal: Portal
    before: PublishedPortal | None = None
    is_in_use: bool = False

    @property
    def action(self) -> Literal["create", "update"]:
        """Whether there is one."""
        return "update" if self.before else "create"

    def __str__(self) -> str:
        if self.before is None:
            return "create portal"
        named = [name for name in vars(self.portal) if getattr(self.portal, name) != getattr(self.before.portal, name)]
        more = ["it offers to change or end plans"] if self.before.offers_more else []
        return f"update portal: {', '.join([*named, *more])}"

    def to_json(self) -> dict[str, object]:
        """The change as plain JSON values."""
        before = self.before
        return {
            "action": self.action,
            "kind": "portal",
            "key": before.id if before else None,
            "before": before and _json(before.portal) | {"offers_more": before.offers_more},
            "after": _json(self.portal) | {"offers_more": False},
        }


def diff(wanted: Portal | None, found: PublishedPortal | None) -> tuple[PortalChange, ...]:
    """What makes Stripe's portal agree with the catalogue; a catalogue without one leaves Stripe's alone."""
    if wanted is None:
        return ()
    if found is not None:
        there = found.portal
        known = replace(
            there,
            headline=wanted.headline and there.headline,
            terms_url=wanted.terms_url and there.terms_url,
            privacy_url=wanted.privacy_url and there.privacy_url,
        )
        found = replace(found, portal=known)
        if found.portal == wanted and not found.offers_more:
            return ()
    return (PortalChange(portal=wanted, before=found),)


def _json(portal: Portal) -> dict[str, object]:
    return vars(portal) | {"details": sorted(portal.details)}
