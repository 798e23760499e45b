"""`init`: what a host needs to begin."""

from __future__ import annotations

from pathlib import Path

import click

from ..key_providers import KeyRing
from .output import as_json_option, print_json

_HEAD = '''"""Where the tenants of this application live. The command `tenancy` finds it here as `--app tenants:tenancy`."""

{imports}from pathlib import Path

from sqlalchemy import create_engine

from roomtone_tenancy import KeyRing, Server, Tenancy, schema
from roomtone_tenancy.life.stores import FolderStore

HERE = Path(__file__).parent
PRIVATE = HERE / "var"


def tenancy() -> Tenancy:
    """Once in each process."""
'''
_SQLITE = """    catalog = create_engine(f"sqlite:///{PRIVATE / 'catalog.sqlite3'}")
    servers = [Server("main", f"sqlite:///{PRIVATE / 'tenants'}")]
"""
_POSTGRESQL = """    # postgresql+psycopg://user:password@host/database: the catalog's, with a role that may create databases and roles
    url = os.environ.get("DATABASE_URL") or sys.exit("DATABASE_URL is not set.")
    catalog = create_engine(url)
    servers = [Server("main", url)]
"""
_TAIL = """    schema.upgrade(catalog)
    return Tenancy(
        catalog,
        servers=servers,
        migrations=HERE / "migrations",
        keys=KeyRing.from_text((PRIVATE / "tenancy.key").read_text()),
        backups=FolderStore(PRIVATE / "backups"),
    )
"""
_REVISION = '''"""What every tenant's database begins with."""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0001", None, None, None


def upgrade() -> None:
    op.create_table("note", sa.Column("id", sa.Integer, primary_key=True), sa.Column("body", sa.Text, nullable=False))
'''


@click.command()
@click.argument("folder", required=False, default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--postgresql", is_flag=True, help="Databases on the PostgreSQL server of DATABASE_URL; SQLite files without it.")
@click.option("--dry-run", is_flag=True, help="Only say which files would be written.")
@as_json_option
def init(folder: Path, *, postgresql: bool, dry_run: bool, as_json: bool) -> None:
    """Write what an application needs to begin.

    Into FOLDER, this one if left out: its Tenancy, a first migration and a master key. Replaces no file. `tenancy create` works at once.
    """
    files = _files(postgresql=postgresql)
    if there := [name for name in files if (folder / name).exists()]:
        raise click.ClickException(f"{', '.join(there)} exists in {folder}: nothing was written. Move it away, or name another folder.")
    if not dry_run:
        for name, text in files.items():
            _write(folder / name, text)
    if as_json:
        print_json({"folder": str(folder), "files": list(files), "is_written": not dry_run})
        return
    for name in files:
        click.echo(f"{folder / name}{' would be written' if dry_run else ''}")
    if not dry_run:
        click.echo("\nThe master key var/tenancy.key opens every tenant's password: keep a copy of it elsewhere. Next:", err=True)
        click.echo(f"  {'' if folder == Path() else f'cd {folder} && '}tenancy create acme", err=True)


COMMANDS = (init,)


def _files(*, postgresql: bool) -> dict[str, str]:
    imports = "import os\nimport sys\n" if postgresql else ""
    return {
        "tenants.py": _HEAD.format(imports=imports) + (_POSTGRESQL if postgresql else _SQLITE) + _TAIL,
        "migrations/versions/0001_first.py": _REVISION,
        "var/.gitignore": "*\n",
        "var/tenancy.key": KeyRing.generate().to_text() + "\n",
    }


def _write(path: Path, text: str) -> None:
    """A new file; what is private has a folder that only its owner may enter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent.name == "var":
        path.parent.chmod(0o700)
    with path.open("x") as file:
        path.chmod(0o600 if path.suffix == ".key" else 0o644)
        file.write(text)
