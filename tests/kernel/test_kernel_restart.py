"""A new kernel lists and resumes the jobs of a killed one."""

from __future__ import annotations

from conftest import KEY

START = f"""
import wonda_widgets as ww
wonda = ww.Wonda({KEY!r}, base_url=%r)
"""
ACCOUNT = "wonda.accounts.instagram()[0].instagram_account_id"


def test_next_kernel_resumes_jobs_of_a_killed_one(kernel, served):
    sandbox, base_url = served(seconds=3)
    kernel.run(START % base_url)
    job_id = kernel.run(
        "print(wonda.images.generate(model='z-image', prompt='A harbour').id, end='')"
    )
    sandbox.faults.add("POST", "/image/generate", "hang")
    kernel.send("wonda.images.generate(model='z-image', prompt='never answered')")
    while len(sandbox.faults.arrived) < 2 or sandbox.faults.arrived[-1][0] != "POST":
        kernel.listen(0.05)
    kernel.manager.signal_kernel(9)
    kernel.manager.restart_kernel(now=True)
    kernel.client.wait_for_ready(timeout=60)

    kernel.run(START % base_url)
    told = kernel.run(
        "for job in wonda.jobs.recent(): print(job.id, job.kind, job.request['prompt'])"
    )
    assert told.splitlines() == [
        "None inference never answered",
        f"{job_id} inference A harbour",
    ]
    assert kernel.run("print(wonda.jobs.recent()[1].wait(30).status)") == "succeeded\n"
    # The panel offers what is left, and one click goes on with it.
    kernel.run("studio = ww.Studio(wonda)")
    told = kernel.run(
        "import time\n"
        "for _ in range(200):\n"
        "    if studio.unfinished.images: break\n"
        "    time.sleep(0.05)\n"
        "print(studio.unfinished.running, studio.unfinished.images)"
    )
    assert told == "0 1\n"
