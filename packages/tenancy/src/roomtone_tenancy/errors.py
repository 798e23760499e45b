"""Every error of this package.

```
TenancyError
├── BadKey                  a tenant key that breaks the rules
│   └── ReservedKey         a key that the host application keeps
├── BadHost                 a host name that breaks the rules
│   └── ReservedHost        a host that the host application keeps
├── TenantExists            register() of a key in use
├── DomainTaken             a host that belongs to another tenant
├── DomainUnproved          the TXT record of a claimed host is not there
├── UnknownDomain           a host that the tenant neither has nor claims
├── TooManyClaims           a tenant claims hosts and proves none
├── UnknownTenant           no such key
│   └── UnknownHost         no tenant answers to this host
├── NoTenant                nothing in scope, or a scope that has ended
├── TenantSwitch            a scope for B inside a scope for A
├── WrongTenant             an object or a bind of A in a session of B
├── TenantUnavailable       the tenant's state refuses all work
├── TenantReadOnly          the database refused a write of a read-only tenant
├── IllegalMove             a lifecycle move that the table does not allow
├── CatalogUnavailable      the catalog cannot be asked, and no answer is known
├── ConflictingTenants      a request names two tenants
├── NoServer                no server has room, or the catalog names one that is not configured
├── ServerDisabled          the tenant's server is switched off
├── ServerExists            servers.add() of a name in use
├── BudgetExhausted         no connection within the wait
├── StampMismatch           a database that is not the tenant's
├── OperationBusy           another process works on it
├── LeaseLost               another process has taken over
├── ProvisioningFailed      a step failed; run it again
├── DeletionFailed          a step failed; run it again
├── TemplateGone            the template to clone from was replaced meanwhile
├── UnsafePath              a file name that could lead out of the folder
├── MigrationsInvalid       the migrations folder cannot be used
├── RunInTheWay             a migration of the fleet goes where this code does not
├── NoRun                   there is no migration of the fleet to speak of
├── TenantCallFailed        map(on_error="stop") met an error
├── StillDraining           a password rotated again before the old login has drained
└── VaultError
    ├── KeysInvalid             encryption keys that cannot be used
    ├── KeyProviderFailed       the key management service did not answer
    ├── UnknownEncryptionKey    a secret under a key that the provider lacks
    └── Undecryptable           a secret that was altered or moved
```
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime


class TenancyError(Exception):
    """Anything this package refuses or fails to do."""


class BadKey(TenancyError):
    """A tenant key that breaks the rules of `key.check`."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"{key[:80]!r} is no tenant key: use 1 to 63 of a-z, 0-9 and '-', not first or last a '-'.")


class BadHost(TenancyError):
    """Text that is no host name."""

    def __init__(self, host: str) -> None:
        self.host = host
        super().__init__(f"{host[:80]!r} is no host name: give a DNS name of at most 253 characters, without scheme or path.")


class ReservedKey(BadKey):
    """`register()` was given a key that no tenant may have."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.args = (f"The key {key!r} is reserved: choose another, or take it out of Tenancy(reserved=...).",)


class ReservedHost(BadHost):
    """A tenant claimed a host of the platform's own."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.args = (f"The host {host!r} is the platform's own: claim one of the tenant's, or give it with verified=True.",)


class TenantExists(TenancyError):
    """`register()` was given a key that a tenant already has."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"Tenant {key!r} exists already: choose another key, or delete that tenant first.")


class DomainTaken(TenancyError):
    """A host can belong to one tenant only."""

    def __init__(self, host: str) -> None:
        self.host = host
        super().__init__(f"The host {host!r} belongs to another tenant: choose another, or remove it there first.")


class DomainUnproved(TenancyError):
    """A claimed host's challenge was not among its TXT values."""

    def __init__(self, host: str, *, name: str, value: str) -> None:
        self.host, self.name, self.value = host, name, value
        super().__init__(
            f"{host!r} is not proved: its zone needs a TXT record {name} with the value {value!r}; a new one takes its time to show."
        )


class UnknownDomain(TenancyError):
    """The tenant neither has nor claims this host."""

    def __init__(self, key: str, host: str) -> None:
        self.key, self.host = key, host
        super().__init__(f"The host {host[:80]!r} is not one of tenant {key!r}: add it first.")


class TooManyClaims(TenancyError):
    """The tenant claims as many hosts without proof as it may."""

    def __init__(self, key: str, *, limit: int) -> None:
        self.key, self.limit = key, limit
        super().__init__(f"Tenant {key!r} claims {limit} hosts that are not proved: verify or remove some of them first.")


