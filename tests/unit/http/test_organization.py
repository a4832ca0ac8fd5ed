"""Accounts whose only paid seat is in an organization."""

from __future__ import annotations

import pickle

import httpx
import pytest
from conftest import KEY

import wonda_widgets as ww
from wonda_widgets.cli import main
from wonda_widgets.notebook import magic
from wonda_widgets.sandbox.app import Sandbox
from wonda_widgets.utils import event_loop

ORGANIZATIONS = [
    {"slug": "acme", "name": "Acme Studio"},
    {"slug": "club", "seatPlanCode": None},
    {"slug": "zoo"},
]
ONLY_IN_ORGANIZATIONS = {"plan": None, "organizations": ORGANIZATIONS, "seconds": 0.01}


def generate(wonda):
    return wonda.images.generate(model="z-image", prompt="A lake").wait().media


@pytest.mark.usefixtures("quick_polls")
def test_organization_with_a_seat_can_generate_and_publish():
    with ww.Wonda.sandbox(org="acme", **ONLY_IN_ORGANIZATIONS) as wonda:
        media = generate(wonda)
        account = wonda.accounts.instagram()[0].instagram_account_id
        post = {"media_id": media.media_id, "instagram_account_id": account}
        assert wonda.publish.instagram(**post).wait().permalink
        assert "organization acme" in repr(wonda)


def test_paid_plan_error_names_the_organizations_with_a_seat():
    for org, expected in (("", ["acme (Acme Studio)", "zoo"]), ("club", ["acme (Acme Studio)"])):
        with ww.Wonda.sandbox(org=org, **ONLY_IN_ORGANIZATIONS) as wonda:
            for call in (
                lambda: generate(wonda),
                lambda: wonda.media.upload(b"\x89PNG", name="x.png"),
            ):
                with pytest.raises(ww.PermissionDeniedError) as caught:
                    call()
                assert caught.value.code == "paid_plan_required"
                for name in expected:
                    assert name in caught.value.hint
                assert 'Wonda(org="acme")' in caught.value.hint
                assert "WONDA_ORG" in caught.value.hint
                assert "club" not in caught.value.hint


@pytest.mark.parametrize(
    ("organizations", "hint"),
    [
        ([], "None of your organizations gives you a paid seat"),
        ([{"slug": "club", "seatPlanCode": None}], "None of your organizations"),
        (
            [{"slug": f"o{number}", "name": "x\n" * 900} for number in range(40)],
            "and 32 more",
        ),
    ],
)
def test_paid_plan_hint_is_short_for_any_list_of_organizations(organizations, hint):
    with ww.Wonda.sandbox(plan=None, organizations=organizations) as wonda:
        with pytest.raises(ww.PermissionDeniedError, match=hint) as caught:
            generate(wonda)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 3000


@pytest.mark.parametrize(
    "listing",
    [
        httpx.Response(500),
        httpx.Response(404, json={"error": {"message": "No", "code": "not_found"}}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"organizations": [{"name": "without a slug"}]}),
        httpx.ConnectError("gone"),
    ],
)
def test_paid_plan_error_is_raised_even_if_organizations_cannot_be_listed(listing):
    def respond(request):
        if request.url.path.endswith("organizations"):
            if isinstance(listing, Exception):
                raise listing
            return listing
        error = {"message": "Needs a paid plan", "code": "paid_plan_required"}
        return httpx.Response(403, json={"error": error})

    with ww.Wonda(KEY, transport=httpx.MockTransport(respond)) as wonda:
        for call in (lambda: generate(wonda), wonda.whoami):
            with pytest.raises(ww.PermissionDeniedError, match="Needs a paid plan") as caught:
                call()
            assert "plan" in caught.value.hint


