"""The plan of a prompt lab with 1,000 cells, in a real JupyterLab.

From a key pressed in the template until the plan and its price are shown again.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median, quantiles

import frontends

from .rows import Row

NAME = "plan.ipynb"
CELL = """
import wonda_widgets as ww
numbers = [str(number) for number in range(10)]
lab = ww.PromptLab(
    ww.Wonda.sandbox(journal=":memory:"),
    template="A {a} {b} {c}",
    values={"a": numbers, "b": numbers, "c": numbers},
    budget=100,
)
lab
"""
# Makes the template invalid, then valid again; resolves with the milliseconds of the second.
PLANNED = """
async () => {
  const area = document.querySelector(".wonda-lab-form textarea");
  const button = document.querySelector(".wonda-lab-form .wonda-go button");
  const isOff = () => button.getAttribute("aria-disabled") === "true";
  const type = (text) => {
    area.value = text;
    area.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const settled = async (condition) => {
    const began = performance.now();
    while (!condition()) {
      await new Promise(requestAnimationFrame);
      if (performance.now() - began > 20000) throw new Error(button.textContent);
    }
  };
  const text = area.value;
  type(`${text} {`);
  await settled(() => document.querySelector(".wonda-lab-form .wonda-why").textContent !== "");
  const began = performance.now();
  type(text);
  await settled(() => !isOff() && button.textContent === "Run 1000");
  return performance.now() - began;
}
"""


def measure(*, quick: bool) -> list[Row]:
    """Type into the template."""
    rounds = 2 if quick else 20
    with tempfile.TemporaryDirectory() as folder:
        home, work = Path(folder, "home"), Path(folder, "work")
        home.mkdir()
        work.mkdir()
        frontends.write_notebook(work / NAME, CELL)
        with frontends.jupyterlab(work, home) as url, frontends.chromium() as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 1000})
            frontends.open_notebook(page, url, NAME)
            frontends.run_all(page)
            page.get_by_role("button", name="Run 1000").wait_for()
            page.wait_for_timeout(1000)
            took = []
            for _ in range(rounds):
                took.append(float(page.evaluate(PLANNED)))
                page.wait_for_timeout(300)
    slowest = quantiles(took, n=20)[-1]
    return [
        Row(
            "lab: a plan of 1,000 cells and its price after the last key, median, ms",
            f"{median(took):.0f} (95th percentile {slowest:.0f})",
            "",
            median(took),
            300,
        )
    ]
