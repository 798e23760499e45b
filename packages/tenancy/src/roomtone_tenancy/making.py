"""One database in the making, for a tenant or for the pool of spares: each verb finds out what is there before it does anything."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import faults
from .errors import StampMismatch, TemplateGone
from .provisioners import Facts, Place, Worker
from .sites import Site
from .templates import Templates

CLONE_ATTEMPTS_MAX = 5


@dataclass(frozen=True, kw_only=True)
class Making:
    """The verbs in the order in which they are used.

    Args:
        id: whose database it will be.
        title: what messages call it.
    """

    templates: Templates
    site: Site
    worker: Worker
    place: Place
    id: str
    title: str
    _found: list[str] = field(default_factory=list, init=False)
    _facts: list[Facts] = field(default_factory=list, init=False)

    def template(self) -> None:
        """See to it that there is one at head."""
        self._found.append(self.templates.ensure(self.site.name, self.site.provisioner))

    def database(self) -> None:
        """Clone the template at head; one that is replaced meanwhile is left for the newer one."""
        for attempt in range(1, CLONE_ATTEMPTS_MAX + 1):
            template = self._found.pop() if self._found else self.templates.ensure(self.site.name, self.site.provisioner)
            try:
                if not self.worker.is_sound(template):
                    self.templates.condemn(template)
                    raise TemplateGone(template)
                self.worker.clone(self.place, template, tenant_id=self.id)
            except TemplateGone:
                if attempt == CLONE_ATTEMPTS_MAX:
                    raise
            else:
                return

    def security(self) -> None:
        """Hand it over to its roles, close it to everybody else."""
        self.worker.secure(self.place)

    def schema(self) -> str:
        """Its revision. Usually nothing is to run, since the template was at head; it was not if the head moved while we were dead."""
        revisions = self.templates.revisions
        self._facts.append(self.worker.facts(self.place))
        if self._facts[-1].revision == revisions.head:
            return revisions.head
        with self.worker.as_owner(self.place) as connection:
            return revisions.upgrade(connection)

    def stamp(self) -> None:
        """Write whose it is."""
        facts = self._facts.pop() if self._facts else self.worker.facts(self.place)
        sign(self.worker, self.place, facts, self.id, title=self.title)
        faults.point("stamp.written")


def sign(worker: Worker, place: Place, facts: Facts, tenant_id: str, *, title: str) -> None:
    """Stamp the database as the tenant's, unless its facts say that it is.

    Raises:
        StampMismatch: it is another's; `title` is what the message calls the right one.
    """
    if facts.stamp is None:
        worker.stamp(place, tenant_id)
    elif facts.stamp != tenant_id:
        raise StampMismatch(title, expected=tenant_id, found=facts.stamp)
