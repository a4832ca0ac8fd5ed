"""The client and the sandbox over a real socket, with lost requests and responses."""

import subprocess
import time
from pathlib import Path

import frontends
import pytest
from conftest import KEY

import wonda_widgets as ww

ACCOUNT = "550e8400-e29b-41d4-a716-446655440000"


@pytest.fixture
def sandbox(served):
    return served(seconds=0.05, key=KEY)


@pytest.fixture
def wonda(sandbox):
    with ww.Wonda(KEY, base_url=sandbox[1], timeout=0.6) as client:
        yield client


def arrived(sandbox, path):
    return [request for request in sandbox.faults.arrived if request == ("POST", path)]


def test_the_whole_flow(sandbox):
    wonda = ww.Wonda(KEY, base_url=sandbox[1])
    job = wonda.images.generate(
        model="nano-banana-2", prompt="A sunset over the ocean", params={"resolution": "2K"}
    )
    done = job.wait(30)
    assert wonda.media.open(done.media).size == (done.media.width, done.media.height)
    post = wonda.publish.instagram(
        media_id=done.media.media_id,
        instagram_account_id=ACCOUNT,
        caption="Made with Wonda",
        product="IMAGE",
    )
    assert post.status == "queued"
    assert post.wait(30).permalink
    wonda.close()


@pytest.mark.parametrize("after", [False, True], ids=["lost on the way", "lost on the way back"])
@pytest.mark.parametrize("fault", ["drop", "cut", "hang", "html", 500, 502, 503])
@pytest.mark.parametrize("operation", ["generate", "publish", "upload"])
def test_one_post_arrives_however_the_response_is_lost(sandbox, wonda, operation, fault, after):
    path, call = {
        "generate": (
            "/api/v1/image/generate",
            lambda: wonda.images.generate(model="z-image", prompt="x"),
        ),
        "publish": (
            "/api/v1/publish/instagram",
            lambda: wonda.publish.instagram(media_id=media, instagram_account_id=ACCOUNT),
        ),
        "upload": ("/api/v1/media/upload", lambda: wonda.media.upload(b"GIF89a-upload")),
    }[operation]
    media = wonda.media.upload(b"GIF89a").media_id if operation == "publish" else ""
    server = sandbox[0]
    server.faults.add("POST", path, fault, times=99, after=after)
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        call()
    server.faults.clear()
    assert len(arrived(server, path)) == 1
    assert "not sent again" in str(caught.value)
    assert caught.value.check
    store = server.store
    effects = {"generate": store.jobs, "publish": store.publishes, "upload": store.media}
    assert len(effects[operation]) == (1 if after else 0)


def test_no_connection_is_not_an_unknown_outcome():
    with (
        ww.Wonda(KEY, base_url="http://127.0.0.1:9/api/v1") as wonda,
        pytest.raises(ww.ServiceUnreachableError, match="Nothing was sent"),
    ):
        wonda.images.generate(model="z-image", prompt="x")


def test_post_refused_with_429_is_retried_after_the_given_time(sandbox, wonda):
    server = sandbox[0]
    server.faults.add("POST", "/image/generate", 429, headers={"Retry-After": "1"})
    began = time.monotonic()
    wonda.images.generate(model="z-image", prompt="x")
    assert time.monotonic() - began >= 1
    assert len(server.store.jobs) == 1


@pytest.mark.parametrize("fault", ["drop", "cut", "hang", "html", 500, 503, 429])
def test_job_survives_failed_polls(sandbox, wonda, fault):
    server = sandbox[0]
    server.faults.add("GET", "/jobs/inference", fault)
    job = wonda.images.generate(model="z-image", prompt="x")
    told = [snapshot.problem for snapshot in job.updates()]
    assert "retrying" in told[0]
    assert told[-1] is None
    assert job.wait().media.media_id


@pytest.mark.parametrize(
    ("status", "cls"),
    [(401, ww.AuthenticationError), (403, ww.PermissionDeniedError), (404, ww.NotFoundError)],
)
def test_permanent_poll_error_stops_watching_until_resumed(sandbox, wonda, status, cls):
    sandbox[0].faults.add("GET", "/jobs/inference", status)
    job = wonda.images.generate(model="z-image", prompt="x")
    *_, last = job.updates()  # `wait` would follow it again, should it have ended already
    assert isinstance(last.error, cls)
    assert job.wait().status == "succeeded"


def test_images_are_loaded_from_a_separate_origin(sandbox):
    wonda = ww.Wonda(KEY, base_url=sandbox[1])
    media = wonda.images.generate(model="z-image", prompt="x").wait().media
    assert media.url.startswith("http://127.0.0.1:")
    assert media.url.split("/")[2] != sandbox[1].split("/")[2]
    assert wonda.media.open(media).width == media.width
    wonda.close()


def test_requests_recover_after_service_downtime(served):
    server, base_url = served(seconds=0.05, key=KEY)
    with ww.Wonda(KEY, base_url=base_url, timeout=0.5) as wonda:
        server.faults.add("GET", "/capabilities", "drop", times=2)
        assert wonda.capabilities().image_models


EXAMPLE = """
// The page's create-then-poll flow, in its steps and with its headers.
const [base, key] = process.argv.slice(2);
const auth = { Authorization: `Bearer ${key}` };
const read = (reply) => reply.json();
const post = (path, body) =>
  fetch(base + path, {
    method: "POST",
    headers: { ...auth, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  }).then(read);
async function follow(kind, id) {
  for (;;) {
    const job = await fetch(`${base}/jobs/${kind}/${id}`, { headers: auth }).then(read);
    if (["succeeded", "failed", "canceled"].includes(job.status)) return job;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
const asked = await post("/image/generate", {
  model: "nano-banana-2", prompt: "A sunset over the ocean", params: { resolution: "2K" },
});
const made = await follow("inference", asked.inferenceJobId);
const sent = await post("/publish/instagram", {
  mediaId: made.outputs.find((output) => output.media).media.mediaId,
  instagramAccountId: "550e8400-e29b-41d4-a716-446655440000",
  caption: "Made with Wonda",
  product: "IMAGE",
});
console.log("Publish status:", (await follow("publish", sent.outputJobId)).status);
"""


def test_example_of_the_service_page_runs_on_the_sandbox(sandbox, tmp_path):
    script = tmp_path / "example.mjs"
    script.write_text(EXAMPLE)
    ran = subprocess.run(
        [frontends.node_path(), str(script), sandbox[1], KEY],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "Publish status: succeeded"


def test_broken_node_is_skipped(monkeypatch, tmp_path):
    def program(folder, text):
        made = tmp_path / folder / "node"
        made.parent.mkdir()
        made.write_text(f"#!/bin/sh\n{text}\n")
        made.chmod(0o755)
        return str(made)

    lacks_a_library, too_old = program("driver", "exit 127"), program("old", "echo v16.20.0")
    runs = program("new", "echo v20.1.0")
    installed = []
    monkeypatch.setattr(frontends, "compute_driver_executable", lambda: (lacks_a_library, "cli.js"))
    monkeypatch.setattr(frontends, "_install", lambda *packages: installed.append(packages))
    monkeypatch.setenv("PATH", f"{tmp_path / 'new'}:/bin")
    assert frontends.node_path() == runs
    monkeypatch.setenv("PATH", str(Path(too_old).parent))
    with pytest.raises(RuntimeError, match="libatomic"):
        frontends.node_path()
    assert installed == [("libatomic1",)]
