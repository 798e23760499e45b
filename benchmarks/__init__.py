"""What the workspace is fast at, measured against what it cannot be faster than: `python -m benchmarks [NAME] [--quick]`."""
