"""The stylesheets of the panels."""

import re
from pathlib import Path

import wonda_widgets

WIDGETS = Path(wonda_widgets.__file__).parent / "widgets"
CLASS = re.compile(r"\.(wonda-[a-z0-9-]+)")


def test_every_css_class_is_used():
    code = "".join(
        path.read_text("utf-8") for path in WIDGETS.rglob("*") if path.suffix in {".js", ".py"}
    )
    panels = {f"wonda-{name}" for name in re.findall(r'view\(model, el, "([a-z-]+)"', code)}
    styled = {
        name for path in WIDGETS.rglob("*.css") for name in CLASS.findall(path.read_text("utf-8"))
    }
    assert len(styled) > 100
    assert [name for name in sorted(styled - panels) if name not in code] == []
