"""The commands of the guide to migrations of a fleet run, in the order in which they are read, as a person's shell runs them."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs/tenancy/how-to/migrate-a-fleet.md"
APP = """
from pathlib import Path
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from roomtone_tenancy import KeyRing, Server, Tenancy, schema

def tenancy():
    catalog = create_engine("sqlite:///catalog.sqlite3")
    schema.upgrade(catalog)
    return Tenancy(catalog, servers=[Server("here", "sqlite:///tenants")], migrations=Path("migrations"), keys=KeyRing.generate())

def make():
    made = tenancy()
    for key in ("acme", "globex"):
        with Session(made.domains.catalog) as session, session.begin():
            made.register(session, key)
        made.provision(key)
    made.dispose()
"""
REVISION = """
from alembic import op

revision, down_revision = "{revision}", {before}

def upgrade():
    op.execute("CREATE TABLE thing_{revision} (id INTEGER)")
"""


def test_the_guides_commands_run(tmp_path):
    commands = [
        line.partition("#")[0].strip()
        for fence in re.findall(r"```bash\n(.*?)```", GUIDE.read_text(), re.DOTALL)
        for line in fence.splitlines()
    ]
    versions = tmp_path / "migrations" / "versions"
    versions.mkdir(parents=True)
    (tmp_path / "yourapp.py").write_text(APP)
    (versions / "a.py").write_text(REVISION.format(revision="a", before=None))
    _python(tmp_path, "import yourapp; yourapp.make()")
    (versions / "b.py").write_text(REVISION.format(revision="b", before="'a'"))

    said = [
        _python(tmp_path, "from roomtone_tenancy.cli import main; main()", *shlex.split(command)[1:]) for command in commands if command
    ]

    assert len(said) == len(commands) >= 6
    assert "CREATE TABLE thing_b" in "".join(said)
    assert "head b: 2 migrated, 0 failed" in "".join(said)


def _python(folder: Path, code: str, *arguments: str) -> str:
    result = subprocess.run([sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{arguments}: {result.stdout}{result.stderr}"
    return result.stdout
