"""Pressing the fixes of a form, and what it uploads."""

from conftest import send


def press(form, label, **more):
    """Press the button of a fix."""
    fixes = [fix for point in form.check_results for fix in point["fixes"]]
    fixes += [form.combined_fix] if form.combined_fix else []
    (key,) = [fix["key"] for fix in fixes if fix["label"] == label]
    send(form, "fix", key=key, media_id=form.media_id, **more)


def uploads(wonda):
    """List the paths of the uploads that arrived at the sandbox."""
    return [path for _, path in wonda.faults.arrived if path.endswith("/media/upload")]
