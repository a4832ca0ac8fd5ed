"""Unfinished plans of earlier versions are resumed, and nothing is requested twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3

import httpx
import msgspec
import pytest
from conftest import BASE

from wonda_widgets.journal.journal import Journal
from wonda_widgets.journal.saved_plans import cell_key
from wonda_widgets.utils import event_loop

PARAMS = {"guidance": {"type": "number", "minimum": 0, "maximum": 10}}

#: What `images.matrix` was given, and what the version before called the plan and its cells: its
#: code wrote these.
BEFORE = {
    "line break": (
        ("A {x} at dawn,\nsoft light", {"x": ["a", "b"]}, {}),
        "bd9f93192fe8b29d85f54a41abd5b4d544c8965cacbb4ccb99f87a37577c710b",
        ["94e085e08587ff61cc3ec21648bce2fe", "fd664bbfd2c63954a607b5ae279354ab"],
    ),
    "double blank": (
        ("A {x}  at dawn", {"x": ["a", "b"]}, {}),
        "d26735dd6bf5711436d6c969739d78f21068a34adce9adbc341c93b17da29806",
        ["56690cd13649855972b246dfba2e7e96", "a3583999969c7d34eec29f75ac9dbe5a"],
    ),
    "emoji": (
        ("A {x} \u2764\ufe0f", {"x": ["a", "b"]}, {}),
        "887ad0e3a83eb14e6223c1927e578f6c2c6712eff0f65f4a9d79bbad3450e037",
        ["8de16013ecab7a9718cde3243ce0dfbe", "c665c3d8247633304825994348b986c8"],
    ),
    "decomposed": (
        ("A cafe\u0301 {x}", {"x": ["a", "b\u200b"]}, {}),
        "c6bef1fb1661b906467e0bece963ce72201ab20ff1fa999f452b7e573999c3d7",
        ["a99527416a7fc8975653d64d1f9c2303", "b64f9527b9e3137bd32e54ef2085ad8d"],
    ),
    "4.0": (
        ("A {x}", {"x": ["a", "b"]}, {"guidance": [4.0]}),
        "3b9409c42ae426da0bfe0bcae355ac7c2849712e1249cefc031e2105c101fe7e",
        ["37a4e96261e3a59546ce81c4ec46d546", "5f236a5e0bde4b8464bf7cd87c215144"],
    ),
    "4.0 and 0.5": (
        ("A {x}", {"x": ["a"]}, {"guidance": [4.0, 0.5]}),
        "622e86be13e99219ccfed32744a8adf610558ced578a804960c53c7d941122a2",
        ["37a4e96261e3a59546ce81c4ec46d546", "713b1b33c73ee1bed9083ce46ab8528e"],
    ),
    "cells that look the same": (
        ("A {x}", {"x": ["a b", "a  b"]}, {}),
        "1a653819ca7fb6ce704486efd4b68ba159b4f81172ae27b556cad3dbf1895fa8",
        ["90e2d6231303df28418f9cc4d035c89d", "d6ea610d74c04ffc6d0ca8ae6d815cca"],
    ),
    "plain": (
        ("A {x}", {"x": ["a", "b"]}, {}),
        "7c8820861ae52be3100bb5d4d33bb584039bba46cc0c1f4e66d5e10cbd309b02",
        ["37841d0dfe0a2db3b372aeec2df49dc4", "1a48e35ae08fedea0133a5a115ebbc37"],
    ),
}

every = pytest.mark.parametrize("left", BEFORE.values(), ids=BEFORE)


class Service:
    """A Wonda that counts the images it makes."""

    def __init__(self):
        self.asked = []

    def __call__(self, request):
        path = request.url.path.removeprefix("/api/v1")
        if path == "/capabilities":
            model = {"key": "m", "name": "M", "params": PARAMS}
            return httpx.Response(200, json={"generation": {"image": [model]}})
        if path == "/pricing/estimate":
            return httpx.Response(200, json={"estimatedCostMicrodollars": 40_000})
        if path == "/image/generate":
            self.asked.append(json.loads(request.content))
            return httpx.Response(200, json={"inferenceJobId": f"new{len(self.asked)}"})
        media = {"mediaId": path.rpartition("/")[2]}
        return httpx.Response(200, json={"status": "succeeded", "outputs": [{"media": media}]})


@pytest.fixture
def service():
    return Service()


def body_of(template, values, params, number):
    """What the version before asked for as its cell of this number."""
    texts = [(x, p) for x in values["x"] for p in params.get("guidance", [None])]
    x, guidance = texts[number]
    body = {"model": "m", "prompt": template.replace("{x}", x)}
    return body if guidance is None else {**body, "params": {"guidance": guidance}}


@pytest.fixture
def leave(tmp_path):
    """What writes a plan as the version before did, with `ends` of the cells that it asked for."""
    journal = Journal(tmp_path / "kernels.db")

    def write(left, *ends):
        (template, values, params), alike, digests = left
        asked = {
            "template": template,
            "values": values,
            "models": ["m"],
            "params": params,
            "attachment_media_ids": [],
        }
        begun = journal.saved_plans.resume_or_start(BASE, alike, msgspec.json.encode(asked), None)
        batch, _ = begun.result()
        for number, end in enumerate(ends):
            body = msgspec.json.encode(body_of(template, values, params, number))
            name = cell_key(batch.id, digests[number])
            intent, _ = journal.begin_request(BASE, "inference", body, name).result()
            if end == "made":
                journal.mark_accepted(intent, f"old{number}").result()
            elif end == "unknown":
                journal.mark_unknown(intent, "the answer was lost").result()
        return batch

    yield write
    journal.close()


def planned(wonda, left, **options):
    (template, values, params), *_ = left
    return wonda.images.matrix(template, values, "m", params, **options)


def rows_of(matrix):
    return {row["index"]: row["job_id"] or row["status"] for row in matrix}


@every
def test_older_plan_is_resumed(kernel, quick_polls, service, leave, left):  # noqa: ARG001
    leave(left, "made")
    matrix = planned(kernel(), left)
    rows = rows_of(matrix)
    assert matrix.resumed
    assert rows[0] == "old0"
    if left is BEFORE["cells that look the same"]:  # today they are one image
        assert rows[1] == "old0"
        assert service.asked == []
    else:
        assert rows[1] == "new1"
        assert service.asked == [body_of(*left[0], 1)]


@every
def test_older_plan_price_covers_remaining_images(kernel, service, leave, left):
    leave(left, "made", "made")
    wonda = kernel()
    matrix = planned(wonda, left)
    assert (matrix.already_requested, matrix.price.usd) == (2, 0)
    assert service.asked == []


@every
def test_possibly_generated_images_are_not_repeated(kernel, quick_polls, service, leave, left):  # noqa: ARG001
    leave(left, "made", "unknown")
    assert rows_of(planned(kernel(), left)) == {0: "old0", 1: "unknown"}
    assert service.asked == []


@every
def test_older_plan_is_listed_as_unfinished(kernel, leave, left, tmp_path):
    leave(left, "made")
    with contextlib.closing(sqlite3.connect(tmp_path / "kernels.db")) as journal, journal:
        journal.execute("UPDATE request SET owner='elsewhere|1|ended|1'")
    expected = 0 if left is BEFORE["cells that look the same"] else 1
    found = kernel().images.unfinished()
    assert [each.already_requested for each in found] == [1] * expected


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("line break", ("A {x} at dawn, soft light", {"x": ["a", "b"]}, {})),
        ("double blank", ("A {x} at dawn", {"x": ["a", "b"]}, {})),
        ("emoji", ("A {x} \u2764", {"x": ["a", "b"]}, {})),
        ("decomposed", ("A caf\u00e9 {x}", {"x": ["a", "b"]}, {})),
        ("4.0", ("A {x}", {"x": ["a", "b"]}, {"guidance": [4]})),
        ("4.0 and 0.5", ("A {x}", {"x": ["a"]}, {"guidance": [4, 0.5]})),
    ],
)
def test_equivalent_older_plan_is_resumed(
    kernel,
    quick_polls,  # noqa: ARG001
    service,
    leave,
    before,
    now,
):
    """As a panel gives it back: a browser makes 4 of 4.0."""
    leave(BEFORE[before], "made")
    matrix = planned(kernel(), (now,))
    assert matrix.already_requested == 1
    assert rows_of(matrix) == {0: "old0", 1: "new1"}
    assert matrix.resumed
    assert len(service.asked) == 1


def test_request_in_progress_elsewhere_is_not_repeated(kernel, service, leave):
    leave(BEFORE["line break"], "sending", "made")
    matrix = planned(kernel(), BEFORE["line break"])
    assert matrix.already_requested == 2
    matrix.start()
    event_loop.run_blocking(_turns(50))
    matrix.stop()
    assert service.asked == []


async def _turns(count):
    for _ in range(count):
        await asyncio.sleep(0)


def test_requested_cell_keeps_its_plan_id(
    kernel,
    quick_polls,  # noqa: ARG001
    leave,
):
    """So that an earlier version, which is at the same plan, does not ask for it again."""
    left = BEFORE["emoji"]
    batch = leave(left, "made")
    wonda = kernel()
    list(planned(wonda, left))
    cells = wonda._async._core.journal.saved_plans.cell_entries(batch.id).result()
    assert sorted(cells) == sorted(left[2])


def test_different_plan_starts_anew(kernel, quick_polls, service, leave):  # noqa: ARG001
    leave(BEFORE["line break"], "made")
    wonda = kernel()
    other = planned(wonda, (("A {x} at Dawn,\nsoft light", {"x": ["a", "b"]}, {}),))
    list(other)
    assert not other.resumed
    again = planned(wonda, BEFORE["line break"], resume=False)
    list(again)
    assert not again.resumed
    assert len(service.asked) == 4


@pytest.mark.parametrize("plan", [b"", b"[", b"3", b"{}", b'"x"'])
def test_unreadable_plan_does_not_block_others(kernel, quick_polls, service, leave, plan):  # noqa: ARG001
    leave(BEFORE["line break"], "made")
    wonda = kernel()
    wonda._async._core.journal.saved_plans.resume_or_start(BASE, "odd", plan, None).result()
    list(planned(wonda, BEFORE["line break"]))
    assert len(service.asked) == 1


@pytest.mark.parametrize("newest", ["this spelling", "another spelling"])
def test_exact_plan_is_preferred_over_an_equivalent_one(tmp_path, newest):
    plans = Journal(tmp_path / "journal.db").saved_plans
    names = sorted(["this spelling", "another spelling"], key=lambda name: name == newest)
    for name in names:
        plans.resume_or_start(BASE, name, b"{}", None).result()
    also = ["this spelling", "another spelling"]
    found = plans.resume_or_start(BASE, "today's name", b"{}", 7.0, former_fingerprints=also)
    plan, was_there = found.result()
    assert (plan.fingerprint, was_there) == ("this spelling", True)
    again = plans.find_unfinished(BASE, "today's name", 7.0, former_fingerprints=also)
    assert again.result() == plan
