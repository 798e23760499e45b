"""Every check of the doctor is planted in a test, and named in the guide."""

from __future__ import annotations

import re
from pathlib import Path

from roomtone_tenancy import doctor

IN_CODE = re.compile(r'(?:check=|_finding\(\s*)"([a-z-]+)"')
IN_GUIDE = re.compile(r"^\| ((?:`[a-z-]+`(?:, )?)+) \|", re.MULTILINE)


def test_every_check_is_planted_and_explained(request):
    code = "".join(path.read_text() for path in Path(doctor.__file__).parent.glob("*.py"))
    guide = (request.config.rootpath / "docs/tenancy/how-to/doctor.md").read_text()
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__))

    checks = set(IN_CODE.findall(code))

    assert len(checks) > 30
    assert {name for row in IN_GUIDE.findall(guide) for name in re.findall("[a-z-]+", row)} == checks
    assert [name for name in checks if f'"{name}"' not in tests] == []
