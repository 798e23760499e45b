"""One database in the making, for a tenant or for the pool of spares: each verb finds out what is there before it does anything."""

from __future__ import annotations

from dataclasses import dataclass

from . import faults
from .errors import TemplateGone
from .provisioners import Place, Worker
from .provisioners.stamp import stamp
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

    def template(self) -> None:
        """See to it that there is one at head."""
        self.templates.ensure(self.site.name, self.site.provisioner)

    def database(self) -> None:
        """Clone the template at head; one that is replaced meanwhile is left for the newer one."""
        for attempt in range(1, CLONE_ATTEMPTS_MAX + 1):
            template = self.templates.ensure(self.site.name, self.site.provisioner)
            try:
                if not self.worker.is_sound(template):
                    self.templates.condemn(template)
                    raise TemplateGone(template)
                self.worker.clone(self.place, template)
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
        with self.worker.as_owner(self.place) as connection:
            revision = revisions.current(connection)
            connection.rollback()
            if revision == revisions.head:
                return revision
            return revisions.upgrade(connection)

    def stamp(self) -> None:
        """Write whose it is."""
        with self.worker.as_owner(self.place) as connection:
            stamp(connection, self.id, title=self.title)
        faults.point("stamp.written")
