"""Snippets: named pieces of prompts in the journal."""

import json

import pytest
from conftest import KEY, only, send

import wonda_widgets as ww
from wonda_widgets.api import snippets

NOIR = "high contrast, hard shadows"


@pytest.fixture
def wonda(quick_polls, tmp_path):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.02, journal=tmp_path / "journal.db") as client:
        client.snippets.save("style:noir", NOIR)
        yield client


class TestCode:
    def test_prompt_is_filled(self, wonda):
        text = "A {subject}, {style:noir}, {{style:noir}}, {{b}}"
        assert wonda.snippets.fill(text) == f"A {{subject}}, {NOIR}, {{style:noir}}, {{{{b}}}}"
        assert wonda.snippets.fill_template(text) == (
            f"A {{subject}}, {NOIR}, {{{{style:noir}}}}, {{{{b}}}}"
        )
        assert wonda.snippets.all() == {"style:noir": NOIR}

    def test_other_kernels_have_them(self, wonda, tmp_path):
        with ww.Wonda.sandbox(journal=tmp_path / "journal.db") as other:
            assert other.snippets.all() == {"style:noir": NOIR}
            other.snippets.save("style:noir", "soft")
        assert wonda.snippets.all() == {"style:noir": "soft"}

    def test_removed_one_is_gone_and_can_be_saved_again(self, wonda):
        wonda.snippets.remove("style:noir")
        wonda.snippets.remove("no:such")
        assert wonda.snippets.all() == {}
        with pytest.raises(ww.InvalidInputError, match=r"no snippet \{style:noir\}"):
            wonda.snippets.fill("A {style:noir}")
        wonda.snippets.save("style:noir", "again")
        assert wonda.snippets.all() == {"style:noir": "again"}

    def test_exported_file_is_loaded(self, wonda, tmp_path):
        wonda.snippets.save("lens:wide", "24mm “wide” 港")
        wonda.snippets.export(tmp_path / "snippets.json")
        with ww.Wonda.sandbox() as other:
            assert other.snippets.load(tmp_path / "snippets.json") == 2
            assert other.snippets.all() == wonda.snippets.all()

    @pytest.mark.parametrize("path", [".", "", "/"])
    def test_export_to_a_folder_is_refused(self, wonda, path, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ww.InvalidInputError, match="is a folder") as caught:
            wonda.snippets.export(path)
        assert caught.value.field == "path"
        assert not list(tmp_path.glob("*.json"))

    def test_lone_surrogate_is_refused(self, wonda):
        with pytest.raises(ww.InvalidInputError, match="lone surrogate"):
            wonda.snippets.save("style:noir", "x\ud800y")

    def test_matrix_has_the_text_in_its_plan(self, wonda):
        matrix = wonda.images.matrix(
            ["A {subject}, {style:noir}"], {"subject": ["sail"]}, "z-image"
        )
        assert matrix.plan.cells[0].prompt == f"A sail, {NOIR}"
        wonda.snippets.save("style:noir", "changed {light}")
        varied = wonda.images.matrix("A {style:noir}", {"light": ["dusk", "noon"]}, "z-image")
        assert [cell.prompt for cell in varied.plan.cells] == ["A changed dusk", "A changed noon"]

    @pytest.mark.parametrize(
        ("name", "text", "said"),
        [
            ("noir", "x", "not the name of a snippet"),
            ("style:", "x", "not the name of a snippet"),
            ("style:a:b", "x", "not the name of a snippet"),
            ("sty{le:x}", "x", "not the name of a snippet"),
            ("style:" + "x" * 100, "x", "not the name of a snippet"),
            (5, "x", "not the name of a snippet"),
            ("style:a", " ", "has no text"),
            ("style:a", 5, "has no text"),
            ("style:a", "x" * 10_001, "more than 10,000 characters"),
        ],
    )
    def test_odd_snippets_are_refused(self, wonda, name, text, said):
        with pytest.raises(ww.InvalidInputError, match=said):
            wonda.snippets.save(name, text)
        assert wonda.snippets.all() == {"style:noir": NOIR}

    @pytest.mark.parametrize(
        "content",
        [b"", b"[]", b"{}", b"{", b'{"style:a": 5}', b'{"a": "x"}', b"\xff\xfe", b"[" * 9],
    )
    def test_odd_files_are_refused(self, wonda, tmp_path, content):
        path = tmp_path / "snippets.json"
        path.write_bytes(content)
        with pytest.raises(ww.InvalidInputError):
            wonda.snippets.load(path)
        with pytest.raises(ww.InvalidInputError, match="cannot be read"):
            wonda.snippets.load(tmp_path / "no.json")
        with pytest.raises(ww.InvalidInputError, match="cannot be written"):
            wonda.snippets.export(tmp_path / "no" / "file.json")
        assert wonda.snippets.all() == {"style:noir": NOIR}

    def test_key_is_not_saved(self, tmp_path):
        with ww.Wonda(KEY, base_url="http://127.0.0.1:9", journal=tmp_path / "own.db") as wonda:
            wonda.snippets.save("secret:key", f"my {KEY}")
            assert KEY not in wonda.snippets.all()["secret:key"]


