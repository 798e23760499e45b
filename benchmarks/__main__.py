"""Runs benchmarks, prints and keeps their tables; exits 1 when a bar is missed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from rich.console import Console

from benchmarks import ai_credits, billing, fleet, offline_stripe, spine, tenancy
from benchmarks.report import Result

BENCHMARKS: dict[str, Callable[[bool], Result]] = {
    "ai_credits": ai_credits.run,
    "billing": billing.run,
    "fleet": fleet.run,
    "offline_stripe": offline_stripe.run,
    "spine": spine.run,
    "tenancy": tenancy.run,
}


def main() -> int:
    """Run the named benchmark, or all of them."""
    reader = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    reader.add_argument("name", nargs="?", choices=sorted(BENCHMARKS), help="one benchmark; all of them when left out")
    reader.add_argument("--quick", action="store_true", help="fewer runs, under a minute; numbers to look at, not to keep")
    asked = reader.parse_args()
    console, met = Console(width=None if sys.stdout.isatty() else 180), True
    for name in [asked.name] if asked.name else sorted(BENCHMARKS):
        result = BENCHMARKS[name](asked.quick)
        result.show(console)
        console.print(f"Kept in {result.save()}\n", soft_wrap=True)
        met = met and result.is_met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
