"""Time from running a cell until its Studio is visible, in a real JupyterLab.

The clock starts in the page, where the command that runs the cell is given, and stops
when the text box `Prompt` has been visible for two frames. Each time is of a kernel
and a page of its own.

- `ww.Studio()` after a cell with ``import wonda_widgets as ww``: the goal. What a Studio
  is made of is loaded after that cell, while its reader has not yet written the next one.
- Both in one cell, the first of a fresh kernel, which loads everything before it shows.
- A second `ww.Studio()`, when all is loaded, in the kernel and in the page.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from .notebook import lab
from .rows import Row

if TYPE_CHECKING:
    from .notebook import Lab

GOAL = 300  # ms
IMPORT, STUDIO = "import wonda_widgets as ww", "ww.Studio()"
# Runs the active cell; resolves with the milliseconds until its text box is painted.
PAINTED = """
async () => {
  const boxes = () => [...document.querySelectorAll(".wonda-form textarea")];
  const known = new Set(boxes());
  const inSight = (box) => {
    const at = box.getBoundingClientRect();
    return !known.has(box) && at.width > 0 && at.height > 0 && at.top < innerHeight;
  };
  const frame = () => new Promise(requestAnimationFrame);
  const began = performance.now();
  jupyterapp.commands.execute("notebook:run-cell-and-select-next");
  while (!boxes().some(inSight)) {
    await frame();
    if (performance.now() - began > 30000) throw new Error("no Studio within 30 s");
  }
  await frame();
  await frame();
  return performance.now() - began;
}
"""


def measure(*, quick: bool) -> list[Row]:
    """Open notebooks and run their cells."""
    rounds = 1 if quick else 7
    after, at_once, second = [], [], []
    with lab() as opened:
        if not quick:  # one unmeasured, which fills the browser's and Python's caches
            _painted(opened, "warm.ipynb", f"{IMPORT}\n{STUDIO}")
        for number in range(rounds):
            took = _painted(opened, f"after{number}.ipynb", IMPORT, STUDIO, STUDIO)
            first = _painted(opened, f"at_once{number}.ipynb", f"{IMPORT}\n{STUDIO}")
            after.append(took[1])
            second.append(took[2])
            at_once.append(first[0])
    return [
        Row(
            "first paint of Studio after its cell is run, ms",
            f"{median(after):.0f} ms (longest {max(after):.0f})",
            "",
            median(after),
            GOAL,
        ),
        Row(
            "first paint of Studio with the import in the same cell, ms",
            f"{median(at_once):.0f} ms",
        ),
        Row(
            "first paint of a second Studio in the same notebook, ms",
            f"{median(second):.0f} ms",
        ),
    ]


def _painted(opened: Lab, name: str, *cells: str) -> list[float]:
    """The milliseconds until each cell's Studio is painted; 0 of a cell that shows none."""
    opened.open(name, *cells)
    opened.ask("1")  # the kernel is ready
    took = []
    for cell in cells:
        opened.page.wait_for_timeout(700)  # what came before is over
        if STUDIO in cell:
            took.append(float(opened.page.evaluate(PAINTED)))
        else:
            opened.run_next()
            took.append(0.0)
    opened.page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    return took
