"""`enable_nested_asyncio`: for people who paste ``asyncio.run(main())`` into a cell.

Nothing of this package needs it. `nest_asyncio` is never applied at import: on
ipykernel 7 an `asyncio.run` after `nest_asyncio.apply()` silently loses every
cell that is queued behind it. Its maintained fork `nest_asyncio2` does not.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

BROKEN_FROM_IPYKERNEL = 7
BROKEN_FROM_PYTHON = (3, 14)


def enable_nested_asyncio() -> str:
    """Let ``asyncio.run(…)`` work inside a running loop, such as a notebook's.

    Returns
    -------
    str
        The package that does it: ``"nest_asyncio2"`` where it is installed (current
        ipykernels bring it along), else ``"nest_asyncio"`` where that one is safe.

    Raises
    ------
    RuntimeError
        Where neither is safe, with the reason and what to do instead.
    """
    if find_spec("nest_asyncio2") is not None:
        name = "nest_asyncio2"
    elif (reason := _why_not()) is None:
        name = "nest_asyncio"
    else:
        raise RuntimeError(
            f"{reason} Install nest_asyncio2, or write `await main()` in the cell; "
            "Wonda() and job.wait() need neither."
        )
    import_module(name).apply()
    return name


def _why_not() -> str | None:
    """Why the original `nest_asyncio` would do harm here."""
    if sys.version_info >= BROKEN_FROM_PYTHON:
        return "On Python 3.14 and newer nest_asyncio breaks every async HTTP call."
    try:
        kernel = version("ipykernel")
    except PackageNotFoundError:
        return None
    if int(kernel.partition(".")[0]) >= BROKEN_FROM_IPYKERNEL:
        return f"With ipykernel {kernel} nest_asyncio silently loses queued cells."
    return None
