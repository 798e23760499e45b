"""`domains`: the hosts that tenants answer to."""

from __future__ import annotations

from typing import Any

import click
from sqlalchemy.orm import Session

from ..domains import Domain
from ..tenancy import Tenancy
from .application import pass_tenancy
from .output import as_json_option, plain_errors, print_json, print_table


@click.group()
def domains() -> None:
    """The hosts that tenants answer to."""


@domains.command("list")
@click.argument("key")
@as_json_option
@pass_tenancy
def list_domains(tenancy: Tenancy, key: str, *, as_json: bool) -> None:
    """A tenant's hosts, the primary first, and its claims with their proof."""
    with plain_errors():
        found = tenancy.domains.list(key)
    if as_json:
        print_json([_facts(domain) for domain in found])
        return
    print_table(("host", "state", "TXT record to prove it"), [_cells(domain) for domain in found])


@domains.command("add")
@click.argument("key")
@click.argument("host")
@click.option("--primary", is_flag=True, help="Make it the primary, for a claim when it is proved.")
@click.option("--verified", is_flag=True, help="Give it at once: no proof is needed.")
@as_json_option
@pass_tenancy
def add_domain(tenancy: Tenancy, key: str, host: str, *, primary: bool, verified: bool, as_json: bool) -> None:
    """Claim a host for a tenant, and say what to put into its DNS."""
    with plain_errors(), Session(tenancy.domains.catalog) as session, session.begin():
        domain = tenancy.domains.add(session, key, host, primary=primary, verified=verified)
    _print(domain, as_json=as_json)


@domains.command("verify")
@click.argument("key")
@click.argument("host")
@as_json_option
@pass_tenancy
def verify_domain(tenancy: Tenancy, key: str, host: str, *, as_json: bool) -> None:
    """Ask DNS for a claimed host's proof, and give it to the tenant."""
    try:
        from ..dns_lookup import txt_values  # an extra that the other commands do without
    except ImportError as error:
        raise click.ClickException("dnspython is missing: install roomtone-tenancy[dns].") from error
    with plain_errors():
        found = tenancy.domains.ask_dns(host, txt_values)
        with Session(tenancy.domains.catalog) as session, session.begin():
            domain = tenancy.domains.verify(session, key, host, found)
    _print(domain, as_json=as_json)


COMMANDS = (domains,)


def _print(domain: Domain, *, as_json: bool) -> None:
    if as_json:
        print_json(_facts(domain))
    else:
        click.echo("\t".join(_cells(domain)))


def _cells(domain: Domain) -> tuple[str, ...]:
    if domain.challenge is not None:
        return domain.host, "claimed", f"{domain.challenge.name} TXT {domain.challenge.value}"
    return domain.host, "primary" if domain.is_primary else "verified"


def _facts(domain: Domain) -> dict[str, Any]:  # what JSON holds
    challenge = domain.challenge and {"name": domain.challenge.name, "value": domain.challenge.value}
    return {"host": domain.host, "is_primary": domain.is_primary, "is_verified": domain.is_verified, "challenge": challenge} | {
        "expires_at": domain.expires_at and domain.expires_at.isoformat()
    }
