"""Host names, made comparable. Pure: what a host means is the catalog's to say."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

import idna

from .errors import BadHost

HOST_LENGTH_MAX = 253
HOSTS_MAX = 1_000
"""Spellings remembered: a request's host is looked at more than once."""
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_PORT = re.compile(r":[0-9]{1,5}\Z", re.ASCII)


@lru_cache(HOSTS_MAX)
def normalise_host(host: str) -> str:
    """Fold a `Host` header or a configured domain to one spelling: no port, lower case, no trailing dot, punycode.

    Raises:
        BadHost: empty, longer than 253 characters, or not a DNS name or an IP address.

    Source: RFC 9110 section 7.2; IDNA 2008 with the mapping of UTS 46 (RFC 5891), as browsers do it: 'ß' stays a letter of its own.
    """
    if not host or len(host) > HOST_LENGTH_MAX + len(".:65535"):
        raise BadHost(host)
    if host.startswith("["):
        return _normalise_ipv6(host)
    name = _PORT.sub("", host.lower()).removesuffix(".")
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True, std3_rules=True).decode("ascii")
        except UnicodeError as error:
            raise BadHost(host) from error
    if not name or len(name) > HOST_LENGTH_MAX or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise BadHost(host)
    return name


def is_address(host: str) -> bool:
    """Whether a normalised host is an IP address, or a number that some resolvers read as one."""
    return host.startswith("[") or host.rpartition(".")[2].isdigit()


def _normalise_ipv6(host: str) -> str:
    address, bracket, rest = host[1:].partition("]")
    if not bracket or (rest and not _PORT.fullmatch(rest)):
        raise BadHost(host)
    try:
        return f"[{ipaddress.IPv6Address(address).compressed}]"
    except ValueError as error:
        raise BadHost(host) from error
