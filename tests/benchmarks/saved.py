"""Size of a notebook that is saved with its widgets after generating twenty 4K images.

A real JupyterLab with `Save Widget State Automatically` on. Twenty images of about
12 MB are made in one Studio; then the notebook is saved as it is when somebody presses
Ctrl+S, its outputs and the state of all widgets in it.

The usual way shows each image in an `ipywidgets.Image` with a bar over it. Its widget
state grows by the same for each image, so a notebook of two such images is saved
and the size is computed for twenty; the table says so.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from .notebook import Lab, lab
from .rows import KEY, Row
from .sandbox_server import serving_images

COUNT, FEW, FILES, THEIRS = 20, 4, 2, 2
PLUGIN = "@jupyter-widgets/jupyterlab-manager/plugin.jupyterlab-settings"

BEGIN = """
import time
import wonda_widgets as ww
wonda = ww.Wonda({key!r}, base_url={base_url!r})
studio = ww.Studio(wonda, prompt="A quiet harbour")
studio
"""
# The thread of the cell only waits.
MAKE = """
shown = None
for number in range({count}):
    while studio.prompt_form.state != "ready":
        time.sleep(0.01)
    studio.prompt_form.submit()
    while studio.media is None or studio.media.media_id == shown:
        if studio.prompt_form.error or studio.preview.error:
            raise RuntimeError((studio.prompt_form.error, studio.preview.error))
        time.sleep(0.01)
    shown = studio.media.media_id
time.sleep(0.5)  # what follows an image is sent
print("made", len(studio.filmstrip.images))
"""
NAIVE = """
from pathlib import Path
import ipywidgets
for path in sorted(Path({images!r}).glob("*.png"))[:{count}]:
    bar = ipywidgets.IntProgress(100, description=path.stem)
    display(ipywidgets.VBox([bar, ipywidgets.Image(value=path.read_bytes())]))
print("made", {count})
"""
SAVED = """
async () => {
  const context = jupyterapp.shell.currentWidget.context;
  // The manager writes its state into the notebook when a save begins.
  await jupyterapp.commands.execute("docmanager:save");
  if (context.model.dirty) await context.save();
}
"""


def measure(*, quick: bool) -> list[Row]:
    """Make images both ways, save, and look at the files."""
    from .preview import paint

    count = FEW if quick else COUNT
    with tempfile.TemporaryDirectory() as folder:
        paint(Path(folder), "smooth", 1 if quick else FILES)
        each = max(path.stat().st_size for path in Path(folder).glob("*.png"))
        with (
            serving_images(Path(folder)) as (base_url, _),
            lab(**{PLUGIN: '{"saveState": true}'}) as opened,
        ):
            begin = BEGIN.format(key=KEY, base_url=base_url)
            ours = _saved(opened, "ours.ipynb", begin, MAKE.format(count=count))
            few = 1 if quick else THEIRS
            naive = NAIVE.format(images=folder, count=few)
            theirs = _saved(opened, "theirs.ipynb", naive) / few * count
    return [
        Row(
            f"saved notebook, {count} images of {each / 1e6:.1f} MB: "
            "% of the size with ipywidgets.Image",
            f"{ours / 1e6:.2f} MB",
            f"{theirs / 1e6:,.0f} MB (computed from {few})",
            ours / theirs * 100,
            1,
        )
    ]


def _saved(opened: Lab, name: str, *cells: str) -> int:
    """The size of a notebook that was run and saved, with its widgets' state in it."""
    opened.open(name, *cells)
    for _ in cells:
        opened.run_next()
    opened.page.locator(".jp-OutputArea-output", has_text="made").wait_for(timeout=120_000)
    opened.page.evaluate(SAVED)
    text = (opened.folder / name).read_text(encoding="utf-8")
    if "application/vnd.jupyter.widget-state+json" not in text:
        raise RuntimeError("The widgets' state was not saved.")
    opened.page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    return len(text)
