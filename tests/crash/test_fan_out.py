"""Several worker processes on one journal have the guarantees of a single kernel."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

import pytest
from conftest import KEY
from key_search import assert_absent

import wonda_widgets as ww
from wonda_widgets.sandbox.server import serving
from wonda_widgets.utils import event_loop

ROOT = Path(__file__).parents[2]
GENERATE = ("POST", "/api/v1/image/generate")


class World:
    """A sandbox, a journal, and what became of the campaigns on them."""

    def __init__(self, sandbox, base_url, journal, said):
        self.sandbox, self.base_url, self.journal = sandbox, base_url, journal
        self.said = said
        self.found = json.loads(said.splitlines()[-1])

    def made(self, name):
        """How often each image of a campaign was made."""
        prompts = [job.body["prompt"] for job in self.sandbox.store.jobs.values()]
        return Counter(prompt for prompt in prompts if prompt.startswith(name))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    journal = tmp_path_factory.mktemp("fan") / "journal.db"
    context = serving(seconds=0.2, key=KEY)
    sandbox, base_url = event_loop.run_blocking(context.__aenter__())
    ran = subprocess.run(
        [sys.executable, "-m", "tests.crash.campaigns", KEY, base_url, str(journal)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    yield World(sandbox, base_url, journal, ran.stdout)
    event_loop.run_blocking(context.__aexit__(None, None, None))


def test_two_workers_generate_each_image_once(world):
    made = world.made("whole")
    assert len(made) == 200
    assert set(made.values()) == {1}
    assert world.found["whole"] == {"ended": {"NoneType": 200}, "processes": 2}


def test_killed_worker_loses_and_repeats_no_image(world):
    found = world.found["killed"]
    assert found["gone"] == 1
    made = world.made("killed")
    assert set(made.values()) == {1}
    # What was in the air at that moment is unknown: it may have been made.
    unknown = found["ended"].get("OutcomeUnknownError", 0)
    assert found["ended"].get("NoneType", 0) == 200 - unknown
    with ww.Wonda(KEY, base_url=world.base_url, journal=world.journal) as wonda:
        for number in range(200):
            wish = {"model": "z-image", "prompt": f"killed {number}", "once": "campaign"}
            try:
                assert wonda.images.generate(**wish).wait().media.media_id
            except ww.OutcomeUnknownError as error:
                # A person looks into the library, and has made what is not there.
                wonda.jobs.dismiss(error)
                if not made[wish["prompt"]]:
                    wonda.images.generate(**wish)
    print(f"{unknown} unknown, {200 - len(made)} not made")
    made = world.made("killed")
    assert len(made) == 200
    assert set(made.values()) == {1}


def test_budget_applies_to_both_workers(world):
    found = world.found["budget"]
    assert found["ended"] == {"NoneType": 25, "InvalidInputError": 35}
    assert found["spent"] == pytest.approx(found["usd"])
    made = world.made("budget")
    assert len(made) == 25
    assert set(made.values()) == {1}


def test_two_workers_on_one_matrix_generate_each_cell_once(world):
    made = world.made("matrix") + world.made("sandbox: fail")
    assert len(made) == 41
    assert set(made.values()) == {1}
    assert world.found["matrices"]["ended"] == [{"failed": 1, "succeeded": 40}] * 2


def test_two_workers_post_the_same_image_once(world):
    assert world.found["post"]["ended"] == ["already", "succeeded"]
    assert world.sandbox.faults.arrived.count(("POST", "/api/v1/publish/instagram")) == 1
    assert len(world.sandbox.store.publishes) == 1


def test_journal_contains_the_requests_of_all_workers(world):
    with ww.Wonda(KEY, base_url=world.base_url, journal=world.journal) as wonda:
        known = Counter(job.request.get("prompt") for job in wonda.jobs.recent(limit=10_000))
    for name, count in (("whole", 200), ("budget", 25), ("matrix", 40)):
        assert sum(prompt.startswith(name) for prompt in known if prompt) == count
    assert world.found["entries"] == 200 + 200 + 25 + 41 + 1


def test_key_is_in_no_file_of_the_workers(world):
    assert_absent(KEY, world.said, "what is printed")
    for file in world.journal.parent.glob("journal.db*"):
        if file.is_file():
            assert_absent(KEY, file.read_bytes(), file.name)


# ---------------------------------------------------------------- killed while it is sent

WORKER = textwrap.dedent(
    """
    import pickle, sys
    wonda = pickle.load(sys.stdin.buffer)
    wonda.images.generate(model="z-image", prompt="A lake", once="campaign")
    """
)


@pytest.mark.parametrize("effect", [True, False], ids=["it took effect", "it did not"])
def test_unfinished_requests_are_not_repeated(served, tmp_path, monkeypatch, effect):
    import pickle

    sandbox, base_url = served(seconds=0.01, key=KEY)
    sandbox.faults.add(*GENERATE, "hang", after=effect)
    with ww.Wonda(KEY, base_url=base_url, journal=tmp_path / "journal.db") as wonda:
        monkeypatch.setenv("WONDA_API_KEY", KEY)
        process = subprocess.Popen([sys.executable, "-c", WORKER], stdin=subprocess.PIPE)
        process.stdin.write(pickle.dumps(wonda))
        process.stdin.close()
        deadline = time.monotonic() + 30
        while GENERATE not in sandbox.faults.arrived or len(sandbox.store.jobs) < effect:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.kill()
        process.wait()
        wish = {"model": "z-image", "prompt": "A lake", "once": "campaign"}
        for _ in range(2):
            with pytest.raises(ww.OutcomeUnknownError, match="ended before") as caught:
                wonda.images.generate(**wish)
        assert sandbox.faults.arrived.count(GENERATE) == 1
        assert len(sandbox.store.jobs) == effect
        wonda.jobs.dismiss(caught.value)
        wonda.images.generate(**wish).wait()
        assert len(sandbox.store.jobs) == 1 + effect
