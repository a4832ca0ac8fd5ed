"""The whole flow below a URL prefix, as JupyterHub gives each user one."""

from __future__ import annotations

from urllib.parse import urlsplit

import flow
import frontends
import pytest
from playwright.sync_api import expect

SHARE = frontends.ROOT / "wonda_widgets" / "cli" / "share"  # Voilà's template for the dashboard
DASHBOARD = """import wonda_widgets as ww
ww.Dashboard(ww.Wonda.sandbox(seconds=0.5))"""
PREFIXES = {"ada": "/user/ada/", "jürgen m": "/user/j%C3%BCrgen%20m/"}


@pytest.fixture(scope="module", params=PREFIXES.values(), ids=PREFIXES.keys())
def server(request, tmp_path_factory):
    """A JupyterLab below a prefix, in which Voilà serves notebooks, too: address and folder."""
    folder, home = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("home")
    template = "--VoilaConfiguration.template=wonda"
    prefix = request.param
    with frontends.jupyterlab(
        folder, home, template, prefix=prefix, JUPYTER_PATH=str(SHARE)
    ) as url:
        yield url, folder


@pytest.fixture
def requested(page):
    """The URLs that the page requests."""
    urls = []
    page.on("request", lambda request: urls.append(request.url))
    page.on("websocket", lambda socket: urls.append(socket.url))
    yield urls
    page.goto("about:blank")  # before its server ends, which would be an error of its own


def outside(requested, url):
    """The requests to the server of `url` that leave its prefix."""
    server, prefix = urlsplit(url).netloc, urlsplit(url).path
    parts = [urlsplit(each) for each in requested]
    assert any(each.scheme == "ws" for each in parts)
    return [
        each.geturl()
        for each in parts
        if each.netloc == server and not each.path.startswith(prefix)
    ]


def test_notebook_below_a_prefix(server, page, requested):
    url, folder = server
    frontends.write_notebook(folder / "flow.ipynb", flow.CELL)
    frontends.open_notebook(page, url, "flow.ipynb")
    frontends.run_all(page)
    flow.from_prompt_to_post(page)
    post = page.get_by_role("link", name="View post").get_attribute("href")
    assert page.request.get(post).ok
    assert outside(requested, url) == []


def test_dashboard_below_a_prefix(server, page, requested):
    url, folder = server
    frontends.write_notebook(folder / "dashboard.ipynb", DASHBOARD)
    page.goto(f"{url}voila/render/dashboard.ipynb?token=test-token")
    generate_and_publish(page)
    assert outside(requested, url) == []


def test_page_of_its_own_below_a_prefix(page, requested, tmp_path):
    """What `wonda-widgets demo --voila` starts, behind a proxy that keeps the prefix."""
    notebook = frontends.write_notebook(tmp_path / "dashboard.ipynb", DASHBOARD)
    with frontends.voila(
        notebook,
        tmp_path / "home",
        "--template=wonda",
        module="wonda_widgets.cli.page_server",
        prefix=PREFIXES["ada"],
        JUPYTER_PATH=str(SHARE),
    ) as url:
        page.goto(url)
        generate_and_publish(page)
        assert outside(requested, url) == []
        page.goto("about:blank")


def generate_and_publish(page):
    """Generate an image in the dashboard and publish it."""
    page.get_by_role("textbox", name="Prompt").fill(flow.PROMPT)
    page.get_by_role("button", name="Generate").click()
    image = page.get_by_role("img", name=flow.PROMPT).first
    expect(image).to_be_visible()
    assert image.evaluate("(img) => img.decode().then(() => img.naturalWidth)") > 500
    page.get_by_role("button", name="Publish", exact=True).click()
    page.get_by_role("button", name="Publish now").click()
    expect(page.get_by_role("link", name="View post").first).to_be_visible()