class UnknownTenant(TenancyError):
    """The catalog has no tenant of this key, or only a deleted one."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"There is no tenant {key[:80]!r}: register it, or check the key.")


class UnknownHost(UnknownTenant):
    """No tenant answers to this host."""

    def __init__(self, host: str) -> None:
        self.host = host
        super().__init__(host)
        self.args = (f"No tenant answers to the host {host[:80]!r}: add it with add_domain(), or answer 404.",)


class NoTenant(TenancyError):
    """Tenant work outside every `use()` block."""

    def __init__(self) -> None:
        super().__init__("No tenant is in scope: enter `with tenancy.use(key):`, also in threads and tasks that you start.")


class TenantSwitch(TenancyError):
    """A block for one tenant inside a block for another."""

    def __init__(self, *, current: str, wanted: str) -> None:
        self.current, self.wanted = current, wanted
        super().__init__(f"The current tenant is {current!r}, {wanted!r} was asked for: leave the first block, or pass allow_switch=True.")


class WrongTenant(TenancyError):
    """Something of one tenant was about to reach another one's database."""

    def __init__(self, what: str, *, belongs_to: str, current: str) -> None:
        self.what, self.belongs_to, self.current = what, belongs_to, current
        super().__init__(f"{what} belongs to tenant {belongs_to!r}, this is tenant {current!r}: load it from this tenant's own session.")


class TenantUnavailable(TenancyError):
    """The tenant's state refuses reads and writes alike."""

    def __init__(self, key: str, state: str) -> None:
        self.key, self.state = key, state
        super().__init__(f"Tenant {key!r} is {state}: wait until it is ready, or resume it.")


class TenantReadOnly(TenancyError):
    """The database refused a write, since the tenant is read-only."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"Tenant {key!r} is read-only: only reading is possible until it is resumed.")


class IllegalMove(TenancyError):
    """The lifecycle table has no such move."""

    def __init__(self, key: str, *, before: str, after: str) -> None:
        self.key, self.before, self.after = key, before, after
        super().__init__(f"Tenant {key!r} is {before} and cannot become {after}: see lifecycle.MOVES for what it can.")


class CatalogUnavailable(TenancyError):
    """The catalog failed or did not answer in time, and nothing that was read before is young enough; the cause is chained."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"The catalog cannot be asked for {what[:80]!r}: answer 503 and try again; see the cause.")


class ConflictingTenants(TenancyError):
    """Two parts of a request name different tenants: a host and a header, or a session that was carried from one to the other."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        self.answers = dict(answers)
        said = ", ".join(f"{resolver} says {key[:80]!r}" for resolver, key in self.answers.items())
        super().__init__(f"The request names several tenants ({said}): refuse it, or choose on_conflict='first_wins'.")


class NoServer(TenancyError):
    """No server can take the tenant, or the one that has it is not known.

    Args:
        wanted: the server that is not known; None when a place for a new tenant was sought.
        refusals: why servers could not take a new tenant, with how many each.
    """

    def __init__(self, wanted: str | None = None, *, refusals: Mapping[str, int] | None = None) -> None:
        self.wanted, self.refusals = wanted, dict(refusals or {})
        if wanted:
            text = f"The server {wanted!r} is neither among Tenancy(servers=...) nor in the catalog: add it"
        else:
            reasons = ", ".join(f"{count} {reason}" for reason, count in self.refusals.items()) or "there is none"
            text = f"No server can take the tenant ({reasons}): add one, raise a capacity, or accept() on one again"
        super().__init__(f"{text}.")


class ServerDisabled(TenancyError):
    """Somebody switched the server off: its tenants get no sessions, and nothing is made on it."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"The server {name!r} is disabled: answer 503, or let it work again with tenancy.servers.accept().")


class ServerExists(TenancyError):
    """The catalog has a server of this name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"The server {name!r} is in the catalog already: choose another name, or change it with tenancy.servers.change().")


class BudgetExhausted(TenancyError):
    """No connection became free in time."""

    def __init__(
        self, *, server: str, tenant: str, limit: int, tenant_limit: int, holders: Mapping[str, int], longest_s: Mapping[str, float]
    ) -> None:
        self.server, self.tenant, self.limit, self.tenant_limit = server, tenant, limit, tenant_limit
        self.holders, self.longest_s = dict(holders), dict(longest_s)
        held = ", ".join(f"{key}: {count} for {self.longest_s[key]:.1f} s" for key, count in self.holders.items())
        super().__init__(
            f"No connection to {server!r} for tenant {tenant!r} in time ({limit} per server, {tenant_limit} per tenant; in use {held}): "
            "close sessions sooner, or raise PoolLimits."
        )


class StampMismatch(TenancyError):
    """The database behind a tenant says that it is another's, or nobody's."""

    def __init__(self, key: str, *, expected: str, found: str | None) -> None:
        self.key, self.expected, self.found = key, expected, found
        super().__init__(
            f"The database of tenant {key!r} carries the stamp {found!r} and should carry {expected!r}: "
            "it was mixed up in a restore or a move; put the right one in place."
        )


class OperationBusy(TenancyError):
    """Another live process holds the lease."""

    def __init__(self, what: str, *, owner: str) -> None:
        self.what, self.owner = what, owner
        super().__init__(f"{what} is being worked on by {owner}: try again when it is done; a dead owner is replaced by itself.")


class LeaseLost(TenancyError):
    """This process was too slow, and another one has taken its work over."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"The lease of {what} was taken over by another process: leave the work to it.")