def test_organization_header_is_sent_only_to_the_api(monkeypatch):
    requests = []

    def respond(request):
        requests.append((request.url.host, request.headers.get("X-Wonda-Org")))
        path = request.url.path
        if path.endswith("generate"):
            return httpx.Response(200, json={"inferenceJobId": "j1"})
        if "/jobs/" in path:
            media = {"mediaId": "m1", "url": "https://files.example/m1.png"}
            return httpx.Response(200, json={"status": "succeeded", "outputs": [{"media": media}]})
        return httpx.Response(200, json={"mediaId": "m1", "accounts": []})

    monkeypatch.setenv("WONDA_ORG", " from-the-environment ")
    for org, expected in ((None, "from-the-environment"), ("acme", "acme"), ("", None)):
        requests.clear()
        with ww.Wonda(KEY, org=org, transport=httpx.MockTransport(respond)) as wonda:
            media = generate(wonda)
            wonda.media.upload(b"\x89PNG", name="x.png")
            wonda.accounts.instagram()
            wonda.media.download(media)
        assert {name for host, name in requests if host == "api.wondercat.ai"} == {expected}
        assert [name for host, name in requests if host == "files.example"] == [None]
        assert len(requests) >= 5


@pytest.mark.parametrize(
    "org", ["a b", "a/b", ".", "..", "-a", "acme\r\nX-Evil: 1", "ä", 5, "x" * 201]
)
def test_invalid_organization_slug_is_refused(org, monkeypatch):
    with pytest.raises(ww.InvalidInputError) as caught:
        ww.Wonda(KEY, org=org)
    assert caught.value.field == "org"
    if isinstance(org, str):
        monkeypatch.setenv("WONDA_ORG", org)
        with pytest.raises(ww.InvalidInputError, match="WONDA_ORG"):
            ww.Wonda(KEY)


@pytest.mark.usefixtures("quick_polls")
def test_journal_separates_organizations(tmp_path):
    histories = []
    for org in ("acme", "zoo"):
        journal = tmp_path / "journal.db"
        with ww.Wonda.sandbox(org=org, journal=journal, **ONLY_IN_ORGANIZATIONS) as wonda:
            generate(wonda)
            histories.append(wonda.history.search())
    assert [len(each) for each in histories] == [1, 1]
    assert histories[0][0].job_id != histories[1][0].job_id


def test_pickled_client_keeps_its_organization(monkeypatch, tmp_path):
    monkeypatch.setenv("WONDA_API_KEY", KEY)
    with ww.Wonda(org="acme", journal=tmp_path / "journal.db") as wonda:
        wonda.jobs.recent()  # creates the journal
        unpickled = pickle.loads(pickle.dumps(wonda))
        other = pickle.loads(pickle.dumps(ww.Wonda(org="zoo", journal=tmp_path / "journal.db")))
    assert (unpickled.org, other.org) == ("acme", "zoo")
    assert unpickled._async._core.transport.org == "acme"
    assert other._async._core is not unpickled._async._core


def test_magic_uses_the_organization_of_the_environment(monkeypatch):
    monkeypatch.setenv("WONDA_API_KEY", KEY)
    first = magic._client({})
    monkeypatch.setenv("WONDA_ORG", "acme")
    second = magic._client({})
    assert (first.org, second.org) == ("", "acme")
    assert magic._client({}) is second
    for each in (first, second):
        event_loop.run_blocking(each.aclose())


def test_doctor_shows_the_organization(monkeypatch, capsys):
    sandbox = Sandbox(**ONLY_IN_ORGANIZATIONS)
    original_init = ww.Wonda.__init__

    def init_with_sandbox(self, *_, **options):
        original_init(self, KEY, transport=httpx.ASGITransport(app=sandbox.api), **options)

    monkeypatch.setattr(ww.Wonda, "__init__", init_with_sandbox)
    monkeypatch.setenv("WONDA_API_KEY", KEY)
    assert main.main(["doctor"]) == 0
    assert "set WONDA_ORG=acme to use it" in capsys.readouterr().out
    monkeypatch.setenv("WONDA_ORG", "acme")
    main.main(["doctor"])
    output = capsys.readouterr().out
    assert "organization acme" in output
    assert "acme (Acme Studio), in use" in output
    assert "set WONDA_ORG=zoo to use it" in output
    assert "club" not in output


def test_accounts_lists_the_organizations():
    with ww.Wonda.sandbox(organizations=ORGANIZATIONS) as wonda:
        organizations = wonda.accounts.organizations()
    assert [(each.slug, each.name, each.seat_plan_code) for each in organizations] == [
        ("acme", "Acme Studio", "WONDA"),
        ("club", "club", None),
        ("zoo", "zoo", "WONDA"),
    ]
