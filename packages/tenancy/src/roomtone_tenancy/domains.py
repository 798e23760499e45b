"""Hosts of tenants: claimed, proved by DNS, given up."""

from __future__ import annotations

import builtins
import hmac
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from .errors import BadHost, DomainTaken, DomainUnproved, ReservedHost, TooManyClaims, UnknownDomain
from .insertion import insert_if_absent
from .models import DomainClaimRow, DomainRow, TenantRow
from .registry import Registry
from .resolve import is_address, normalise_host

CLAIMS_MAX = 100
"""Hosts that one tenant may claim without proof at a time."""
CLAIM_TTL = timedelta(days=30)
"""How long a claim may wait for its proof. After that it is none: its challenge proves nothing, and a new claim has a new one."""
VALUES_MAX = 100
"""TXT values that are looked at: a zone may hold any number."""
VALUE_PREFIX = "roomtone-verify="
Lookup = Callable[[str], Sequence[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenge:
    """What the owner of a domain puts into its zone: a TXT record of this name with this value."""

    name: str
    value: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Domain:
    """One host of a tenant. With a challenge it is only claimed: it answers to nobody yet.

    Args:
        is_primary: the host that the tenant's addresses are built with; of a claim, whether it will be.
        expires_at: until when a claim can be proved; None for a host that the tenant has.
        verified_at: when it was proved; None while it is not, and for one that the host application gave.
    """

    host: str
    is_primary: bool
    challenge: Challenge | None
    verified_at: datetime | None
    created_at: datetime
    expires_at: datetime | None = None

    @property
    def is_verified(self) -> bool:
        """Whether the tenant answers to it."""
        return self.challenge is None


class Domains:
    """The hosts of one catalog's tenants. Calls that take a session flush; the host commits.

    Any number of tenants may claim a host, and the first that proves it has it alone. So nobody can keep a domain from its owner by
    claiming it, and a claim that is never proved costs nothing but its row, until it expires.

    Args:
        label: the first label of a challenge's name.
    """

    def __init__(self, *, registry: Registry, clock: Callable[[], datetime], label: str = "_roomtone-challenge") -> None:
        self._registry, self._clock, self._label = registry, clock, label
        self.catalog = registry.catalog

    def add(self, session: Session, key: str, host: str, *, primary: bool = False, verified: bool = False) -> Domain:
        """Claim a host for a tenant, or give it one at once. A second claim of the same host shows the same challenge.

        Args:
            primary: make it the primary, for a claim when it is proved.
            verified: it needs no proof, as a subdomain of the platform's own.

        Raises:
            UnknownTenant: there is none.
            BadHost: no host name, or one that has no zone: an address, a single label.
            ReservedHost: it is the platform's own, and a claim.
            DomainTaken: another tenant has it.
            TooManyClaims: `CLAIMS_MAX` wait for proof already.
        """
        host = normalise_host(host)
        row = self._registry.locked(session, key)
        owner = session.get(DomainRow, host, populate_existing=True)
        if owner is not None and owner.tenant_id != row.id:
            raise DomainTaken(host)
        if verified or owner is not None:
            return self._give(session, row, host, primary=primary)
        if is_address(host) or "." not in host:
            raise BadHost(host)
        if self._registry.reserved.has_host(host):
            raise ReservedHost(host)
        session.execute(delete(DomainClaimRow).where(DomainClaimRow.tenant_id == row.id, ~self._is_live()))
        self._check_room(session, row, host)
        values = {"host": host, "tenant_id": row.id, "token": secrets.token_urlsafe(32), "is_primary": primary, "created_at": self._clock()}
        insert_if_absent(session.connection(), DomainClaimRow, **values)
        return self._of_claim(self._claim(session, row, host))

    def verify(self, session: Session, key: str, host: str, found: Iterable[str]) -> Domain:
        """Give the tenant a claimed host if its challenge is among these TXT values. Asks nobody: see `ask_dns`.

        Raises:
            UnknownTenant: there is none.
            UnknownDomain: the tenant has not claimed it, or longer ago than `CLAIM_TTL`.
            DomainUnproved: the value is not there; `challenge` on the error is what should be.
            DomainTaken: another tenant proved it first.
        """
        host = normalise_host(host)
        row = self._registry.locked(session, key)
        claim = self._claim(session, row, host)
        expected = VALUE_PREFIX + claim.token
        matches = [hmac.compare_digest(value.strip().encode(), expected.encode()) for value in islice(found, VALUES_MAX)]
        if not any(matches):
            raise DomainUnproved(host, name=self.challenge_name(host), value=expected)
        domain = self._give(session, row, host, primary=claim.is_primary, verified_at=self._clock())
        session.delete(claim)
        session.flush()
        return domain

    def ask_dns(self, host: str, lookup: Lookup) -> tuple[str, ...]:
        """The TXT values to verify a claim with. Do it before the transaction that verifies, not in it: DNS may take seconds.

        Args:
            lookup: gives the TXT values of a name, none when there is no such name. `dns_lookup.txt_values` is one.
        """
        return tuple(lookup(self.challenge_name(normalise_host(host)))[:VALUES_MAX])

    def challenge_name(self, host: str) -> str:
        """The name of the TXT record that proves a host."""
        return f"{self._label}.{host}"

    def make_primary(self, session: Session, key: str, host: str) -> Domain:
        """Make one of the tenant's own hosts its primary.

        Raises:
            UnknownTenant, UnknownDomain: there is none, or it is not this tenant's.
        """
        host = normalise_host(host)
        row = self._registry.locked(session, key)
        self._own(session, row, host)
        return self._give(session, row, host, primary=True)

    def remove(self, session: Session, key: str, host: str) -> None:
        """Give a host or a claim up; whoever wants it again proves it anew. The next by name becomes the primary.

        Raises:
            UnknownTenant, UnknownDomain: there is none, or it is not this tenant's.
        """
        host = normalise_host(host)
        row = self._registry.locked(session, key)
        claim = delete(DomainClaimRow).where(DomainClaimRow.host == host, DomainClaimRow.tenant_id == row.id)
        if session.scalar(claim.returning(DomainClaimRow.host)) is None:
            self._release(session, row, self._own(session, row, host))

    def list(self, key: str) -> builtins.list[Domain]:
        """The tenant's hosts, the primary first, then its claims; read from the catalog.

        Raises:
            UnknownTenant: there is none.
        """
        tenant = self._registry.get(key)
        with Session(self.catalog) as session:
            own = select(DomainRow).where(DomainRow.tenant_id == tenant.id).order_by(DomainRow.is_primary.desc(), DomainRow.host)
            claims = select(DomainClaimRow).where(DomainClaimRow.tenant_id == tenant.id, self._is_live()).order_by(DomainClaimRow.host)
            return [_of_row(row) for row in session.scalars(own)] + [self._of_claim(row) for row in session.scalars(claims)]

    def _give(self, session: Session, row: TenantRow, host: str, *, primary: bool, verified_at: datetime | None = None) -> Domain:
        self._registry.add_domain(session, row.key, host, primary=primary)
        given = session.get_one(DomainRow, host, populate_existing=True)
        given.verified_at = given.verified_at or verified_at
        session.flush()
        return _of_row(given)

    def _release(self, session: Session, row: TenantRow, own: DomainRow) -> None:
        was_primary = own.is_primary
        session.delete(own)
        session.flush()
        heir = session.scalar(select(DomainRow).where(DomainRow.tenant_id == row.id).order_by(DomainRow.host).limit(1))
        if was_primary and heir is not None:
            heir.is_primary = True
            session.flush()
        self._registry.forget_after(session, row, own.host)

    def _own(self, session: Session, row: TenantRow, host: str) -> DomainRow:
        own = session.get(DomainRow, host, populate_existing=True)
        if own is None or own.tenant_id != row.id:
            raise UnknownDomain(row.key, host)
        return own

    def _claim(self, session: Session, row: TenantRow, host: str) -> DomainClaimRow:
        claim = session.get(DomainClaimRow, (host, row.id), populate_existing=True)
        if claim is None or claim.created_at <= self._clock() - CLAIM_TTL:
            raise UnknownDomain(row.key, host)
        return claim

    def _is_live(self) -> ColumnElement[bool]:
        return DomainClaimRow.created_at > self._clock() - CLAIM_TTL

    def _check_room(self, session: Session, row: TenantRow, host: str) -> None:
        others = select(func.count()).where(DomainClaimRow.tenant_id == row.id, DomainClaimRow.host != host)
        if session.scalars(others).one() >= CLAIMS_MAX:
            raise TooManyClaims(row.key, limit=CLAIMS_MAX)

    def _of_claim(self, row: DomainClaimRow) -> Domain:
        challenge = Challenge(name=self.challenge_name(row.host), value=VALUE_PREFIX + row.token)
        return Domain(
            host=row.host,
            is_primary=row.is_primary,
            challenge=challenge,
            verified_at=None,
            created_at=row.created_at,
            expires_at=row.created_at + CLAIM_TTL,
        )


def _of_row(row: DomainRow) -> Domain:
    return Domain(host=row.host, is_primary=row.is_primary, challenge=None, verified_at=row.verified_at, created_at=row.created_at)