@pytest.mark.parametrize(
    "prompt",
    [
        "{a:b}",
        "{{a:b}}",
        "{{{a:b}}",
        "{{a:b}",
        "{a:b}}",
        '{"a": 1, "b:c": {}}',
        "{{x}} {",
        "{a:1 2}",
    ],
)
def test_any_prompt_can_be_sent(prompt):
    assert snippets.fill(snippets.literal(prompt), {"a:b": "never"}) == prompt


def test_prompt_of_an_image_is_sent_again_as_it_was(panel, settled, wonda):
    job = wonda.images.generate(model="z-image", prompt="A label {style:noir}")
    job.wait()
    form = panel(ww.PromptForm)
    settled(lambda: form.state == "ready")
    form.fill(wonda.history.of(job))
    settled(lambda: form.prompt == "A label {{style:noir}}")
    form.submit()
    settled(lambda: form.job is not None and form.job.done)
    assert [image.prompt for image in wonda.history.search()] == ["A label {style:noir}"] * 2


def test_form_sends_the_text_of_its_snippets(panel, settled, wonda):
    form = panel(ww.PromptForm, prompt="A sail, {style:noir}", model="z-image")
    settled(lambda: form.state == "ready" and form.snippets == {"style:noir": NOIR})
    form.submit()
    settled(lambda: form.job is not None and form.job.done)
    assert wonda.history.search()[0].prompt == f"A sail, {NOIR}"
    assert form.prompt == "A sail, {style:noir}"
    send(form, "submit", prompt="A {style:noire}", model="z-image", params={})
    settled(lambda: form.error)
    assert "Did you mean 'style:noir'" in form.error["text"]
    assert form.state == "ready"
    assert len(wonda.history.search()) == 1


def test_lab_plans_with_the_text(panel, settled, wonda):  # noqa: ARG001
    lab = panel(ww.PromptLab, template="A {subject}, {style:noir}", values={"subject": ["sail"]})
    settled(lambda: lab.form.plan.get("count") == 1)
    assert lab.form.placeholders == ["subject"]
    assert lab.form.templates == only("A {subject}, {style:noir}")
    lab.form.templates = only("A {subject}, {style:no}")
    settled(lambda: lab.form.plan.get("problem"))
    assert "no snippet {style:no}" in lab.form.plan["problem"]["title"]


def test_panel_adds_renames_and_removes(panel, settled, wonda):
    snippets = panel(ww.Snippets)
    settled(lambda: snippets.snippets)
    send(snippets, "save", name="lens:wide", text="24mm", former="")
    settled(lambda: snippets.snippets.get("lens:wide") == "24mm")
    send(snippets, "save", name="lens:ultra wide", text="14mm", former="lens:wide")
    settled(lambda: list(snippets.snippets) == ["lens:ultra wide", "style:noir"])
    send(snippets, "remove", name="style:noir")
    settled(lambda: list(snippets.snippets) == ["lens:ultra wide"])
    send(snippets, "save", name="bad", text="x", former="lens:ultra wide")
    settled(lambda: snippets.error)
    assert wonda.snippets.all() == {"lens:ultra wide": "14mm"}


def test_panel_imports_and_exports(panel, settled):
    snippets = panel(ww.Snippets)
    settled(lambda: snippets.snippets)
    sent = []
    snippets.send = lambda content, buffers=None: sent.append((content, buffers))
    data = json.dumps({"mood:calm": "calm", "style:noir": "new"}).encode()
    snippets._receive(snippets, {"type": "load", "name": "a.json"}, [data])
    settled(lambda: snippets.note)
    assert snippets.note == "2 snippets imported from a.json."
    send(snippets, "download", view="v")
    settled(lambda: sent)
    assert json.loads(sent[0][1][0]) == {"mood:calm": "calm", "style:noir": "new"}
    snippets._receive(snippets, {"type": "load", "name": "b.json"}, [b"no"])
    settled(lambda: snippets.error)
    assert "b.json has no snippets" in snippets.error["title"]


@pytest.mark.parametrize("name", ["style:cafe\u0301", "style:कहानी", "стиль:нуар"])
def test_names_of_every_script(wonda, name):
    wonda.snippets.save(name, "soft light")
    assert wonda.snippets.fill(f"A harbor, {{{name}}}") == "A harbor, soft light"
    wonda.snippets.remove(name.replace(":", " : "))
    assert not any("soft light" in text for text in wonda.snippets.all().values())


def test_snippet_within_a_snippet_is_refused(wonda):
    with pytest.raises(ww.InvalidInputError, match="cannot contain another one"):
        wonda.snippets.save("style:noir", "dark, {lens:long}")
