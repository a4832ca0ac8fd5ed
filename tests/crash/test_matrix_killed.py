"""A matrix that is killed repeatedly ends with each cell generated exactly once."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from conftest import KEY

import wonda_widgets as ww
from tests.crash import matrices

ROOT = Path(__file__).parents[2]


@pytest.mark.forks
@pytest.mark.parametrize("takes", [1, 2])
def test_each_cell_is_generated_exactly_once(served, tmp_path, takes):
    sandbox, url = served(seconds=0.6, key=KEY)
    journal = tmp_path / "journal.db"
    ran = subprocess.run(
        [sys.executable, "-m", "tests.crash.matrices", KEY, url, str(journal), "5", str(takes)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = json.loads(ran.stdout)
    made = Counter(job.body["prompt"] for job in sandbox.store.jobs.values())
    assert found["killed"] == 5, "none came to the end"
    assert found["resumed"]
    assert max(made.values()) <= takes, "none is made twice"
    # What was in the air when a kernel was killed is unknown: it may have been made.
    lost = [row for row in found["rows"] if row["status"] == "unknown"]
    assert all(row["status"] in {"succeeded", "unknown"} for row in found["rows"])
    known = Counter(row["prompt"] for row in found["rows"] if row not in lost)
    assert all(made[prompt] >= count for prompt, count in known.items())

    absent = []  # what a person does not find in the library
    missing = {prompt: takes - made[prompt] for prompt in {row["prompt"] for row in lost}}
    for row in lost:
        if missing[row["prompt"]] > 0:
            missing[row["prompt"]] -= 1
            absent.append(row["index"])
    if lost:  # else all of it is done, and the same plan would be a new wish
        with ww.Wonda(KEY, base_url=url, journal=journal) as wonda:
            last = matrices.plan(wonda, takes)
            last.wait()
            for index in absent:
                last.retry(index)
            last.wait()
    made = Counter(job.body["prompt"] for job in sandbox.store.jobs.values())
    print(f"{found['killed']} kernels killed; {len(lost)} unknown, {len(absent)} not made")
    assert len(made) == matrices.CELLS // takes
    assert set(made.values()) == {takes}
