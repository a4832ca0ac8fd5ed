"""Messages of the command line."""

from __future__ import annotations

import sys


def complain(text: str) -> int:
    """Print an error to stderr and return the exit status for it."""
    print(text, file=sys.stderr)
    return 1
