"""``wonda-widgets login``: prompt for a key and store it in the system keyring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..client import connect
from ..errors import WondaError
from ..http import credentials
from .messages import complain

if TYPE_CHECKING:
    import argparse


def run(options: argparse.Namespace) -> int:
    """Prompt for a key, check it, and store it."""
    state = credentials.keyring_state()
    if state == "missing":
        return complain(f"keyring is not installed. Install it with: {credentials.INSTALL_COMMAND}")
    if state == "unusable":
        return complain(
            "This computer has no keyring that could store a key. Set WONDA_API_KEY instead."
        )
    try:
        is_stored = connect.ask(keyring=True, base_url=options.base_url)
    except WondaError as error:
        return complain(str(error))
    return 0 if is_stored else 1
