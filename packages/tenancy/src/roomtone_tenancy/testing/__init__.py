"""For hosts' tests: two tenants by clone, a clock that stands still, and proof that no tenant reaches another's rows.

`fixtures` is a pytest plugin that puts them together: `pytest_plugins = ["roomtone_tenancy.testing.fixtures"]`.
"""

from .clock import FakeClock
from .leaks import LeakDetector, fingerprint, untouched
from .sandbox import Sandbox, sandbox, temporary_tenant

__all__ = ["FakeClock", "LeakDetector", "Sandbox", "fingerprint", "sandbox", "temporary_tenant", "untouched"]
