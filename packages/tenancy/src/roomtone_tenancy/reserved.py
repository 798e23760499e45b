"""Names that no tenant gets: keys that would be taken for the platform's own, and the platform's own hosts. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from .resolve import normalise_host

KEYS = frozenset(
    """about abuse account accounts admin administrator api app apps assets auth autoconfig autodiscover backup billing blog cdn central
    config console contact dashboard default dev docs email files ftp help host hostmaster imap info internal legal localhost login logout
    mail master media mta-sts mx noreply no-reply ns ns1 ns2 oauth ping pop pop3 portal postgres postmaster private public register root
    secure security server signin signup smtp sso staging static status support sysadmin system template tenant test webhook webhooks
    webmail webmaster wpad www""".split()  # noqa: SIM905
)
"""Keys refused by default: as a subdomain, each could pass for the platform itself or be asked by programs (RFC 2142, RFC 6761)."""


@dataclass(frozen=True, kw_only=True)
class Reserved:
    """What a host application keeps from its tenants.

    Args:
        keys: no tenant is registered under these. `KEYS` if not replaced; `KEYS | {"studio"}` adds to it.
        hosts: no tenant may claim these, nor any name below them. A host that the application itself gives a tenant is not looked at.

    Raises:
        BadHost: one of the hosts is none.
    """

    keys: frozenset[str] = KEYS
    hosts: Collection[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "hosts", frozenset(normalise_host(host) for host in self.hosts))

    def has_key(self, key: str) -> bool:
        """Whether it is one of them, or would show as other letters in a browser's address line (RFC 5891 section 2.3.1)."""
        return key in self.keys or key[2:4] == "--"

    def has_host(self, host: str) -> bool:
        """Whether a normalised host is one of them, or below one."""
        labels = host.split(".")
        return any(".".join(labels[start:]) in self.hosts for start in range(len(labels)))
