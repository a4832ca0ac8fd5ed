"""Import times, in new interpreters.

- ``import wonda_widgets`` beside ``import ipywidgets``: a script pays for nothing
  that it does not use.
- From ``import wonda_widgets as ww`` to a finished ``ww.Studio()`` beside
  ``import ipywidgets, httpx``: what a notebook would have to load anyway to
  show any panel that talks to a service.

Each time is taken inside an interpreter of its own, from its first line on, with
the four programs in turn. There is no key, so `Studio` brings its sandbox along.
Everybody's bytecode is cached, as pip leaves it, in a folder that lives as long as
the benchmark: a checkout may have none, and compiling is not importing.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

from .rows import ROOT, Row, keyless

CODES = {
    "package": "import wonda_widgets",
    "ipywidgets": "import ipywidgets",
    "studio": "import wonda_widgets as ww; studio = ww.Studio()",
    "libraries": "import ipywidgets, httpx",
}
TIMED = """
import time
began = time.perf_counter()
{code}
print(time.perf_counter() - began)
"""


def measure(*, quick: bool) -> list[Row]:
    """Time the four programs, interleaved."""
    rounds = 3 if quick else 25  # most of them undisturbed by what else runs
    times: dict[str, list[float]] = {name: [] for name in CODES}
    with tempfile.TemporaryDirectory() as bytecode:
        environment = {**keyless(), "PYTHONPYCACHEPREFIX": bytecode}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for code in CODES.values():  # once unmeasured, which fills the caches
            _seconds(code, environment)
        for _ in range(rounds):
            for name, code in CODES.items():
                times[name].append(_seconds(code, environment))
    return [
        Row.ratio(
            "import wonda_widgets against import ipywidgets",
            times["package"],
            times["ipywidgets"],
            0.25,
        ),
        Row.ratio(
            "import and ww.Studio() against import ipywidgets, httpx",
            times["studio"],
            times["libraries"],
            1.5,
        ),
    ]


def _seconds(code: str, environment: dict[str, str]) -> float:
    """Run `code` in an interpreter of its own; what it took, without the interpreter's start."""
    command = [sys.executable, "-c", TIMED.format(code=code)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    return float(done.stdout)
