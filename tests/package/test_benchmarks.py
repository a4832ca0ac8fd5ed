"""The benchmarks run, and their output is consistent. Goals are not tested."""

import json
import math
import re
import subprocess
import sys

import frontends
import pytest

from tests.benchmarks.__main__ import TOPICS
from tests.benchmarks.rows import Row


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    file = tmp_path_factory.mktemp("benchmarks") / "quick.json"
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--json", str(file)]
    ran = subprocess.run(
        command, cwd=frontends.ROOT, capture_output=True, text=True, check=False, timeout=600
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(file.read_text(encoding="utf-8"))
    goals = [row for rows in told["topics"].values() for row in rows if row["goal"] is not None]
    verdicts = re.findall(r"<= [\d.,e+]+ +(held|NOT HELD)$", ran.stdout, re.MULTILINE)
    assert len(verdicts) == len(goals)
    return told


def test_each_topic_tells_something(told):
    assert tuple(told["topics"]) == TOPICS
    assert all(rows for rows in told["topics"].values())


def test_every_number_is_one(told):
    for rows in told["topics"].values():
        for row in rows:
            assert row["what"].strip()
            if row["value"] is not None:
                assert math.isfinite(row["value"])
                assert row["value"] >= 0
            if row["goal"] is not None:
                assert row["held"] is (row["value"] <= row["goal"])


def test_two_things_that_cost_something_are_not_told_as_nothing(told):
    costs = [
        row["value"]
        for topic in ("imports", "polls", "journal", "preview", "matrix")
        for row in told["topics"][topic]
        if row["goal"]
    ]
    assert len(costs) >= 5
    assert all(cost > 0.001 for cost in costs)


def test_a_run_can_be_held_against_another(told, tmp_path):
    earlier = tmp_path / "earlier.json"
    row = next(row for row in told["topics"]["pace"] if row["held"])
    earlier.write_text(json.dumps(told).replace('"held": true', '"held": false'), encoding="utf-8")
    command = [sys.executable, "-m", "tests.benchmarks", "pace", "--against", str(earlier)]
    said = subprocess.run(command, cwd=frontends.ROOT, capture_output=True, text=True, check=True)
    assert row["what"] in said.stdout.rpartition("held in one run only")[2]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["nothing"], "no topic nothing"),
        (["pace", "--json", "{folder}/not/there.json"], "no folder"),
        (["pace", "--against", "{folder}/not.json"], "cannot be read"),
        (["pace", "--against", "{folder}/list.json"], "cannot be read"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_measured(tmp_path, options, said):
    (tmp_path / "list.json").write_text("[1]", encoding="utf-8")
    options = [word.format(folder=tmp_path) for word in options]
    command = [sys.executable, "-m", "tests.benchmarks", *options]
    ran = subprocess.run(command, cwd=frontends.ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not ran.stdout


@pytest.mark.parametrize(
    ("value", "goal", "shown"),
    [
        (0.4951, 0.5, "0.50"),
        (0.5049, 0.5, "0.505"),
        (10.04, 10, "10.04"),
        (300.4, 300, "300.4"),
        (0.004, 0, "0.004"),
        (97_620.0, 400_000, "97,620"),
        (14.0, 15, "14"),
    ],
)
def test_a_figure_does_not_deny_its_verdict(value, goal, shown):
    assert Row("what", "ours", value=value, goal=goal).shown == shown


def test_each_goal_that_was_missed_has_a_reason():
    file = frontends.ROOT / "notebooks" / "benchmarks.json"
    told = json.loads(file.read_text(encoding="utf-8"))
    assert not told["quick"]
    missed = [row for rows in told["topics"].values() for row in rows if row["held"] is False]
    assert all(row["why"] for row in missed)
