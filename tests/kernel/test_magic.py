"""``%%wonda`` in a real kernel."""

SETUP = """
import wonda_widgets as ww
wonda = ww.Wonda.sandbox(seconds=0.1)
%load_ext wonda_widgets
"""


def test_cell_is_the_prompt_and_job_is_stored_in_a_variable(kernel):
    kernel.run(SETUP)
    kernel.run("%%wonda -m z-image --aspect-ratio 4:3 -o harbour\nA harbour,\nlong lens {x}\n")
    said = kernel.run("print(harbour.wait().status, harbour.request)")
    assert said.strip() == (
        "succeeded {'model': 'z-image', 'prompt': 'A harbour,\\nlong lens {x}', "
        "'params': {'aspectRatio': '4:3'}}"
    )
    shown = [m for m in kernel.said if m["msg_type"] == "display_data"]
    assert any("application/vnd.jupyter.widget-view+json" in m["content"]["data"] for m in shown)


def test_invalid_options_are_reported_and_nothing_is_sent(kernel):
    kernel.run(SETUP)
    for line, said in (
        ("-m no-such", "There is no model 'no-such'"),
        ("-m z-image --resolution 2K", "Z-Image has no --resolution"),
        ("--resolution 9K", "Resolution does not support '9K'"),
        ("-o 1x", "not a valid variable name"),
    ):
        told = kernel.run(f"%%wonda {line}\nA harbour")
        assert said in told
        assert "Traceback" not in told
    assert kernel.run("print(len(wonda.jobs.recent()))").strip() == "0"


def test_tab_completion(kernel):
    kernel.run(SETUP)
    for line, wanted in (("%%wonda -m z", "z-image"), ("%%wonda --aspect-ratio 21", "21:9")):
        kernel.client.complete(line)
        reply = kernel.client.get_shell_msg(timeout=20)
        while reply["msg_type"] != "complete_reply":
            reply = kernel.client.get_shell_msg(timeout=20)
        content = reply["content"]
        completed = [line[: content["cursor_start"]] + match for match in content["matches"]]
        assert any(each.endswith(wanted) for each in completed), content


def test_help_option(kernel):
    kernel.run(SETUP)
    for cell in ("%%wonda --help", "%%wonda -h\n", "%wonda --help", "%%wonda --help\nA lake"):
        said = kernel.run(cell)
        assert "-m, --model MODEL" in said, cell
        assert "--aspect-ratio 9:16|" in said, cell
    assert "Write %%wonda with the prompt below it" in kernel.run("%wonda -m z-image")
    assert kernel.run("print(len(wonda.jobs.recent()))").strip() == "0"
