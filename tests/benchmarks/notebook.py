"""A notebook in a real JupyterLab and Chromium, for benchmarks that need a page."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import frontends

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

ASKED = """
async ([code, expression]) => {
  const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const request = { code, user_expressions: { it: `__import__("json").dumps(${expression})` } };
  const reply = (await kernel.requestExecute(request).done).content;
  const it = reply.user_expressions?.it;
  if (it?.status !== "ok") throw new Error(JSON.stringify(reply));
  return it.data["text/plain"];
}
"""


class Lab(NamedTuple):
    """A JupyterLab that runs: its address, the folder it shows, and a page of a browser."""

    url: str
    folder: Path
    page: Page

    def open(self, name: str, *cells: str) -> None:
        """Open a new notebook of these cells, in a page loaded anew."""
        frontends.write_notebook(self.folder / name, *cells)
        frontends.open_notebook(self.page, self.url, name)

    def run_next(self) -> None:
        """Run the active cell and go to the next, without waiting for it."""
        self.page.evaluate(
            "() => { jupyterapp.commands.execute('notebook:run-cell-and-select-next') }"
        )

    def ask(self, expression: str, code: str = "") -> Any:
        """The value of an expression in the notebook's kernel, after `code` was run."""
        import ast
        import json

        return json.loads(ast.literal_eval(self.page.evaluate(ASKED, [code, expression])))


@contextlib.contextmanager
def lab(**settings: str) -> Iterator[Lab]:
    """Start a JupyterLab and a browser; `settings` are JSON by the plugin's file name."""
    with tempfile.TemporaryDirectory() as folder:
        home, work = Path(folder, "home"), Path(folder, "work")
        home.mkdir()
        work.mkdir()
        for plugin, text in settings.items():
            path = home / "settings" / plugin
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        with frontends.jupyterlab(work, home) as url, frontends.chromium() as browser:
            page = browser.new_page(viewport={"width": 1300, "height": 1400})
            page.set_default_timeout(60_000)
            yield Lab(url, work, page)
