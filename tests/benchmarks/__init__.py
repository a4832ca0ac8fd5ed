"""Measure the package's speed and number of messages beside other clients.

Start it with ``python -m tests.benchmarks``; see `__main__`.
"""

from __future__ import annotations

import sys
from pathlib import Path

# `frontends`, which starts a JupyterLab and a Chromium, is a module of the tests' folder.
sys.path.insert(0, str(Path(__file__).parents[1]))
