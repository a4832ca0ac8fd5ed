"""`enable_nested_asyncio`, for notebooks that call ``asyncio.run(main())`` in a cell.

This package does not need it, and never applies `nest_asyncio` at import: on ipykernel 7, an
`asyncio.run` after `nest_asyncio.apply()` silently loses every queued cell. The maintained fork
`nest_asyncio2` does not have this problem.
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
        The package that was applied: ``"nest_asyncio2"`` if it is installed (current ipykernels
        depend on it), or else ``"nest_asyncio"`` if it is safe here.

    Raises
    ------
    RuntimeError
        If neither is safe. The message says why and what to do instead.

    Examples
    --------
    >>> ww.enable_nested_asyncio()
    'nest_asyncio2'
    """
    if find_spec("nest_asyncio2") is not None:
        name = "nest_asyncio2"
    elif (reason := _unsafe_reason()) is None:
        name = "nest_asyncio"
    else:
        raise RuntimeError(
            f"{reason} Install nest_asyncio2, or write `await main()` in the cell; "
            "Wonda() and job.wait() need neither."
        )
    import_module(name).apply()
    return name


def _unsafe_reason() -> str | None:
    """Return why the original `nest_asyncio` is unsafe here; None if it is safe."""
    if sys.version_info >= BROKEN_FROM_PYTHON:
        return "On Python 3.14 and newer, nest_asyncio breaks every async HTTP call."
    try:
        kernel = version("ipykernel")
    except PackageNotFoundError:
        return None
    if int(kernel.partition(".")[0]) >= BROKEN_FROM_IPYKERNEL:
        return f"With ipykernel {kernel}, nest_asyncio silently loses queued cells."
    return None
