import pytest

from wonda_widgets import models
from wonda_widgets.errors import UnexpectedReplyError
from wonda_widgets.models import (
    AccountsResponse,
    Capabilities,
    Estimate,
    JobResponse,
    parse,
)


def test_unknown_and_missing_fields_are_accepted():
    reply = parse({"status": "idle", "novelty": {"x": 1}}, JobResponse)
    assert (reply.status, reply.outputs, reply.error_message) == ("idle", [], None)


@pytest.mark.parametrize(
    "odd",
    [
        {"outputs": None},
        {"outputs": "none"},
        {"errorMessage": {"text": 1}},
        {"createdAt": 5},
        {"outputs": [{"media": "gone"}]},
        {"outputs": [7]},
    ],
)
def test_invalid_optional_field_is_ignored(odd):
    assert parse({"status": "succeeded", **odd}, JobResponse).status == "succeeded"


def test_invalid_width_is_ignored():
    media = {"mediaId": "m", "width": "wide", "height": [2]}
    output = parse({"status": "succeeded", "outputs": [{"media": media}]}, JobResponse).outputs[0]
    assert output.media.media_id == "m"
    assert output.media.width is None


def test_account_without_an_id_is_skipped():
    reply = parse({"accounts": [{"username": "x"}, {"instagramAccountId": "a"}]}, AccountsResponse)
    assert [account.name for account in reply.accounts] == ["a"]


@pytest.mark.parametrize("reply", [None, [], "text", 5, {}, {"status": None}, {"status": 5}])
def test_invalid_response_is_reported(reply):
    with pytest.raises(UnexpectedReplyError):
        parse(reply, JobResponse)


def test_capabilities_keep_the_raw_response():
    reply = {"generation": {"image": [{"key": "m", "params": {}}], "music": []}}
    parsed = parse(reply, Capabilities)
    assert parsed.image_models[0].name == "m"
    assert parsed.raw == reply


def test_prices_are_not_converted():
    estimate = parse({"estimatedCostMicrodollars": 80000, "estimatedCredits": 7.5}, Estimate)
    assert (estimate.usd, estimate.estimated_credits) == (0.08, 7.5)
    assert parse({}, Estimate).usd is None


def test_times_have_time_zones():
    assert (
        models.parse_timestamp("2026-11-20T09:00:31.000Z").isoformat()
        == "2026-11-20T09:00:31+00:00"
    )
    assert models.parse_timestamp("2026-11-20T10:00:31+01:00").hour == 9
    assert models.parse_timestamp("soon") is None
    assert models.parse_timestamp(None) is None
