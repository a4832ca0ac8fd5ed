"""Wrong arguments get a clear error before anything is sent."""

from __future__ import annotations

import inspect
import threading
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import wonda_widgets as ww
from wonda_widgets.client.edit import Encode
from wonda_widgets.utils import arguments

KEY = "sk_" + "a" * 64

#: Values of wrong types, sizes and scripts.
WRONG: list[Any] = [
    10**400,
    float("nan"),
    float("-inf"),
    Decimal("NaN"),
    "",
    "\ud83d",
    "a\0b",
    "\u202eabc",
    "x" * 100_000,
    None,
    True,
    b"\xff",
    [],
    [None],
    {"\ud800": "x"},
    {1: 2},
    datetime.max.replace(tzinfo=UTC),
    datetime.min.replace(tzinfo=UTC),
    datetime.min,  # noqa: DTZ901 - without a zone
    Path("/dev/null"),
    "/" + "x" * 5000,
    object(),
]


def calls(wonda: ww.Wonda, media: ww.Media, image: Any, folder: Path) -> dict[str, Any]:
    """Return functions that pass one argument to the client."""
    account = wonda.accounts.instagram()[0].instagram_account_id
    post = {"media_id": media.media_id, "instagram_account_id": account}
    matrix = {"template": "A {x}", "values": {"x": ["a"]}, "models": "z-image"}

    def long_path(value: Any) -> Any:
        return value if not isinstance(value, str) else str(folder / f"{value}{'x' * 5000}.html")

    names = inspect.signature(wonda.publish.instagram).parameters
    found = {
        f"instagram {name}": lambda value, name=name: wonda.publish.instagram(
            **{**post, name: value}
        )
        for name in names
    }
    found |= {
        f"generate {name}": lambda value, name=name: wonda.images.generate(
            **{"model": "z-image", "prompt": "A sail", name: value}
        )
        for name in ("model", "prompt", "params", "attachment_media_ids", "budget", "once")
    }
    found |= {
        f"matrix {name}": lambda value, name=name: (
            wonda.images.matrix(**{**matrix, name: value}).plan
        )
        for name in ("template", "values", "models", "params", "budget", "max_concurrency")
    }
    found |= {
        f"search {name}": lambda value, name=name: wonda.history.search(**{name: value})
        for name in ("text", "model", "favorite", "rating", "since", "until", "limit", "offset")
    }
    found |= {
        f"mark {name}": lambda value, name=name: wonda.history.mark(image, **{name: value})
        for name in ("favorite", "rating", "note")
    }
    return found | {
        "mark": lambda value: wonda.history.mark(value, favorite=True),
        "original": wonda.history.original,
        "thumbnail": wonda.history.thumbnail,
        "edited": wonda.history.edited,
        "timeline": wonda.history.timeline,
        "export": lambda value: wonda.history.export(value, folder / "table.csv"),
        "storyboard": lambda value: wonda.history.storyboard(value, folder / "page.html"),
        "cancel": wonda.publish.cancel,
        "check": wonda.publish.check,
        "settle": lambda value: wonda.publish.settle(value, posted=True),
        "dismiss": wonda.jobs.dismiss,
        "attach": lambda value: wonda.jobs.attach("inference", value),
        "attach kind": lambda value: wonda.jobs.attach(value, "a"),
        "recent": wonda.jobs.recent,
        "unfinished": lambda value: wonda.jobs.unfinished(days=value),
        "unfinished plans": lambda value: wonda.images.unfinished(days=value),
        "add": ww.edit.Edit(media, wonda=wonda).add,
        "quality": lambda value: ww.edit.Edit(media, wonda=wonda).add(
            Encode(format="JPEG", quality=value)
        ),
        "since": lambda value: wonda.images.spent(ww.Budget(1, since=value)),
        "storyboard path": lambda value: wonda.history.storyboard([image], long_path(value)),
        "export path": lambda value: wonda.history.export([image], long_path(value)),
        "download": wonda.media.download,
        "open": wonda.media.open,
        "upload": wonda.media.upload,
        "upload name": lambda value: wonda.media.upload(b"GIF89a", name=value),
        "spent": wonda.images.spent,
        "Budget": ww.Budget,
        "Journal days": lambda value: ww.Journal(":memory:", days=value).close(),
        "base_url": lambda value: ww.Wonda(KEY, base_url=value).close(),
        "org": lambda value: ww.Wonda(KEY, org=value).close(),
        "timeout": lambda value: ww.Wonda(KEY, timeout=value).close(),
        "centered_crop": lambda value: ww.edit.centered_crop((10, 10), value),
    }


def test_wrong_argument_gets_a_clear_error_from_the_package(tmp_path):
    package = str(Path(ww.__file__).parent)
    unclear = []
    with ww.Wonda.sandbox(seconds=0.01) as wonda:
        job = wonda.images.generate(model="z-image", prompt="A sail")
        media = job.wait().media
        [image] = wonda.history.search()
        for name, call in calls(wonda, media, image, tmp_path).items():
            for value in WRONG:
                try:
                    call(value)
                except ww.WondaError:
                    continue
                except (TypeError, ValueError) as error:
                    place = inspect.getinnerframes(error.__traceback__)[-1].filename
                    if not place.startswith(package):
                        unclear.append((name, value, error))
                except Exception as error:  # noqa: BLE001 - collected and shown
                    unclear.append((name, value, error))
    assert unclear == []


@pytest.mark.parametrize("timeout", [10**400, float("inf"), 1e300])
def test_huge_time_limit_is_the_longest_possible(timeout):
    assert arguments.check_seconds("timeout", timeout) == threading.TIMEOUT_MAX


@pytest.mark.parametrize("timeout", [float("nan"), "5", [], True])
def test_time_limit_must_be_a_number(timeout):
    with ww.Wonda.sandbox(seconds=0.01) as wonda:
        job = wonda.images.generate(model="z-image", prompt="sandbox: slow")
        with pytest.raises(ww.InvalidInputError, match="must be a number of seconds"):
            job.wait(timeout=timeout)


@pytest.mark.parametrize("timeout", [-(10**400), -1, 0])
def test_time_limit_in_the_past_ends_the_wait_at_once(timeout):
    with ww.Wonda.sandbox(seconds=0.01) as wonda:
        job = wonda.images.generate(model="z-image", prompt="sandbox: slow")
        with pytest.raises(ww.JobTimeoutError, match="within 0 s"):
            job.wait(timeout=timeout)


def test_key_in_a_wrong_argument_is_not_repeated():
    with pytest.raises(ww.InvalidInputError) as caught:
        ww.Wonda(KEY, base_url=KEY)
    assert KEY not in str(caught.value) + repr(caught.value.__dict__)
    assert "is not the address of an API" in caught.value.message
