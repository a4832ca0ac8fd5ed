"""What the TypeScript sources of the front end contain, found by their text."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

FRONTEND = Path(__file__).parents[1] / "wonda_widgets" / "frontend"
SOURCES = FRONTEND / "src"


@cache
def panels() -> dict[str, Path]:
    """The file of each panel, by the name in its trait `_panel`."""
    index = (SOURCES / "index.ts").read_text("utf-8")
    files = dict(re.findall(r'import \{ (\w+) \} from "\./(panels/\w+)";', index))
    names = re.findall(r"^  (\w+): \{.*component: (\w+)", index, re.MULTILINE)
    return {name: _file(SOURCES, files[component]) for name, component in names}


def _file(folder: Path, module: str) -> Path:
    path = folder / module
    places = [path.with_suffix(".tsx"), path.with_suffix(".ts"), path / "index.tsx"]
    return next(each.resolve() for each in places if each.exists())


@cache
def imports(path: Path) -> set[Path]:
    """A file and all files that it imports, directly or not, except other panels."""
    found, todo = set(), [path]
    while todo:
        each = todo.pop()
        if each in found:
            continue
        found.add(each)
        modules = re.findall(r'from "(\.[^"]+)"', each.read_text("utf-8"))
        todo += [_file(each.parent, module) for module in modules if "style:" not in module]
    return found


def traits_set_by(panel: str) -> set[str]:
    """The traits that a panel's component sets."""
    if not panel:
        return set()
    code = "".join(path.read_text("utf-8") for path in imports(panels()[panel]))
    literal = {
        name
        for values in re.findall(r"panel\.set\(\{(.*?)\}\)", code, re.DOTALL)
        for name in re.findall(r"(?:^|,)\s*(\w+)(?=\s*[:,]|\s*$)", values)
    }
    drafts = set(re.findall(r'use(?:Limited)?Draft(?:<\w+>)?\("(\w+)"', code))
    named = set(re.findall(r'<Day [^>]*name="(\w+)"', code))
    return literal | drafts | named
