"""The stylesheets of the panels."""

import re
from pathlib import Path

import typescript

import wonda_widgets

WIDGETS = Path(wonda_widgets.__file__).parent / "widgets"
STYLES = typescript.FRONTEND / "styles"
CLASS = re.compile(r"\.(wonda-[a-z0-9-]+)")
SHARED = ("tokens", "base", "studio", "fields", "controls", "image_preview", "job")


def classes_of(path):
    return set(CLASS.findall(path.read_text("utf-8")))


def test_every_css_class_is_used():
    files = [*typescript.SOURCES.rglob("*.ts*"), *WIDGETS.rglob("*.py")]
    code = "".join(path.read_text("utf-8") for path in files)
    styled = {name for path in STYLES.glob("*.css") for name in classes_of(path)}
    assert len(styled) > 100
    assert [name for name in sorted(styled) if name not in code] == []


def test_css_classes_of_panels_do_not_conflict():
    names = {path.stem: classes_of(path) for path in STYLES.glob("*.css") if path.stem != "page"}
    shared = set().union(*(names.pop(name) for name in SHARED))
    for own, used in names.items():
        for other, others in names.items():
            assert own == other or (used & others) <= shared, (own, other)


def test_index_has_all_stylesheets():
    listed = re.findall(r'@import "\./(\w+)\.css"', (STYLES / "index.css").read_text("utf-8"))
    others = ["index", "page"]  # the styles around the panels are not limited to panels
    assert sorted([*listed, *others]) == sorted(path.stem for path in STYLES.glob("*.css"))
