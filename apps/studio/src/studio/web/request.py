"""What a view may ask of the request it serves: the databases, the person, the studio."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import cast

from flask import current_app, g
from sqlalchemy.orm import Session

from roomtone_billing import Access
from roomtone_tenancy import Tenant, normalise_host
from studio.db import Database
from studio.errors import NotSignedIn
from studio.services import Services


@dataclass(frozen=True, kw_only=True)
class Actor:
    """The signed-in person, as far as a view needs to know.

    Attributes:
        user_id: public id of the user.
        role: what the person is in this studio (`owner`), or `staff` in the back-office, or `member` on the platform host.
    """

    user_id: str
    name: str
    email: str
    role: str
    locale: str


@dataclass(frozen=True, kw_only=True)
class StudioView:
    """The studio whose host was called.

    Attributes:
        key: tenant key, which is also the billing and credits account.
        host: the public one, as the browser shows it.
        access: what its subscription allows now.
    """

    key: str
    name: str
    host: str
    access: Access

    @property
    def phase(self) -> str:
        """The subscription's phase, as a word."""
        return self.access.phase.value


def services() -> Services:
    """The app's parts."""
    return cast(Services, current_app.extensions["studio.services"])  # Flask keeps extensions untyped


def database() -> Database:
    """Both data planes."""
    return services().database


def control_db() -> AbstractContextManager[Session]:
    """One control-plane transaction: committed at the end of the block, rolled back when it raises."""
    return database().control()


def studio_db() -> AbstractContextManager[Session]:
    """One transaction in the current studio's database: committed at the end of the block, rolled back when it raises."""
    return database().studio()


def actor() -> Actor:
    """The signed-in person.

    Raises:
        NotSignedIn: nobody is.
    """
    found = g.get("actor")
    if found is None:
        raise NotSignedIn
    return cast(Actor, found)  # g is untyped; only platform.accounts sets it


def current_studio() -> StudioView:
    """The studio whose host was called. One control-plane query in the first call of a request.

    Raises:
        roomtone_tenancy.errors.NoTenant: on a host that is no studio's.
    """
    if "studio" not in g:
        tenant = database().tenancy.current
        g.studio = StudioView(
            key=tenant.key,
            name=str(tenant.metadata.get("name", tenant.key)),
            host=_public_host(tenant),
            access=services().billing.account(tenant.key).access(),
        )
    return cast(StudioView, g.studio)  # g is untyped


def _public_host(tenant: Tenant) -> str:
    """A studio's primary domain; the one on our own domain has our port."""
    ours = services().settings.studio_host(tenant.key)
    return ours if not tenant.domains or tenant.domains[0] == normalise_host(ours) else tenant.domains[0]
