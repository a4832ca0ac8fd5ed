"""Campaigns of two worker processes under Dask; run by `test_fan_out`.

python -m tests.crash.campaigns KEY BASE_URL JOURNAL

The key goes to the workers by their environment alone; this process is told it as a person's
kernel is, and sends clients without it. What became of each campaign is printed as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from distributed import Client, LocalCluster, as_completed, wait

import wonda_widgets as ww
from wonda_widgets.jobs import poll_intervals

if TYPE_CHECKING:
    from distributed import Future

    from wonda_widgets.jobs.matrix.planning import Cell

IMAGES = 200
WITHIN_THE_BUDGET = 25
THREADS = 12


def main() -> None:
    key, base_url, journal = sys.argv[1:]
    how: dict[str, Any] = {"n_workers": 2, "threads_per_worker": THREADS}
    how |= {"dashboard_address": "127.0.0.1:0", "silence_logs": "CRITICAL", "host": "127.0.0.1"}
    with (
        ww.Wonda(key, base_url=base_url, journal=journal) as wonda,
        LocalCluster(**how, env={"WONDA_API_KEY": key}) as cluster,
        Client(cluster) as client,
    ):
        found = {
            each.__name__: each(wonda, client) for each in (whole, killed, budget, matrices, post)
        }
        found["entries"] = len(wonda.jobs.recent(limit=10_000))
    print(json.dumps(found))


def cells(wonda: ww.Wonda, name: str, count: int) -> list[Cell]:
    values = {"number": [str(number) for number in range(count)]}
    return wonda.images.matrix(f"{name} {{number}}", values, "z-image").plan.cells


def make(cell: Cell, wonda: ww.Wonda, spend: ww.Budget | None = None) -> str | None:
    """Make one image, in whichever process this runs."""
    poll_intervals.FIRST_INTERVAL = 0.05
    job = wonda.images.generate(
        model=cell.model, prompt=cell.prompt, params=cell.params, budget=spend, once="campaign"
    )
    return job.wait().media.media_id


def said(futures: list[Future]) -> dict[str, int]:
    """How many ended how."""
    wait(futures)
    return dict(Counter(type(each.exception()).__name__ for each in futures))


# ---------------------------------------------------------------- campaigns


def whole(wonda: ww.Wonda, client: Client) -> dict[str, Any]:
    """Nothing happens to anybody."""
    ended = said(client.map(make, cells(wonda, "whole", IMAGES), wonda=wonda))
    images = wonda.history.search("whole", limit=IMAGES)
    return {"ended": ended, "processes": len({each.made_by for each in images})}


def killed(wonda: ww.Wonda, client: Client) -> dict[str, Any]:
    """A worker is killed half way, and what it had and did is done again by others."""
    futures = client.map(make, cells(wonda, "killed", IMAGES), wonda=wonda)
    before = client.run(os.getpid)
    for count, _ in enumerate(as_completed(futures), start=1):
        if count == IMAGES // 2:
            os.kill(next(iter(before.values())), 9)
            break
    ended = said(futures)
    client.wait_for_workers(2)
    after = client.run(os.getpid)
    return {"ended": ended, "gone": len(set(before.values()) - set(after.values()))}


def budget(wonda: ww.Wonda, client: Client) -> dict[str, Any]:
    """There is money for a part only."""
    some = cells(wonda, "budget", 60)
    price = wonda.images.matrix("budget", models="z-image").price.usd or 0.0
    spend = ww.Budget(WITHIN_THE_BUDGET * price, since=datetime.now().astimezone())
    ended = said(client.map(make, some, wonda=wonda, spend=spend))
    return {"ended": ended, "spent": wonda.images.spent(spend), "usd": spend.usd}


def both(client: Client, work: Any, *arguments: Any) -> list[Any]:
    """Have each worker do the same at the same time."""
    workers = list(client.run(os.getpid))
    return client.gather(
        [client.submit(work, *arguments, workers=[each], pure=False) for each in workers]
    )


def matrices(wonda: ww.Wonda, client: Client) -> dict[str, Any]:
    """Both make the same plan; one of its images fails."""

    def run(wonda: ww.Wonda) -> list[str]:
        poll_intervals.FIRST_INTERVAL = 0.05
        values = {"what": ["sandbox: fail", *(f"matrix {number}" for number in range(40))]}
        matrix = wonda.images.matrix("{what}", values, "z-image", max_concurrency=8)
        return [row["status"] for row in matrix.wait()]

    return {"ended": [Counter(each) for each in both(client, run, wonda)]}


def post(wonda: ww.Wonda, client: Client) -> dict[str, Any]:
    """Both post the same image."""
    account = wonda.accounts.instagram()[0].instagram_account_id
    media = wonda.history.search("whole", limit=1)[0].media

    def publish(media: ww.Media, wonda: ww.Wonda) -> str:
        try:
            job = wonda.publish.instagram(
                media_id=media.media_id or "", instagram_account_id=account, caption="Once"
            )
            return str(job.wait().status)
        except ww.AlreadyPublishedError:
            return "already"

    return {"ended": sorted(both(client, publish, media, wonda))}


if __name__ == "__main__":
    main()
