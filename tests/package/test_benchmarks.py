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


def test_each_topic_has_rows(told):
    assert tuple(told["topics"]) == TOPICS
    assert all(rows for rows in told["topics"].values())


def test_values_are_finite_numbers(told):
    for rows in told["topics"].values():
        for row in rows:
            assert row["what"].strip()
            if row["value"] is not None:
                assert math.isfinite(row["value"])
                assert row["value"] >= 0
            if row["goal"] is not None:
                assert row["held"] is (row["value"] <= row["goal"])


def test_measured_costs_are_above_zero(told):
    costs = [
        row["value"]
        for topic in ("imports", "polls", "journal", "preview", "matrix")
        for row in told["topics"][topic]
        if row["goal"]
    ]
    assert len(costs) >= 5
    assert all(cost > 0.001 for cost in costs)


def test_run_can_be_compared_with_an_earlier_one(told, tmp_path):
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
def test_invalid_options_are_reported_before_measuring(tmp_path, options, said):
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
def test_rounded_value_is_consistent_with_its_verdict(value, goal, shown):
    assert Row("what", "ours", value=value, goal=goal).shown == shown


def test_each_missed_goal_has_a_reason():
    file = frontends.ROOT / "notebooks" / "benchmarks.json"
    told = json.loads(file.read_text(encoding="utf-8"))
    assert not told["quick"]
    missed = [row for rows in told["topics"].values() for row in rows if row["held"] is False]
    assert all(row["why"] for row in missed)