class ProvisioningFailed(TenancyError):
    """A step failed. What it did is kept, and the next call goes on from there."""

    def __init__(self, key: str, step: str, reason: str) -> None:
        self.key, self.step, self.reason = key, step, reason
        super().__init__(f"Provisioning tenant {key!r} failed in step {step!r} ({reason}): mend the cause and provision() again.")


class TemplateGone(TenancyError):
    """The template to clone from is not there or in use. Provisioning reads the catalog again and clones the newer one."""

    def __init__(self, template: str) -> None:
        self.template = template
        super().__init__(f"Template {template!r} is gone or in use: read the catalog again and clone the newer one.")


class DeletionFailed(TenancyError):
    """A step failed. What it did is kept, and the next call goes on from there."""

    def __init__(self, key: str, step: str, reason: str) -> None:
        self.key, self.step, self.reason = key, step, reason
        super().__init__(f"Deleting tenant {key!r} failed in step {step!r} ({reason}): mend the cause and delete() again.")


class UnsafePath(TenancyError):
    """A tenant's file has a name that is not ours, or is a link to somewhere else."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path!r} may lead out of the tenants' folder: put the file itself there, under the name that the catalog has.")


class MigrationsInvalid(TenancyError):
    """The migrations folder is missing, empty, or has several heads."""

    def __init__(self, folder: str, reason: str) -> None:
        self.folder, self.reason = folder, reason
        super().__init__(f"The migrations in {folder} cannot be used: {reason}. Give a folder with versions/ and one head.")


class RunInTheWay(TenancyError):
    """A run goes to another revision than this code's head."""

    def __init__(self, run: int, *, target: str, head: str) -> None:
        self.run, self.target, self.head = run, target, head
        super().__init__(f"Run {run} goes to revision {target}, this code's head is {head}: use the code of that run, or stop it first.")


class NoRun(TenancyError):
    """There is no run of this number, or none to resume."""

    def __init__(self, run: int | None = None) -> None:
        self.run = run
        super().__init__(f"There is no run{'' if run is None else f' {run}'} to speak of: begin one with migrate.")


class TenantCallFailed(TenancyError):
    """The function that `map` called for a tenant raised; its error is chained."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"The call for tenant {key!r} failed: see the cause, and resume with only=fan_out.left.")


class StillDraining(TenancyError):
    """The login that would get the next password may still be in use."""

    def __init__(self, key: str, *, until: datetime) -> None:
        self.key, self.until = key, until
        super().__init__(
            f"The password of tenant {key!r} was replaced just now, the login before may be in use until {until:%Y-%m-%d %H:%M:%S %Z}: "
            "try again then, or pass drain_s=0 to cut it off."
        )


class VaultError(TenancyError):
    """A secret cannot be stored or opened."""


class KeysInvalid(VaultError, ValueError):
    """Encryption keys are missing, malformed, or open to others. The message holds nothing of them."""

    def __init__(self, source: str, reason: str) -> None:
        self.source, self.reason = source, reason
        super().__init__(f"{source}: {reason}.")


class KeyProviderFailed(VaultError):
    """The host's key provider raised; its error is chained. Nothing was stored."""

    def __init__(self, key_id: str, action: str) -> None:
        self.key_id, self.action = key_id, action
        super().__init__(f"The key provider could not {action} a data key with {key_id!r}: see the cause, and try again when it answers.")


class UnknownEncryptionKey(VaultError):
    """The secret was sealed under a key that the provider lacks."""

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        super().__init__(
            f"The key provider has no key {key_id!r}: give it back, and keep old keys until secrets.status() counts no row under them."
        )


class Undecryptable(VaultError):
    """The secret was altered, moved from another row, or sealed under other bytes of the same key id."""

    def __init__(self, tenant: str, column: str) -> None:
        self.tenant, self.column = tenant, column
        super().__init__(f"The secret {column} of {tenant!r} does not open: it was altered or moved; restore the row or its key.")
