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


def test_unknown_fields_are_ignored_and_missing_optional_ones_are_fine():
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
def test_an_odd_optional_field_does_not_cost_the_reply(odd):
    assert parse({"status": "succeeded", **odd}, JobResponse).status == "succeeded"


def test_an_odd_width_does_not_cost_the_image():
    media = {"mediaId": "m", "width": "wide", "height": [2]}
    output = parse({"status": "succeeded", "outputs": [{"media": media}]}, JobResponse).outputs[0]
    assert output.media.media_id == "m"
    assert output.media.width is None


def test_an_account_without_an_id_is_left_out_and_the_others_stay():
    reply = parse({"accounts": [{"username": "x"}, {"instagramAccountId": "a"}]}, AccountsResponse)
    assert [account.name for account in reply.accounts] == ["a"]


@pytest.mark.parametrize("reply", [None, [], "text", 5, {}, {"status": None}, {"status": 5}])
def test_what_is_no_reply_is_said_to_be_none(reply):
    with pytest.raises(UnexpectedReplyError):
        parse(reply, JobResponse)


def test_capabilities_keep_the_reply():
    reply = {"generation": {"image": [{"key": "m", "params": {}}], "music": []}}
    parsed = parse(reply, Capabilities)
    assert parsed.image_models[0].name == "m"
    assert parsed.raw == reply


def test_prices_are_taken_and_never_converted():
    estimate = parse({"estimatedCostMicrodollars": 80000, "estimatedCredits": 7.5}, Estimate)
    assert (estimate.usd, estimate.estimated_credits) == (0.08, 7.5)
    assert parse({}, Estimate).usd is None


def test_times_are_aware_whatever_the_notation():
    assert (
        models.parse_timestamp("2026-11-20T09:00:31.000Z").isoformat()
        == "2026-11-20T09:00:31+00:00"
    )
    assert models.parse_timestamp("2026-11-20T10:00:31+01:00").hour == 9
    assert models.parse_timestamp("soon") is None
    assert models.parse_timestamp(None) is None
