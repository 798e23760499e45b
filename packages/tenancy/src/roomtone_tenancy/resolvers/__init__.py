"""Which tenant a request is for: small resolvers in an order, each replaceable. No framework, no database."""

from .chain import Answer, Chain, Directory, Trace
from .facts import Found, Headers, RequestFacts, Resolver
from .peers import ForwardedHeaders, TrustedPeers
from .sources import Claim, CustomDomain, Explicit, Header, Path, SessionValue, Subdomain

__all__ = [
    "Answer",
    "Chain",
    "Claim",
    "CustomDomain",
    "Directory",
    "Explicit",
    "ForwardedHeaders",
    "Found",
    "Header",
    "Headers",
    "Path",
    "RequestFacts",
    "Resolver",
    "SessionValue",
    "Subdomain",
    "Trace",
    "TrustedPeers",
]
