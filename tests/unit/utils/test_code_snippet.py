"""`job.code()`: Python code that repeats a request."""

import pytest

import wonda_widgets as ww
from wonda_widgets.utils import code_snippet

HOSTILE = "A \"sunset\"\n'''; import os; os.abort() # {x} \\ \u202e"


def run(text):
    """Run generated code with a client that only notes what it is asked."""
    asked = {}

    class Noted:
        def generate(self, **arguments):
            asked.update(arguments)
            return self

        instagram = generate

        def wait(self):
            return self

        media = permalink = None

    noted = Noted()
    noted.images = noted.publish = noted

    def wonda():
        return noted

    wonda.sandbox = wonda
    fake = type("Fake", (), {"Wonda": wonda})
    exec(text.replace("import wonda_widgets as ww", ""), {"ww": fake, "print": lambda *_: None})
    return asked


@pytest.mark.parametrize("prompt", ["A harbour", HOSTILE, "x" * 500])
def test_snippet_repeats_the_request_for_any_prompt(prompt):
    params = {"aspectRatio": "4:5", "seed": 7, "tile": False}
    request = {"model": "m", "prompt": prompt, "params": params, "attachmentMediaIds": ["a", "b"]}
    assert run(code_snippet.to_python("inference", request)) == {
        "model": "m",
        "prompt": prompt,
        "params": params,
        "attachment_media_ids": ["a", "b"],
    }


def test_snippet_repeats_a_post():
    request = {"mediaId": "m1", "instagramAccountId": "a1", "caption": HOSTILE, "product": "IMAGE"}
    assert run(code_snippet.to_python("publish", request)) == {
        "media_id": "m1",
        "instagram_account_id": "a1",
        "caption": HOSTILE,
        "product": "IMAGE",
    }


def test_snippet_of_an_unknown_request_says_so():
    assert code_snippet.to_python("inference", {}).startswith("# The request is not known")


def test_job_has_a_snippet(quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.01) as wonda:
        job = wonda.images.generate(model="z-image", prompt="A harbour")
        assert run(job.code()) == {"model": "z-image", "prompt": "A harbour"}
        assert "ww.Wonda.sandbox()" in job.code()  # not a client that costs
        job.wait()
        assert "ww.Wonda.sandbox()" in wonda.history.search()[0].code()
    request = {"model": "m", "prompt": "x"}
    assert "ww.Wonda()" in code_snippet.to_python("inference", request)
