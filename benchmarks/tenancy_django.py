"""django-tenants makes schemas of the same tables: its side of the comparison, in a process and an environment of its own.

Called with a database's URL and the number of tables. Each line on its input is a schema's name, to be made and answered with
`made`, then dropped at the next line; `clone NAME` makes it as a copy of a first one, which is its quicker way.
"""

from __future__ import annotations

import sys
import tempfile
import time
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

MODELS = """
from django.db import models
from django_tenants.models import DomainMixin, TenantMixin

class Client(TenantMixin):
    auto_create_schema = False

class Domain(DomainMixin):
    pass
"""
THING = """
class Thing{number}(models.Model):
    name = models.CharField(max_length=80, db_index=True)
    before = models.ForeignKey("{before}", null=True, on_delete=models.DO_NOTHING)
"""
MORE = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("peer_things", "{last}")]
    operations = [
        migrations.AddField("thing1", "c{number}", models.CharField(max_length=20, default="x", db_default="x")),
        migrations.AddIndex("thing1", models.Index(fields=["c{number}"], name="ix_c{number}")),
    ]
"""


def main() -> None:
    """Set Django up, then do as the lines say."""
    url, tables = urlsplit(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, folder)
        _write(Path(folder), tables)
        _configure(url.hostname, url.port, url.username, url.password, url.path[1:])
        _serve()


def _write(folder: Path, tables: int) -> None:
    things = "".join(THING.format(number=number, before=f"Thing{number - 1}" if number else "self") for number in range(tables))
    for app, text in (("peer_shared", MODELS), ("peer_things", "from django.db import models\n" + things)):
        (folder / app / "migrations").mkdir(parents=True)
        (folder / app / "__init__.py").touch()
        (folder / app / "migrations" / "__init__.py").touch()
        (folder / app / "models.py").write_text(text)


def _configure(host: str | None, port: int | None, user: str | None, password: str | None, name: str) -> None:
    import django  # type: ignore[import-not-found]  # only in the environment that this runs in
    from django.conf import settings  # type: ignore[import-not-found]
    from django.core.management import call_command  # type: ignore[import-not-found]

    database = {
        "ENGINE": "django_tenants.postgresql_backend",
        "NAME": name,
        "USER": user,
        "PASSWORD": password,
        "HOST": host,
        "PORT": port,
    }
    settings.configure(
        DATABASES={"default": database},
        DATABASE_ROUTERS=["django_tenants.routers.TenantSyncRouter"],
        SHARED_APPS=["django_tenants", "django.contrib.contenttypes", "peer_shared"],
        TENANT_APPS=["peer_things"],
        INSTALLED_APPS=["django_tenants", "django.contrib.contenttypes", "peer_shared", "peer_things"],
        TENANT_MODEL="peer_shared.Client",
        TENANT_DOMAIN_MODEL="peer_shared.Domain",
        TENANT_BASE_SCHEMA="first",
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        USE_TZ=True,
    )
    django.setup()
    call_command("makemigrations", "peer_shared", "peer_things", verbosity=0)
    call_command("migrate_schemas", schema_name="public", verbosity=0)


def _serve() -> None:
    from django.conf import settings
    from peer_shared.models import Client  # type: ignore[import-not-found]

    Client(schema_name="first").create_schema(verbosity=0)
    print(f"ready {_version()}", flush=True)
    for line in sys.stdin:
        if line.startswith(("fill", "migrate")):
            _fleet(Client, *line.split())
            continue
        *is_clone, name = line.split()
        settings.TENANT_CREATION_FAKES_MIGRATIONS = bool(is_clone)
        tenant = Client(schema_name=name)
        tenant.save()
        tenant.create_schema(check_if_exists=True, verbosity=0)
        print("made", flush=True)
        next(sys.stdin)
        tenant.delete(force_drop=True)
        print("dropped", flush=True)


def _fleet(client: Any, verb: str, count: str = "0") -> None:  # a Django model
    """Have so many schemas, or migrate all of them and say how long that took."""
    if verb == "fill":
        for number in range(int(count)):
            tenant = client(schema_name=f"fleet_{number}")
            tenant.save()
            tenant.create_schema(check_if_exists=True, verbosity=0)
        print("filled", flush=True)
        return
    from django.core.management import call_command

    folder = Path(import_module("peer_things").__file__ or "").parent / "migrations"
    last = max(path.stem for path in folder.glob("0*.py"))
    number = int(last[:4])
    (folder / f"{number + 1:04}_more.py").write_text(MORE.format(last=last, number=number))
    invalidate_caches()
    began = time.perf_counter()
    call_command("migrate_schemas", tenant=True, interactive=False, verbosity=0)
    print(time.perf_counter() - began, flush=True)


def _version() -> str:
    from importlib.metadata import version

    return version("django-tenants")


if __name__ == "__main__":
    main()
