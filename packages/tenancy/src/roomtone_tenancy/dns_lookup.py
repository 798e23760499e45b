"""TXT records by dnspython, the extra `dns`: a `lookup` for `Domains.ask_dns`."""

from __future__ import annotations

import dns.exception
import dns.resolver

TIMEOUT_S = 5.0


def txt_values(name: str, *, timeout_s: float = TIMEOUT_S) -> tuple[str, ...]:
    """The TXT values of a name by this machine's resolver; none when it has no such record or nobody answered in time.

    Args:
        timeout_s: for the whole question, several servers and tries included, seconds.
    """
    try:
        answer = dns.resolver.resolve(name, "TXT", lifetime=timeout_s)
    except dns.exception.DNSException:
        return ()
    return tuple(b"".join(record.strings).decode("utf-8", "replace") for record in answer)
