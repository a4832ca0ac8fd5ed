"""The examples in the docstrings run on a sandbox, and each public name has an example."""

import asyncio
import doctest
import getpass
import importlib
import inspect
import pkgutil

import pytest
from PIL import Image

import wonda_widgets as ww

#: IPython calls this, for ``%load_ext wonda_widgets``.
WITHOUT_EXAMPLE = {"load_ipython_extension"}


class Checker(doctest.OutputChecker):
    """Compares an output only if the example shows one, as a cell need not show its result."""

    def check_output(self, want, got, optionflags):
        return not want or super().check_output(want, got, optionflags)


def all_modules():
    yield ww
    for found in pkgutil.walk_packages(ww.__path__, "wonda_widgets."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def all_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    for module in all_modules():
        yield from (found for found in finder.find(module, module.__name__) if found.examples)


#: A blocking method and its async original share a docstring.
BY_DOCSTRING = {found.docstring: found for found in all_examples()}
EXAMPLES = {found.name.removeprefix("wonda_widgets."): found for found in BY_DOCSTRING.values()}


@pytest.fixture
def names(settled, quick_polls, tmp_path, monkeypatch):  # noqa: ARG001
    """The names that an example may use without defining them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: "")
    monkeypatch.setattr(
        "wonda_widgets.notebook.nested_asyncio.import_module",
        lambda _name: type("Module", (), {"apply": staticmethod(lambda: None)}),
    )
    Image.new("RGB", (64, 64)).save("vase.png")
    with ww.Wonda.sandbox(seconds=0.01) as wonda:
        params = {"aspectRatio": "4:5"}
        jobs = [
            wonda.images.generate(model="nano-banana-2", prompt=prompt, params=params)
            for prompt in ("A quiet harbor at dusk", "A quiet harbor at dawn")
        ]
        media = [job.wait().media for job in jobs]
        images = wonda.history.search()
        yield {
            "asyncio": asyncio,
            "ww": ww,
            "wonda": wonda,
            "job": jobs[0],
            "media": media[0],
            "images": images,
            "image": images[0],
            "matrix": wonda.images.matrix("A {subject}", {"subject": ["sunset"]}, "nano-banana-2"),
        }


@pytest.mark.parametrize("name", EXAMPLES)
def test_docstring_example_runs(name, names):
    example = EXAMPLES[name]
    example.globs = dict(names)
    runner = doctest.DocTestRunner(
        Checker(), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    report = []
    failed, _ = runner.run(example, out=report.append)
    assert not failed, "".join(report)


def test_each_public_name_has_an_example():
    without = set()
    for name in ww.__all__:
        value = getattr(ww, name)
        is_error = inspect.isclass(value) and issubclass(value, Exception)
        if callable(value) and not is_error and value.__doc__ not in BY_DOCSTRING:
            without.add(name)
    assert without == WITHOUT_EXAMPLE
