"""What the caller is told of each way in which a call to Twilio can end. D1 A34 to A38, A42 of one call."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from channels import twilio_calls
from channels.outcomes import OUTCOMES, SENTENCES, Outcome, outcome_of
from channels.tests.credentials import ACCOUNT, SUBACCOUNT, TOKEN
from channels.tests.twilio_stub import Step, TwilioStub
from channels.twilio_calls import NotReached, Outgoing, Refused, Unclear, list_sent, send

pytestmark = pytest.mark.once

TO, OURS = "+14155550100", "+15005550006"
HELLO = Outgoing(ACCOUNT, OURS, "", TO, "Hello ü 👋", callback="https://chat.example.test/s?d=1.a")


def test_a_message_is_taken(twilio: TwilioStub) -> None:
    taken = send(HELLO)

    assert taken.sid == twilio.messages[0].sid
    assert taken.status == "queued"
    [(_, fields)] = twilio.asked
    assert fields == {
        "To": TO,
        "From": OURS,
        "Body": "Hello ü 👋",
        "StatusCallback": "https://chat.example.test/s?d=1.a",
        "ValidityPeriod": "3600",
    }
    assert twilio.keys_seen == [(ACCOUNT, TOKEN)]


def test_an_answer_through_a_pool_names_the_number_too(twilio: TwilioStub) -> None:
    send(Outgoing(ACCOUNT, OURS, "MG" + "3" * 32, TO, "Hello"))

    [(_, fields)] = twilio.asked
    assert (fields["From"], fields["MessagingServiceSid"]) == (OURS, "MG" + "3" * 32)


def test_a_template_goes_without_a_body(twilio: TwilioStub) -> None:
    send(Outgoing(ACCOUNT, OURS, "", TO, "Hello", template="HX" + "4" * 32))

    [(_, fields)] = twilio.asked
    assert "Body" not in fields
    assert fields["ContentSid"] == "HX" + "4" * 32


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, 21211, Outcome.REFUSED),
        (400, 99999, Outcome.REFUSED),
        (400, None, Outcome.REFUSED),
        (400, 21610, Outcome.OPTED_OUT),
        (400, 63016, Outcome.WINDOW_CLOSED),
        (400, 30007, Outcome.FILTERED),
        (429, 20429, Outcome.TRY_LATER),
        (503, None, Outcome.TRY_LATER),
        (500, 21211, Outcome.TRY_LATER),
        (401, 20003, Outcome.OURS),
        (404, None, Outcome.OURS),
        (301, None, Outcome.OURS),
    ],
)
def test_a_refusal_has_its_status_and_code(
    twilio: TwilioStub, status: int, code: int | None, expected: Outcome
) -> None:
    twilio.steps.append(Step(status, code, headers={"Retry-After": "7"}))

    with pytest.raises(Refused) as refused:
        send(HELLO)

    assert (refused.value.status, refused.value.code) == (status, code)
    assert refused.value.retry_after == 7
    assert outcome_of(status, code) == expected


def test_every_code_means_what_it_means() -> None:
    by_outcome = {
        Outcome.REFUSED: {21211, 21408, 21602, 21612, 21614, 21617, 63003, 63024},
        Outcome.OPTED_OUT: {21610, 63014},
        Outcome.GONE: {30005, 30006},
        Outcome.WINDOW_CLOSED: {63016},
        Outcome.FILTERED: {30007, 30032, 30034},
        Outcome.TRY_LATER: {20429, 21611, 30001, 63017, 63018},
        Outcome.OURS: {20003, 20404, 21603, 21606, 21608},
    }
    for outcome, codes in by_outcome.items():
        assert {outcome_of(400, code) for code in codes} == {outcome}
    for status in (429, 500, 502, 503):
        assert {outcome_of(status, code) for code in (None, *OUTCOMES)} == {Outcome.TRY_LATER}


def test_every_sentence_is_about_a_code_that_is_known() -> None:
    assert SENTENCES.keys() <= OUTCOMES.keys()


@pytest.mark.parametrize(
    "step",
    [
        Step(drop="before"),
        Step(drop="after"),
        Step(504),
        Step(text="<html>"),
        Step(text="{}"),
        Step(text="[]"),
        Step(text='{"sid": null}'),
        Step(text=""),
    ],
    ids=repr,
)
def test_without_an_answer_that_can_be_read_it_is_unclear(twilio: TwilioStub, step: Step) -> None:
    twilio.steps.append(step)

    with pytest.raises(Unclear):
        send(HELLO)


@pytest.mark.parametrize("step", [Step(hang=True), Step(drip=True)], ids=["hang", "drip"])
def test_no_call_lasts_longer_than_its_limit(
    twilio: TwilioStub, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twilio_calls, "READ_SECONDS", 0.5)
    monkeypatch.setattr(twilio_calls, "CALL_SECONDS", 1.0)
    twilio.steps.append(step)
    begun = time.monotonic()

    with pytest.raises(Unclear):
        send(HELLO)

    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://twilio.invalid", "https://127.0.0.1:{port}"])
def test_without_a_connection_it_has_not_been_sent(twilio: TwilioStub, twilio_with: Any, url: str) -> None:
    twilio_with(url=url.format(port=twilio.url.rpartition(":")[2]))

    with pytest.raises(NotReached):
        send(HELLO)

    assert twilio.asked == []


def test_the_second_token_is_tried_where_the_first_is_no_good_any_more(
    twilio: TwilioStub, twilio_with: Any
) -> None:
    twilio_with(tokens={ACCOUNT: ("old-token-of-the-account", TOKEN)})
    twilio.key = (ACCOUNT, TOKEN)

    send(HELLO)

    assert len(twilio.asked) == 2
    assert len(twilio.messages) == 1


def test_an_api_key_comes_before_the_token(twilio: TwilioStub, twilio_with: Any) -> None:
    twilio_with(api_key=("SK" + "5" * 32, "secret"))

    send(HELLO)

    assert twilio.keys_seen == [("SK" + "5" * 32, "secret")]
    assert twilio.messages[0].account == ACCOUNT


@pytest.mark.parametrize("has_token", [True, False])
def test_a_subaccount_sends_with_its_token_or_that_of_the_account_above_it(
    twilio: TwilioStub, twilio_with: Any, has_token: bool
) -> None:
    own = {SUBACCOUNT: ("token-of-the-subaccount-1",)} if has_token else {}
    twilio_with(tokens={ACCOUNT: (TOKEN,), **own})

    send(Outgoing(SUBACCOUNT, OURS, "", TO, "Hello"))

    assert twilio.messages[0].account == SUBACCOUNT
    assert twilio.keys_seen == [(SUBACCOUNT, own[SUBACCOUNT][0]) if has_token else (ACCOUNT, TOKEN)]


def test_the_list_has_what_was_sent_to_one_address_since(twilio: TwilioStub) -> None:
    send(HELLO)
    send(Outgoing(ACCOUNT, OURS, "", "+14155550199", "Hello"))
    twilio.messages[0].at = datetime.now(UTC) - timedelta(minutes=2)
    taken = send(HELLO)

    listed = list_sent(HELLO, since=datetime.now(UTC) - timedelta(minutes=1))

    assert [one.sid for one in listed] == [taken.sid]
    assert listed[0].body == HELLO.body
    assert twilio.lists[0]["To"] == TO


def test_a_list_that_cannot_be_had_is_no_empty_list(twilio: TwilioStub) -> None:
    twilio.list_steps.extend([Step(503), Step(200, drop="before")])

    for _ in range(2):
        with pytest.raises((Refused, Unclear)):
            list_sent(HELLO, since=datetime.now(UTC))
