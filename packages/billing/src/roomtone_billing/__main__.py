"""`python -m roomtone_billing` is the `billing` command."""

from roomtone_billing.cli import main

main()
