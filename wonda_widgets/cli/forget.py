"""``wonda-widgets forget``: delete the journal and a key in the keyring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..http import credentials
from ..journal import location

if TYPE_CHECKING:
    import argparse
    from pathlib import Path


def run(options: argparse.Namespace) -> int:
    """Delete the data stored on this computer, after confirmation."""
    files = [path for path in location.journal_files() if path.is_file()]
    has_key = credentials.has_marker()
    if not files and not has_key:
        print("Nothing to delete: this computer has no journal and no key in the keyring.")
        print("(The sandbox keeps its journal in memory.)")
        return 0
    print("This deletes from this computer:")
    for path in files:
        print(f"  {path}")
    if has_key:
        print("  the key in the keyring")
    print("Images at the service, posts, notebooks and saved files are kept.")
    if not options.yes and not _is_confirmed():
        print("Nothing was deleted.")
        return 1
    in_use = [path for path in files if not _delete(path)]
    for path in in_use:
        print(f"{path} is in use and was not deleted. Stop the kernels and try again.")
    if files and not in_use:
        print("The journal was deleted. Restart the kernels that were using it.")
    for line in credentials.forget() if has_key else ():
        print(line)
    return 1 if in_use else 0


def _delete(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)  # a kernel may have closed it in the meantime
    except OSError:  # on Windows, while a kernel has it open
        return False
    return True


def _is_confirmed() -> bool:
    try:
        return input("Delete it? [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False
